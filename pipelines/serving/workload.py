"""How much work a request is, before any engine has seen it: rows, steps and pixels. No prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from ..request import Request


@dataclass(frozen=True, slots=True)
class Load:
    """One picture's share of a tick, and how many ticks it takes."""

    rows: int
    """Lines of the forward pass: two with guidance, one without."""
    weight: float
    """Rows by area: a row at the model's own size weighs 1."""
    steps: int


def measure(request: Request, checkpoint: Checkpoint) -> Load:
    """The load of one request, the model's defaults filled in."""
    guidance = (
        checkpoint.guidance_scale if request.guidance_scale is None else request.guidance_scale
    )
    rows = 2 if guidance > 1 else 1
    side = checkpoint.size_px
    width, height = request.width or side, request.height or side
    if request.init_image is not None and request.width is None and request.height is None:
        width, height = request.init_image.size
    steps = checkpoint.steps if request.steps is None else request.steps
    if request.init_image is not None:
        strength = checkpoint.strength if request.strength is None else request.strength
        steps = round(steps * strength)
    return Load(rows, rows * width * height / (side * side), max(1, steps))
