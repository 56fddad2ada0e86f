"""What of a picture the model gets to see, and how what it painted comes back into the picture.

Pure; sizes in pixels. Masks are made in `masks`; when this happens is `studio`'s.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from ..pipelines.limits import MIN_SIDE_LATENTS
from .decoding import flatten
from .shapes import size_of

if TYPE_CHECKING:
    from ..pipelines.checkpoint import Checkpoint

Window = tuple[int, int, int, int]
"""Left, top, right, bottom: the part of a picture that is painted."""

_CONTEXT = 0.5
"""How much of its surroundings the model sees to each side, as a share of what is painted."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Which part is painted, and at which size."""

    window: Window
    width: int
    height: int


def frame_picture(size: tuple[int, int], checkpoint: Checkpoint) -> Frame:
    """For a variation: the whole picture, cropped around its middle to a shape painted well."""
    width, height = _paint_size(size, checkpoint)
    return Frame(_centred(size, width / height), width, height)


def frame_mask(mask: Image.Image, checkpoint: Checkpoint) -> Frame:
    """For inpainting: a small picture whole, otherwise what is around the mask.

    What is painted always lies inside the window.
    """
    size = mask.size
    box = mask.getbbox()
    assert box is not None, "masks.check comes first"
    if size[0] * size[1] <= 1.5 * checkpoint.size_px**2 and _limited(size) == size:
        return Frame((0, 0, *size), *_paint_size(size, checkpoint))
    left, top, right, bottom = box
    across = max(right - left, 1) * (1 + 2 * _CONTEXT)
    down = max(bottom - top, 1) * (1 + 2 * _CONTEXT)
    # Never enlarged on the way in: of a small area, more of its surroundings is seen.
    grown = max(1.0, checkpoint.size_px / math.sqrt(across * down))
    wanted = (min(across * grown, size[0]), min(down * grown, size[1]))
    width, height = _paint_size((round(wanted[0]), round(wanted[1])), checkpoint)
    window = _around(box, wanted, width / height, size)
    return Frame(window, width, height)


def to_model(
    picture: Image.Image, mask: Image.Image | None, frame: Frame
) -> tuple[Image.Image, Image.Image | None]:
    """The picture, and the mask, as the model gets them."""
    size = (frame.width, frame.height)
    seen = flatten(picture).resize(size, Image.Resampling.LANCZOS, box=frame.window)
    if mask is None:
        return seen, None
    # All that blends must have been painted, so whatever is not quite black counts as white.
    part = mask.crop(frame.window).point([0] + [255] * 255)
    return seen, part.resize(size, Image.Resampling.BOX).point([0] + [255] * 255)


def paste_back(
    original: Image.Image, painted: Image.Image, mask: Image.Image, window: Window
) -> Image.Image:
    """The original with the painting in it; where the mask is black, byte for byte itself."""
    left, top, right, bottom = window
    mode = "RGBA" if original.mode == "RGBA" else "RGB"
    whole = original.convert(mode)
    new = flatten(painted)
    if new.size != (right - left, bottom - top):
        new = new.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    whole.paste(new.convert(mode), (left, top), mask.crop(window))
    return whole


def paste_back_png(original: bytes, painted: bytes, mask: bytes, window: Window) -> bytes:
    """`paste_back` from PNG to PNG; the text that the painted one carries is kept."""
    with PngImageFile(io.BytesIO(painted)) as file:
        text = PngInfo()
        for key, value in file.text.items():
            text.add_itxt(key, value) if not value.isascii() else text.add_text(key, value)
        shape = Image.open(io.BytesIO(mask)).convert("L")
        whole = paste_back(Image.open(io.BytesIO(original)), file, shape, window)
    out = io.BytesIO()
    whole.save(out, "PNG", pnginfo=text)
    return out.getvalue()


def _paint_size(size: tuple[int, int], checkpoint: Checkpoint) -> tuple[int, int]:
    """The nearest shape that the model paints, of about its own area."""
    width, height = size_of(_limited(size), checkpoint)
    multiple = checkpoint.size_multiple_px
    least = MIN_SIDE_LATENTS * multiple
    return (max(width, least), max(height, least))


def _limited(size: tuple[int, int]) -> tuple[int, int]:
    """No shape beyond three to one: models know none."""
    width, height = size
    return (max(1, min(width, 3 * height)), max(1, min(height, 3 * width)))


def _centred(size: tuple[int, int], aspect: float) -> Window:
    width, height = size
    wide, high = min(width, round(height * aspect)), min(height, round(width / aspect))
    wide, high = max(wide, 1), max(high, 1)
    left, top = (width - wide) // 2, (height - high) // 2
    return (left, top, left + wide, top + high)


def _around(
    box: Window, wanted: tuple[float, float], aspect: float, size: tuple[int, int]
) -> Window:
    """A window of the aspect, as large as wanted where it fits, that always holds the box."""
    wide, high = wanted
    if wide / high < aspect:
        wide = high * aspect
    else:
        high = wide / aspect
    least = (box[2] - box[0], box[3] - box[1])
    wide = max(min(round(wide), size[0]), least[0], 1)
    high = max(min(round(high), size[1]), least[1], 1)
    left = min(max((box[0] + box[2] - wide) // 2, 0), size[0] - wide)
    top = min(max((box[1] + box[3] - high) // 2, 0), size[1] - high)
    return (left, top, left + wide, top + high)
