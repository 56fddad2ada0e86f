"""What one worker has done, counted over all its processes, and how fast it is lately."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .pace import Pace

if TYPE_CHECKING:
    from .messages import Ticked


@dataclass(slots=True)
class Tally:
    ticks: int = 0
    rows: int = 0
    ticks_s: float = 0.0
    restarts: int = 0
    memory_bytes: int = 0
    device_memory_bytes: int = 0
    paces: dict[str, Pace] = field(default_factory=dict[str, Pace])
    """By model."""
    _recent: deque[tuple[int, int, float]] = field(
        default_factory=lambda: deque[tuple[int, int, float]](maxlen=50)
    )
    """(ticks, rows, seconds) of the last reports."""

    def ticked(self, report: Ticked) -> None:
        self.memory_bytes = report.memory_bytes
        self.device_memory_bytes = report.device_memory_bytes
        for paced in report.paces:
            self.ticks += paced.ticks
            self.rows += paced.rows
            self.ticks_s += paced.seconds
            self._recent.append((paced.ticks, paced.rows, paced.seconds))
            pace = self.paces.setdefault(paced.model, Pace())
            pace.observe(paced.ticks, paced.weight, paced.live_weight, paced.seconds)

    def lost(self) -> None:
        """Its process is gone, and what it held."""
        self.restarts += 1
        self.memory_bytes = self.device_memory_bytes = 0

    def round_s(self, model: str, weight: float) -> float:
        """Until all rows of a model have advanced once; 0 before measurements."""
        pace = self.paces.get(model)
        return pace.round_s(weight) if pace else 0.0

    @property
    def tick_s(self) -> float | None:
        ticks = sum(t for t, _, _ in self._recent)
        return sum(s for _, _, s in self._recent) / ticks if ticks else None

    @property
    def rows_per_tick(self) -> float:
        ticks = sum(t for t, _, _ in self._recent)
        return sum(r for _, r, _ in self._recent) / ticks if ticks else 0.0
