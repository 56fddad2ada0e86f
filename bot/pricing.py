"""What an ask costs: rows x ticks x pixels, scaled so that a model's default picture is a credit.

Pure arithmetic; who may spend it is the ledger's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pipelines.limits import num_rows, num_ticks

if TYPE_CHECKING:
    from ..pipelines.checkpoint import Checkpoint
    from .ask import Ask

CREDIT = 1000
"""Milli-credits in a credit."""


def price(ask: Ask, checkpoint: Checkpoint) -> int:
    """Milli-credits of the whole ask, rounded up; an ask of defaults costs `CREDIT` a picture."""
    guidance = checkpoint.guidance_scale if ask.guidance_scale is None else ask.guidance_scale
    steps = checkpoint.steps if ask.steps is None else ask.steps
    strength = 1.0
    if ask.init_image:
        # As `pipelines.limits` fills it in: what is masked is painted from nothing.
        usual_strength = 1.0 if ask.mask_image else checkpoint.strength
        strength = usual_strength if ask.strength is None else ask.strength
    pixels = (ask.width or checkpoint.size_px) * (ask.height or checkpoint.size_px)
    ticks = num_ticks(ask.sampler or checkpoint.sampler, steps, strength)
    work = num_rows(guidance, checkpoint) * ticks * pixels
    usual_rows = num_rows(checkpoint.guidance_scale, checkpoint)
    usual = usual_rows * num_ticks(checkpoint.sampler, checkpoint.steps) * checkpoint.size_px**2
    # Rounded up in whole numbers: a float could make a credit and a bit of a credit.
    return max(1, -(-ask.count * CREDIT * work // usual))


def credits_text(milli: int) -> str:
    """`1`, `0.75`, `12.5`: as many decimals as it needs, two at most. A cost is rounded up."""
    return _counted(-(-milli // 10))


def left_text(milli: int) -> str:
    """The same of what is left, rounded down: nobody reads that they have what is refused them."""
    return _counted(milli // 10)


def _counted(hundredths: int) -> str:
    text = f"{hundredths // 100:,}.{hundredths % 100:02}".rstrip("0").rstrip(".")
    return f"{text} credit" if text == "1" else f"{text} credits"
