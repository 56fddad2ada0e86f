"""Whether a picture shows a red heart, told from its pixels alone: colour, place and outline.

The outline is compared with a heart and with what a heart could be mistaken for, each stretched
over the same box; it must be the heart that fits best, with its notch above and its point below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

SIDE = 96
LEAST_OVERLAP = 0.75


def outlines() -> dict[str, Mask]:
    """Shapes that fill a box of `SIDE` pixels, True inside."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1) * 2 - 1  # -1 to 1, y downwards
    fine = np.linspace(-1, 1, 4 * SIDE)
    u, v = np.meshgrid(fine * 1.3, -fine * 1.3)
    curve = (u**2 + v**2 - 1) ** 3 - u**2 * v**3 <= 0
    return {
        "heart": stretched(curve),
        "upturned heart": stretched(curve)[::-1],
        "circle": x**2 + y**2 <= 1,
        "square": np.ones_like(x, dtype=bool),
        "diamond": np.abs(x) + np.abs(y) <= 1,
        "triangle": np.abs(x) <= (1 - y) / 2,
        "upright triangle": np.abs(x) <= (1 + y) / 2,
    }


def stretched(mask: Mask) -> Mask:
    """What is True, cut out and brought to `SIDE` by `SIDE`."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = Image.fromarray(cut.astype(np.uint8) * 255)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) > 127


def overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())


@dataclass(frozen=True)
class Sight:
    """What was seen; `complaints` is empty for a red heart on white."""

    complaints: tuple[str, ...]
    overlaps: dict[str, float]


def look(picture: Image.Image) -> Sight:
    pixels = np.asarray(picture.convert("RGB").resize((128, 128)), dtype=np.int16)
    red, others = pixels[..., 0], pixels[..., 1:].max(axis=-1)
    is_red = (red > 120) & (red - others > 60)
    is_white = pixels.min(axis=-1) > 190
    complaints: list[str] = []
    # A rounded corner of the page's is not the picture's, so a little inwards.
    corners = [is_white[y, x] for y in (8, 119) for x in (8, 119)]
    if not all(corners):
        complaints.append(f"{corners.count(np.False_)} corners are not white")
    share = float(is_red.mean())
    if not 0.05 < share < 0.75:
        complaints.append(f"{share:.0%} of it is red")
        return Sight(tuple(complaints), {})
    rows, columns = np.flatnonzero(is_red.any(1)), np.flatnonzero(is_red.any(0))
    middle = is_red[(rows[0] + rows[-1]) // 2 - 4 :, :][:8, columns[0] : columns[-1]]
    if middle[:, middle.shape[1] // 3 : -middle.shape[1] // 3].mean() < 0.9:
        complaints.append("its middle is not red")
    shape = stretched(is_red)
    overlaps = {name: round(overlap(shape, other), 3) for name, other in outlines().items()}
    best = max(overlaps, key=lambda name: overlaps[name])
    if best != "heart" or overlaps["heart"] < LEAST_OVERLAP:
        complaints.append(f"it looks like a {best} ({overlaps[best]}), heart {overlaps['heart']}")
    tops = np.where(shape.any(0), shape.argmax(0), SIDE)
    lobes = max(tops[SIDE // 8 : SIDE * 3 // 8].min(), tops[SIDE * 5 // 8 : SIDE * 7 // 8].min())
    if tops[SIDE * 7 // 16 : SIDE * 9 // 16].max() < lobes + SIDE * 0.04:
        complaints.append("it has no notch above")
    if shape[int(SIDE * 0.92)].mean() > 0.4:
        complaints.append("it has no point below")
    return Sight(tuple(complaints), overlaps)
