"""Aspect ratios as pixels: sizes that a checkpoint paints well.

Which sizes are allowed is `studio`'s.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from ..pipelines.limits import MIN_SIDE_LATENTS

if TYPE_CHECKING:
    from ..pipelines.checkpoint import Checkpoint

USUAL = ((1, 1), (3, 2), (2, 3), (4, 3), (3, 4), (16, 9), (9, 16))
"""What is offered; every other shape can be typed."""

_GOOD_MULTIPLE_PX = 64


def size_of(aspect: tuple[int, int], checkpoint: Checkpoint) -> tuple[int, int]:
    """Width and height nearest to the aspect, of about the area that the model was trained on.

    Never a larger area than that: a shape costs no more than the square.
    """
    area = checkpoint.size_px**2
    ratio = aspect[0] / aspect[1]
    multiple = _multiple(checkpoint)
    best = (checkpoint.size_px, checkpoint.size_px)
    best_error = _error(best, ratio, area)
    # A side more than four times the other is no picture any more; `studio` says so.
    least = MIN_SIDE_LATENTS * checkpoint.size_multiple_px
    for width in range(multiple, 4 * checkpoint.size_px + 1, multiple):
        height = int(min(width / ratio, area / width) / multiple + 0.5) * multiple
        for candidate in ((width, height), (width, height - multiple)):
            if min(candidate) < least or candidate[0] * candidate[1] > area:
                continue
            error = _error(candidate, ratio, area)
            if error < best_error:
                best, best_error = candidate, error
    return best


def _multiple(checkpoint: Checkpoint) -> int:
    """64 px where the model is large enough for it to be fine-grained, as trainers bucket sizes."""
    if checkpoint.size_px >= 8 * _GOOD_MULTIPLE_PX:
        return max(_GOOD_MULTIPLE_PX, checkpoint.size_multiple_px)
    return checkpoint.size_multiple_px


def _error(size: tuple[int, int], ratio: float, area: int) -> float:
    """How far off: the shape counts most, then the area."""
    shape = (
        abs(size[0] / size[1] / ratio - 1)
        if size[0] / size[1] > ratio
        else abs(ratio / (size[0] / size[1]) - 1)
    )
    return shape + 0.5 * (1 - sqrt(size[0] * size[1] / area))
