"""Masks, as pure geometry: from a picture, its transparency, a colour; grown, feathered, shown.

White is painted, black is kept, grey blends. Areas in words are `mask_words`'s; what the model gets
of a picture, and how its painting comes back, is `repaint`'s.
"""

from __future__ import annotations

import difflib

from PIL import Image, ImageChops, ImageColor, ImageFilter

from .decoding import flatten
from .errors import RefusedError

_TINT = (255, 0, 170)
_TINT_SHARE = 0.55
_NOISE = 16
_MAX_REACH_PX = 120


def from_picture(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture that somebody sent as the mask, brought to the size of the picture it belongs to.

    A coloured picture with holes is an erased copy: its holes are painted.
    """
    if abs(mask.width / mask.height / (size[0] / size[1]) - 1) > 0.05:
        raise RefusedError(
            f"The mask is {mask.width}×{mask.height} and the picture {size[0]}×{size[1]}:"
            " send a mask of the same shape."
        )
    if mask.mode == "RGBA" and _is_coloured(mask):
        grey = from_transparency(mask)
    elif mask.mode == "RGBA":
        ground = Image.new("RGB", mask.size, "black")
        ground.paste(mask, mask=mask.getchannel("A"))
        grey = ground.convert("L")
    else:
        grey = mask.convert("L")
    if grey.size != size:
        grey = grey.resize(size, Image.Resampling.BILINEAR)
    # What JPEG leaves around black and white is neither meant.
    return grey.point([_settled(value) for value in range(256)])


def from_transparency(picture: Image.Image) -> Image.Image:
    """What is transparent is painted."""
    if picture.mode != "RGBA":
        raise RefusedError(
            "Nothing in that picture is transparent: add a mask, or say the area to paint."
        )
    return ImageChops.invert(picture.getchannel("A"))


def from_colour(picture: Image.Image, colour: str, tolerance: int = 12) -> Image.Image:
    """Every pixel within `tolerance` percent of the colour, in each of its channels."""
    wanted = Image.new("RGB", picture.size, colour_of(colour))
    apart = ImageChops.difference(flatten(picture), wanted).split()
    furthest = ImageChops.lighter(ImageChops.lighter(apart[0], apart[1]), apart[2])
    reach = round(tolerance * 255 / 100)
    mask = furthest.point([255 if value <= reach else 0 for value in range(256)])
    if mask.getbbox() is None:
        raise RefusedError(
            f"Nothing in that picture is {colour[:30]}: try another colour or a higher tolerance."
        )
    return mask


def colour_of(text: str) -> tuple[int, int, int]:
    """A CSS name or `#hex`. Raises `RefusedError` with the nearest name."""
    name = "".join(text.lower().split())
    try:
        return ImageColor.getrgb(name)[:3]
    except ValueError:
        try:
            return ImageColor.getrgb("#" + name)[:3]
        except ValueError as error:
            close = difflib.get_close_matches(name, ImageColor.colormap, n=1, cutoff=0.6)
            hint = (
                f"did you mean `{close[0]}`?" if close else "say a name like `red`, or `#ff0000`."
            )
            raise RefusedError(f"`{text[:30]}` is no colour that I know; {hint}") from error


def invert(mask: Image.Image) -> Image.Image:
    return ImageChops.invert(mask)


def grow(mask: Image.Image, reach_px: int) -> Image.Image:
    """Reaches so many pixels further to each side; less where negative."""
    if reach_px == 0:
        return mask
    if reach_px < 0:
        return invert(grow(invert(mask), -reach_px))
    reach_px = min(reach_px, _MAX_REACH_PX)
    hard = mask.point([0] * 128 + [255] * 128)
    # A box blur touches exactly what lies within its radius, in a time that does not grow with it.
    touched = [0] + [255] * 255
    across = hard.filter(ImageFilter.BoxBlur((reach_px, 0))).point(touched)
    return across.filter(ImageFilter.BoxBlur((0, reach_px))).point(touched)


def feather(mask: Image.Image, reach_px: int) -> Image.Image:
    """Softens the edge; changes nothing further than `reach_px` from it."""
    if reach_px <= 0:
        return mask
    # Two boxes make a tent, whose reach is exact; a Gaussian's is not.
    reach_px = min(reach_px, _MAX_REACH_PX)
    once = mask.filter(ImageFilter.BoxBlur(reach_px - reach_px // 2))
    return once.filter(ImageFilter.BoxBlur(reach_px // 2))


def changed(
    mask: Image.Image, *, is_inverted: bool = False, grow_px: int = 0, feather_px: int = 0
) -> Image.Image:
    """What the preview's buttons make of a mask: inverted first, then grown, then feathered."""
    if is_inverted:
        mask = invert(mask)
    return feather(grow(mask, grow_px), feather_px)


def coverage(mask: Image.Image) -> float:
    """The share that is painted, 0 to 1."""
    histogram = mask.histogram()
    total = sum(value * count for value, count in enumerate(histogram))
    return total / (255 * mask.width * mask.height)


def check(mask: Image.Image) -> None:
    """Refuses a mask that paints nothing, or keeps nothing."""
    histogram = mask.histogram()
    if not any(histogram[128:]):
        raise RefusedError(
            "That mask keeps everything: white is painted, black is kept. Invert it, or grow it."
        )
    if not any(histogram[:255]):
        raise RefusedError(
            "That mask paints over the whole picture: use `/variation` for that,"
            " or leave something of it black."
        )


def overlay(picture: Image.Image, mask: Image.Image, *, max_px: int = 1024) -> Image.Image:
    """The picture with what will be painted tinted and outlined; at most `max_px` wide and high."""
    shown, shape = flatten(picture), mask
    scale = max_px / max(shown.size)
    if scale < 1:
        size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
        shown = shown.resize(size, Image.Resampling.LANCZOS)
        shape = mask.resize(size, Image.Resampling.BILINEAR)
    tint = Image.new("RGB", shown.size, _TINT)
    tinted = Image.composite(
        tint, shown, shape.point([round(value * _TINT_SHARE) for value in range(256)])
    )
    hard = shape.point([0] * 128 + [255] * 128)
    # White inside and black outside: seen on every ground.
    width = max(1, max(shown.size) // 400)
    tinted.paste("white", mask=ImageChops.subtract(hard, grow(hard, -width)))
    tinted.paste("black", mask=ImageChops.subtract(grow(hard, width), hard))
    return tinted


def _settled(value: int) -> int:
    if value < _NOISE:
        return 0
    return 255 if value > 255 - _NOISE else value


def _is_coloured(picture: Image.Image) -> bool:
    red, green, blue, alpha = picture.split()
    apart = ImageChops.lighter(
        ImageChops.difference(red, green), ImageChops.difference(green, blue)
    )
    visible = ImageChops.multiply(apart, alpha)
    num_coloured = sum(visible.histogram()[48:])
    return num_coloured > 0.01 * picture.width * picture.height
