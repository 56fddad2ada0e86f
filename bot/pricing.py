"""What an ask costs: rows x steps x pixels, scaled so that a model's default picture is a credit.

Pure arithmetic; who may spend it is the ledger's business.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..pipelines.checkpoint import Checkpoint
    from .ask import Ask

CREDIT = 1000
"""Milli-credits in a credit."""


def price(ask: Ask, checkpoint: Checkpoint) -> int:
    """Milli-credits of the whole ask, rounded up; an ask of defaults costs `CREDIT` a picture."""
    guidance = checkpoint.guidance_scale if ask.guidance_scale is None else ask.guidance_scale
    steps = Fraction(checkpoint.steps if ask.steps is None else ask.steps)
    if ask.init_image:
        # As `pipelines.limits` fills it in: what is masked is painted from nothing.
        usual_strength = 1.0 if ask.mask_image else checkpoint.strength
        strength = usual_strength if ask.strength is None else ask.strength
        # A painting over a picture runs only this share of its steps, and at least one.
        steps = max(Fraction(1), steps * Fraction(strength).limit_denominator(1000))
    pixels = (ask.width or checkpoint.size_px) * (ask.height or checkpoint.size_px)
    work = _rows(guidance) * steps * pixels
    usual = _rows(checkpoint.guidance_scale) * checkpoint.steps * checkpoint.size_px**2
    return max(1, ceil(ask.count * CREDIT * work / usual))


def credits_text(milli: int) -> str:
    """`1`, `0.75`, `12.5`: as many decimals as it needs, two at most."""
    text = f"{ceil(milli / 10) / 100:.2f}".rstrip("0").rstrip(".")
    return f"{text} credit" if text == "1" else f"{text} credits"


def _rows(guidance_scale: float) -> int:
    return 2 if guidance_scale > 1 else 1
