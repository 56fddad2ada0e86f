"""What the flags of a line change about an ask: `--ar 3:2 --steps 30` become sizes and settings.

Pure. Whether the outcome may be painted is `studio`'s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from .prompts import Flags
from .shapes import size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..pipelines.checkpoint import Checkpoint
    from .ask import Ask
    from .prompts import Line


T = TypeVar("T")


def compose(
    base: Ask,
    line: Line,
    checkpoints: Mapping[str, Checkpoint],
) -> Ask:
    """`base` with everything changed that the line says."""
    flags = line.flags
    ask = replace(
        base,
        prompt=line.prompt or base.prompt,
        negative_prompt=flags.negative or base.negative_prompt,
        count=base.count if flags.count is None else flags.count,
        seed=base.seed if flags.seed is None else flags.seed,
        steps=base.steps if flags.steps is None else flags.steps,
        guidance_scale=(
            base.guidance_scale if flags.guidance_scale is None else flags.guidance_scale
        ),
        strength=base.strength if flags.strength is None else flags.strength,
        sampler=flags.sampler or base.sampler,
        model=flags.model or base.model,
        style=flags.style or base.style,
        loras=line.loras or base.loras,
        is_private=flags.is_private or base.is_private,
    )
    if flags.aspect is not None:
        checkpoint = checkpoints.get(ask.model) or next(iter(checkpoints.values()), None)
        if checkpoint is not None:
            width, height = size_of(flags.aspect, checkpoint)
            ask = replace(ask, width=width, height=height)
    elif flags.width is not None or flags.height is not None:
        # A single side makes a square: half a size is a typing mistake more often than a wish.
        width = flags.width if flags.width is not None else flags.height
        height = flags.height if flags.height is not None else flags.width
        ask = replace(ask, width=width, height=height)
    return ask


def merge(typed: Flags, chosen: Flags) -> Flags:
    """Both together; what was chosen in the command's own options wins over what was typed."""
    negative = ", ".join(text for text in (chosen.negative, typed.negative) if text)
    has_size = any(v is not None for v in (chosen.aspect, chosen.width, chosen.height))
    shape = chosen if has_size else typed

    return Flags(
        aspect=shape.aspect,
        width=shape.width,
        height=shape.height,
        seed=_first(chosen.seed, typed.seed),
        negative=negative,
        steps=_first(chosen.steps, typed.steps),
        guidance_scale=_first(chosen.guidance_scale, typed.guidance_scale),
        strength=_first(chosen.strength, typed.strength),
        count=_first(chosen.count, typed.count),
        repeat=_first(chosen.repeat, typed.repeat),
        sampler=chosen.sampler or typed.sampler,
        model=chosen.model or typed.model,
        style=chosen.style or typed.style,
        is_private=chosen.is_private or typed.is_private,
    )


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)
