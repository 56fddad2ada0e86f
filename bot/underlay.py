"""Puts a picture under an ask: cut to what the model paints well, kept, named in the ask.

Where the picture comes from is `sources`'s; the geometry is `repaint`'s.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageOps

from . import masks
from .ask import Ask, Canvas, Kind
from .decoding import encode, flatten
from .repaint import Frame, frame_mask, frame_picture, to_model

if TYPE_CHECKING:
    from ..pipelines.checkpoint import Checkpoint
    from .studio import Studio

SUBTLE: Final = 0.35
STRONG: Final = 0.7
"""How much of a picture a variation paints anew."""

PROMISED: Final = "0" * 64
"""Stands in an ask for a picture that is still to be read, so that the rest can be judged."""


def plain(ask: Ask) -> Ask:
    """How a picture was asked for, without what it was painted over, and with new seeds."""
    return replace(
        ask,
        kind=Kind.IMAGINE,
        seed=None,
        # A part's size says nothing about the whole that it was pasted into.
        width=None if ask.canvas else ask.width,
        height=None if ask.canvas else ask.height,
        init_image="",
        mask_image="",
        canvas=None,
        strength=None,
        is_private=False,
        parent_picture_id=None,
        notes=(),
    )


def strength_of(studio: Studio, ask: Ask, amount: float) -> float:
    """The amount, or a little more where it would leave none of a few steps."""
    steps = ask.steps or checkpoint_of(studio, ask).steps
    return max(amount, 1 / steps)


async def vary(
    studio: Studio,
    base: Ask,
    picture: Image.Image,
    strength: float,
    picture_id: int | None = None,
    *,
    notes: tuple[str, ...] = (),
) -> Ask:
    """The ask for new pictures as close to `picture` as the strength says."""
    ask = replace(base, kind=Kind.VARIATION, strength=strength, parent_picture_id=picture_id)
    return await lay_under(studio, ask, picture, notes=notes)


async def lay_under(
    studio: Studio, ask: Ask, picture: Image.Image, *, notes: tuple[str, ...] = ()
) -> Ask:
    """The ask with the picture under it; sizes that the ask names win over the picture's shape.

    What was done to the picture is noted in the ask, for its card.
    """
    if ask.width is None or ask.height is None:
        frame = frame_picture(picture.size, checkpoint_of(studio, ask))
        ask = replace(ask, width=frame.width, height=frame.height)
    assert ask.width is not None
    assert ask.height is not None
    if _is_cropped(picture.size, (ask.width, ask.height)):
        notes = (*notes, f"the picture is cropped to the shape of {ask.width}×{ask.height}")
    png = await asyncio.to_thread(_fitted, picture, (ask.width, ask.height))
    return replace(ask, notes=notes, init_image=await studio.keep(png), mask_image="", canvas=None)


async def lay_part(studio: Studio, ask: Ask, picture: Image.Image, mask: Image.Image) -> Ask:
    """The ask over a part of the picture; the rest of it comes back byte for byte.

    Raises `RefusedError` for a mask that paints nothing or everything.
    """

    def work() -> tuple[Frame, list[bytes]]:
        masks.check(mask)
        frame = frame_mask(mask, checkpoint_of(studio, ask))
        seen, painted = to_model(picture, mask, frame)
        assert painted is not None
        return frame, [encode(each) for each in (picture, mask, seen, painted)]

    frame, pictures = await asyncio.to_thread(work)
    whole, shape, init_image, mask_image = [await studio.keep(png) for png in pictures]
    return replace(
        ask,
        kind=Kind.INPAINT,
        width=frame.width,
        height=frame.height,
        init_image=init_image,
        mask_image=mask_image,
        canvas=Canvas(whole, shape, frame.window),
    )


def _is_cropped(size: tuple[int, int], painted: tuple[int, int]) -> bool:
    """By more than the rounding to whole latents takes."""
    before, after = size[0] / size[1], painted[0] / painted[1]
    return min(before, after) / max(before, after) < 0.93


def sized(studio: Studio, ask: Ask, mask: Image.Image) -> Ask:
    """As large as `lay_part` makes it, for its price. Raises `RefusedError` as that does."""
    masks.check(mask)
    frame = frame_mask(mask, checkpoint_of(studio, ask))
    return replace(ask, width=frame.width, height=frame.height)


def checkpoint_of(studio: Studio, ask: Ask) -> Checkpoint:
    """The ask's model, or the default one where it names none that is known."""
    checkpoints = studio.checkpoints
    return checkpoints.get(ask.model) or next(iter(checkpoints.values()))


def _fitted(picture: Image.Image, size: tuple[int, int]) -> bytes:
    """PNG of exactly this size, cropped in its middle."""
    return encode(ImageOps.fit(flatten(picture), size, Image.Resampling.LANCZOS))
