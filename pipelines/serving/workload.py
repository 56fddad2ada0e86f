"""How much work a request is, before any engine has seen it: rows, ticks and pixels. No prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..limits import fill, rows_of, ticks_of

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
    ticks: int
    """At least the user's steps: some samplers take two calls a step."""


def measure(request: Request, checkpoint: Checkpoint) -> Load:
    """The load of one request, the model's defaults filled in."""
    filled = fill(request, checkpoint)
    rows = rows_of(filled, checkpoint)
    assert filled.width is not None
    assert filled.height is not None
    area = filled.width * filled.height / checkpoint.size_px**2
    return Load(rows, rows * area, ticks_of(filled))
