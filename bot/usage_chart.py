"""Draws who used how much as a small PNG: few bars, large text, the same in light and dark themes.

Which figures they are is the caller's; people and roles are numbered, for a font knows few of the
letters that names are written in, and the table beside the picture names them as mentions.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from .pricing import CREDIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.ImageFont import FreeTypeFont

WIDTH_PX = 1080
"""Three times a phone's 360: a pixel of text here is a third of one there."""
MAX_BARS = 10
_OVERSAMPLED = 2
"""Drawn larger and shrunk, for Pillow's shapes have no soft edges."""

_GROUND = "#1d1e2c"
_TRACK = "#2b2d40"
_INK = "#f4f4fa"
_PALE = "#a9abc4"
_BAR = ("#b9a7ff", "#7a5cf0")
"""From its far end to its foot."""
_REST = ("#7d8099", "#5b5e78")
_BADGE_INK = "#1d1e2c"

_MARGIN = 56
_RADIUS = 40
_TITLE, _TOTAL, _LABEL, _VALUE = 50, 96, 44, 52
_HEAD_HEIGHT = 212
_ROW_HEIGHT = 104
_BAR_THICKNESS = 56
_BADGE = 68
_VALUE_ROOM = 190
_PLOT_HEIGHT = 420
_BAR_WIDTH = 104
_GAP = 24
_CORNER = 22
_LEAST = 16


@dataclass(frozen=True, slots=True)
class Bar:
    """A value, and what stands beside or under it."""

    label: str
    amount: int
    """Milli-credits."""
    below: str = ""
    """A second line of the label, under an upright bar."""
    is_rest: bool = False
    """All the others together."""


def ranked(title: str, total: int, bars: Sequence[Bar]) -> bytes:
    """Lying bars, a number before each, as PNG."""
    canvas = _Canvas(_HEAD_HEIGHT + len(bars) * _ROW_HEIGHT + _MARGIN // 2)
    canvas.head(title, total)
    most = max([bar.amount for bar in bars] or [0])
    left = _MARGIN + _BADGE + 28
    right = WIDTH_PX - _MARGIN - _VALUE_ROOM
    for place, bar in enumerate(bars):
        middle = _HEAD_HEIGHT + place * _ROW_HEIGHT + _ROW_HEIGHT // 2
        colours = _REST if bar.is_rest else _BAR
        canvas.badge(_MARGIN + _BADGE // 2, middle, bar.label, colours[0])
        top, foot = middle - _BAR_THICKNESS // 2, middle + _BAR_THICKNESS // 2
        canvas.bar((left, top, right, foot), (_TRACK, _TRACK), is_upright=False)
        length = round((right - left) * bar.amount / most) if most else 0
        if bar.amount > 0:
            # A little is still to be seen.
            length = max(length, _LEAST)
            canvas.bar((left, top, left + length, foot), colours, is_upright=False)
        canvas.text((WIDTH_PX - _MARGIN, middle), brief(bar.amount), _VALUE, _INK, "rm")
    return canvas.png()


def upright(title: str, total: int, bars: Sequence[Bar]) -> bytes:
    """Standing bars in the order of time, as PNG."""
    foot = _HEAD_HEIGHT + _GAP + _VALUE + _PLOT_HEIGHT
    height = foot + 2 * _LABEL + _MARGIN + 28
    canvas = _Canvas(height)
    canvas.head(title, total)
    most = max([bar.amount for bar in bars] or [0])
    slot = (WIDTH_PX - 2 * _MARGIN) / max(1, len(bars))
    half = min(_BAR_WIDTH, slot * 0.68) / 2
    canvas.line(_MARGIN, foot + 1, WIDTH_PX - _MARGIN)
    for place, bar in enumerate(bars):
        middle = _MARGIN + slot * (place + 0.5)
        length = _PLOT_HEIGHT * bar.amount / most if most else 0
        if bar.amount > 0:
            length = max(length, _LEAST)
            canvas.bar((middle - half, foot - length, middle + half, foot), _BAR)
            canvas.text((middle, foot - length - 12), brief(bar.amount), _fitting(slot), _INK, "mb")
        canvas.text((middle, foot + 18), bar.label, _LABEL, _INK, "mt")
        canvas.text((middle, foot + 22 + _LABEL), bar.below, _LABEL, _PALE, "mt")
    return canvas.png()


def brief(amount: int) -> str:
    """`0.25`, `12.5`, `340`, `12k`: credits in the room that a bar leaves."""
    whole = amount / CREDIT
    if whole >= 999_500:
        return f"{whole / 1_000_000:.1f}".removesuffix(".0") + "M"
    if whole >= 9999.5:
        return f"{whole / 1000:.0f}k"
    if whole >= 99.95:
        return f"{whole:.0f}"
    text = f"{whole:.1f}" if whole >= 9.995 else f"{whole:.2f}"
    return text.rstrip("0").rstrip(".") or "0"


def _fitting(slot: float) -> int:
    """Four figures fit over a bar, however many there are."""
    return min(_VALUE, int(slot / 2.6))


class _Canvas:
    """A rounded card to draw on; everything is measured in the finished picture's pixels."""

    def __init__(self, height: int) -> None:
        self._height = height
        size = (WIDTH_PX * _OVERSAMPLED, height * _OVERSAMPLED)
        self._image = Image.new("RGBA", size, (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._image)
        self._draw.rounded_rectangle(
            (0, 0, size[0] - 1, size[1] - 1), _RADIUS * _OVERSAMPLED, _GROUND
        )

    def head(self, title: str, total: int) -> None:
        self.text((_MARGIN, _MARGIN - 8), title, _TITLE, _PALE, "lt")
        number = brief(total)
        self.text((_MARGIN, _HEAD_HEIGHT - 28), number, _TOTAL, _INK, "ls")
        width = self._font(_TOTAL).getlength(number) / _OVERSAMPLED
        said = "credit" if number == "1" else "credits"
        self.text((_MARGIN + width + 20, _HEAD_HEIGHT - 28), said, _TITLE, _PALE, "ls")

    def text(self, at: tuple[float, float], said: str, size: int, colour: str, anchor: str) -> None:
        place = (at[0] * _OVERSAMPLED, at[1] * _OVERSAMPLED)
        self._draw.text(place, said, colour, self._font(size), anchor=anchor)

    def badge(self, x: int, y: int, said: str, colour: str) -> None:
        half = _BADGE / 2
        box = (x - half, y - half, x + half, y + half)
        self._draw.ellipse(_scaled(box), colour)
        self.text((x, y), said, _LABEL, _BADGE_INK, "mm")

    def line(self, left: int, y: int, right: int) -> None:
        self._draw.rectangle(_scaled((left, y, right, y + 3)), _TRACK)

    def bar(
        self,
        box: tuple[float, float, float, float],
        colours: tuple[str, str],
        *,
        is_upright: bool = True,
    ) -> None:
        """Rounded at the far end and square at the foot, or all around where it lies."""
        left, top, right, foot = (round(side) for side in _scaled(box))
        width, height = right - left, foot - top
        if width <= 0 or height <= 0:
            return
        shade = Image.linear_gradient("L")
        shade = shade if is_upright else shade.rotate(270)
        far, near = (Image.new("RGBA", (width, height), colour) for colour in colours)
        painted = Image.composite(near, far, shade.resize((width, height)))
        mask = Image.new("L", (width, height), 0)
        radius = min(width, height) // 2
        corners = None
        if is_upright:
            radius = min(radius, _CORNER * _OVERSAMPLED)
            corners = (True, True, False, False)
        ImageDraw.Draw(mask).rounded_rectangle(
            (0, 0, width - 1, height - 1), radius, 255, corners=corners
        )
        self._image.paste(painted, (left, top), mask)

    def png(self) -> bytes:
        out = io.BytesIO()
        small = self._image.resize((WIDTH_PX, self._height), Image.Resampling.LANCZOS)
        small.save(out, "PNG", optimize=True)
        return out.getvalue()

    def _font(self, size: int) -> FreeTypeFont:
        font = ImageFont.load_default(size * _OVERSAMPLED)
        assert isinstance(font, ImageFont.FreeTypeFont), "Pillow's wheels bring FreeType"
        return font


def _scaled(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, foot = (side * _OVERSAMPLED for side in box)
    return left, top, right, foot
