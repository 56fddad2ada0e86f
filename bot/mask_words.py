"""Areas of a picture in words: `left half`, `top right third`, `10%,20%,50%,60%`, `all but left`.

Text to boxes, nothing else; the masks themselves are `masks`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from PIL import Image, ImageChops

from .errors import RefusedError

_FRACTIONS = {
    "half": Fraction(1, 2),
    "third": Fraction(1, 3),
    "quarter": Fraction(1, 4),
    "fourth": Fraction(1, 4),
    "fifth": Fraction(1, 5),
    "sixth": Fraction(1, 6),
    "eighth": Fraction(1, 8),
    "tenth": Fraction(1, 10),
}
_NUMBERS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4}
_ACROSS = {"left": "left", "right": "right"}
_DOWN = {"top": "top", "upper": "top", "bottom": "bottom", "lower": "bottom"}
_MIDDLE = {"center", "centre", "middle", "central"}
_IGNORED = {"the", "of", "picture", "image", "part", "side", "area", "corner", "in", "hand", "edge"}
_BUT = re.compile(
    r"^(?:everything|all|anything|everywhere)?\s*\b(?:but|except|outside(?: of)?|without|not)\b"
)
_SEPARATOR = re.compile(r"\s*(?:\band\b|\bplus\b|\+|;|&)\s*")
_NUMBER = r"(\d+(?:\.\d+)?)\s*(%|px)?"
_BOX = re.compile(rf"^\(?{_NUMBER}[\s,]+{_NUMBER}[\s,]+{_NUMBER}[\s,]+{_NUMBER}\)?$")
_AMOUNT = re.compile(r"^(\d+(?:\.\d+)?)(%|px)?$")
_RATIO = re.compile(r"^(\d{1,2})/(\d{1,2})$")

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Amount:
    """How far an area reaches: a share of the side, or pixels."""

    share: Fraction | None = None
    pixels: int | None = None

    def of(self, side_px: int, default: Fraction) -> int:
        if self.pixels is not None:
            return self.pixels
        return round(side_px * (self.share if self.share is not None else default))


def from_words(text: str, size: tuple[int, int]) -> Image.Image:
    """The mask of an area in words, white where it is painted.

    Raises `RefusedError` with examples.
    """
    words = " ".join(text.lower().replace("-", " ").replace("per cent", "%").split())
    words = words.replace("percent", "%").replace(" %", "%").replace("pixels", "px")
    words = words.replace(" px", "px")
    is_inverted = False
    if match := _BUT.match(words):
        is_inverted, words = True, words[match.end() :].strip()
    mask = Image.new("L", size, 0)
    for part in _SEPARATOR.split(words):
        mask.paste(255, _box(part.strip(), size, text))
    return ImageChops.invert(mask) if is_inverted else mask


def _box(words: str, size: tuple[int, int], text: str) -> Box:
    if match := _BOX.match(words.replace("px", "px ").strip()):
        return _numbers(match, size, text)
    across = down = ""
    is_middle = False
    amount = _Amount()
    count = 1
    for word in words.replace(",", " ").split():
        if word in _ACROSS and not across:
            across = _ACROSS[word]
        elif word in _DOWN and not down:
            down = _DOWN[word]
        elif word in _MIDDLE:
            is_middle = True
        elif word in _NUMBERS:
            count = _NUMBERS[word]
        elif (name := word.removesuffix("s")) in _FRACTIONS or word in _FRACTIONS:
            share = _FRACTIONS.get(word) or _FRACTIONS[name]
            # A corner's quarter is a quarter of the picture, not of both sides.
            if across and down and share == Fraction(1, 4) and count == 1:
                share = Fraction(1, 2)
            amount = _Amount(share=min(Fraction(1), share * count))
        elif match := _RATIO.match(word):
            if int(match[2]) == 0 or int(match[1]) > int(match[2]):
                raise _unknown(text)
            amount = _Amount(share=Fraction(int(match[1]), int(match[2])))
        elif match := _AMOUNT.match(word):
            amount = _amount(match[1], match[2] or "%")
        elif word not in _IGNORED:
            raise _unknown(text)
    if not (across or down or is_middle):
        raise _unknown(text)
    return _placed(across, down, amount, size)


def _placed(across: str, down: str, amount: _Amount, size: tuple[int, int]) -> Box:
    half = Fraction(1, 2)
    width, height = size
    is_middle = not across and not down
    wide = amount.of(width, half) if across or is_middle else width
    high = amount.of(height, half) if down or is_middle else height
    wide, high = min(max(wide, 1), width), min(max(high, 1), height)
    left = {"left": 0, "right": width - wide}.get(across, (width - wide) // 2)
    top = {"top": 0, "bottom": height - high}.get(down, (height - high) // 2)
    return (left, top, left + wide, top + high)


def _numbers(match: re.Match[str], size: tuple[int, int], text: str) -> Box:
    """Left, top, right, bottom."""
    units = {match[2], match[4], match[6], match[8]} - {None}
    default = units.pop() if len(units) == 1 else "px"
    values: list[int] = []
    for place in range(4):
        side = size[place % 2]
        value = _amount(match[2 * place + 1], match[2 * place + 2] or default).of(side, Fraction(1))
        values.append(min(max(value, 0), side))
    left, top, right, bottom = values
    if left >= right or top >= bottom:
        raise RefusedError(
            f"The area `{text[:60]}` is empty: the four numbers are left, top, right and bottom,"
            f" in a picture of {size[0]}×{size[1]}."
        )
    return (left, top, right, bottom)


def _amount(number: str, unit: str) -> _Amount:
    if unit == "%":
        return _Amount(share=min(Fraction(number) / 100, Fraction(1)))
    return _Amount(pixels=min(int(float(number)), 1 << 20))


def _unknown(text: str) -> RefusedError:
    shown = text.replace("`", "'")[:60]
    return RefusedError(
        f"I don't know the area `{shown}`: say for example `left half`, `top right third`,"
        " `center`, or `10%,20%,50%,60%` for left, top, right and bottom."
    )
