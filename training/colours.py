"""Colour words: what colour a picture's subject has, and the same picture in another colour."""

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (height, width, 4) straight alpha


@dataclass(frozen=True, slots=True)
class Paint:
    """A colour word's typical hue (degrees), saturation and value."""

    hue: float
    saturation: float
    value: float


PAINTS = {
    "red": Paint(2, 0.82, 0.92),
    "orange": Paint(28, 0.88, 0.98),
    "yellow": Paint(50, 0.80, 1.00),
    "green": Paint(130, 0.65, 0.70),
    "teal": Paint(177, 0.70, 0.75),
    "blue": Paint(215, 0.78, 0.92),
    "purple": Paint(275, 0.60, 0.80),
    "pink": Paint(332, 0.48, 1.00),
}
EXTRA_PAINTS = {
    "brown": Paint(22, 0.62, 0.50),
    "black": Paint(0, 0.0, 0.20),
    "grey": Paint(0, 0.0, 0.60),
}
ALL_PAINTS = PAINTS | EXTRA_PAINTS
COLOUR_WORDS = (*ALL_PAINTS, "white")


@dataclass(frozen=True, slots=True)
class Subject:
    """The dominant hue of a picture and how much of the picture has it."""

    hue: float
    saturation: float
    value: float
    share: float  # of the subject's area
    purity: float  # of the coloured area


def hue_distance(a: NDArray[np.float64] | float, b: float) -> NDArray[np.float64]:
    """Degrees between hues, around the circle."""
    return np.abs((np.asarray(a) - b + 180.0) % 360.0 - 180.0)


def measure(picture: Picture) -> Subject:
    """Find the dominant hue of what is opaque."""
    hsv = rgb_to_hsv(picture[..., :3] / 255.0)
    alpha = picture[..., 3] / 255.0
    hue = hsv[..., 0] * 360.0
    coloured = alpha * (hsv[..., 1] > 0.25) * (hsv[..., 2] > 0.2)
    weight = coloured * hsv[..., 1]
    histogram = np.bincount((hue.ravel() // 5).astype(int) % 72, weight.ravel(), minlength=72)
    smooth = sum(np.roll(histogram, shift) for shift in range(-4, 5))
    centre = int(np.argmax(smooth)) * 5 + 2.5
    near = coloured * (hue_distance(hue, centre) < 40)
    total = near.sum()
    if total < 16:
        return Subject(0, 0, 0, 0, 0)
    offset = (hue - centre + 180.0) % 360.0 - 180.0
    mean_hue = (centre + (offset * near).sum() / total) % 360.0
    return Subject(
        hue=float(mean_hue),
        saturation=float((hsv[..., 1] * near).sum() / total),
        value=float((hsv[..., 2] * near).sum() / total),
        share=float(total / max(alpha.sum(), 1.0)),
        purity=float(total / max(coloured.sum(), 1.0)),
    )


def name(subject: Subject) -> str:
    """The colour word of a dominant hue."""
    if subject.value < 0.62 and hue_distance(subject.hue, 22) < 22:
        return "brown"
    return min(PAINTS, key=lambda word: float(hue_distance(subject.hue, PAINTS[word].hue)))


def can_recolour(subject: Subject, *, least_share: float, least_purity: float) -> bool:
    """Whether one hue makes the thing, so that turning it recolours the thing."""
    return subject.share > least_share and subject.purity > least_purity


def recolour(picture: Picture, subject: Subject, paint: Paint) -> Picture:
    """The picture with its dominant hue turned to a paint; other hues and greys stay."""
    hsv = rgb_to_hsv(picture[..., :3] / 255.0)
    hue = hsv[..., 0] * 360.0
    offset = (hue - subject.hue + 180.0) % 360.0 - 180.0
    taper = np.clip((58 - np.abs(offset)) / 15, 0, 1) * np.clip(hsv[..., 1] / 0.15, 0, 1)
    turned = np.empty_like(hsv)
    turned[..., 0] = ((paint.hue + 0.4 * offset) % 360.0) / 360.0
    turned[..., 1] = np.clip(hsv[..., 1] * paint.saturation / max(subject.saturation, 0.2), 0, 1)
    gain = min(paint.value / max(subject.value, 0.2), 1.6)
    turned[..., 2] = np.clip(hsv[..., 2] * gain, 0, 1)
    rgb = hsv_to_rgb(hsv) * (1 - taper[..., None]) + hsv_to_rgb(turned) * taper[..., None]
    result = picture.copy()
    result[..., :3] = np.round(rgb * 255).astype(np.uint8)
    return result
