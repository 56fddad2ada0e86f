"""A ticket on its way through the pool: what is painted, what is left, what it survived."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .track import Course
from .workload import Load

if TYPE_CHECKING:
    from .tickets import Ticket


@dataclass(slots=True, eq=False)
class Flight:
    """Owned by the pool; outlives the worker that it is in."""

    ticket: Ticket
    model: str
    loads: tuple[Load, ...]
    is_watched: bool
    since: float
    """When it was submitted, by the monotonic clock."""
    painted: set[int] = field(default_factory=set[int])
    steps_done: dict[int, int] = field(default_factory=dict[int, int])
    """Picture index -> steps, of those being painted now."""
    steps_of: dict[int, int] = field(default_factory=dict[int, int])
    """Picture index -> its steps as the engine says; as many as its ticks before."""
    has_begun: bool = False
    is_cancelled: bool = False
    is_suspect: bool = False
    """It was in a worker that was lost, and paints alone until it ends."""
    crashes_alone: int = 0
    told_moved_at: float = 0.0
    told_place: tuple[int, float | None] = (0, None)
    _course: Course | None = None

    @property
    def key(self) -> str:
        return self.ticket.key

    @property
    def unpainted(self) -> list[int]:
        return [i for i in range(len(self.ticket.requests)) if i not in self.painted]

    @property
    def rows_left(self) -> int:
        """Rows that still take part in ticks."""
        return sum(load.rows for load in self.course.loads)

    @property
    def course(self) -> Course:
        """What is left of it, for forecasts."""
        if self._course is None:
            rest = ((self.loads[i], self._left(i)) for i in self.unpainted)
            loads = tuple(Load(load.rows, load.weight, left) for load, left in rest if left > 0)
            self._course = Course(self.ticket, self.model, loads)
        return self._course

    @property
    def step(self) -> int:
        return sum(
            self._steps(i) if i in self.painted else min(self._steps(i), self.steps_done.get(i, 0))
            for i in range(len(self.loads))
        )

    @property
    def steps(self) -> int:
        return sum(self._steps(i) for i in range(len(self.loads)))

    @property
    def used_share(self) -> float:
        return self.step / max(1, self.steps)

    def stepped(self, index: int, step: int, steps: int) -> None:
        self.steps_done[index] = step
        self.steps_of[index] = steps
        self._course = None

    def finished(self, index: int) -> None:
        self.painted.add(index)
        self._course = None

    def interrupted(self) -> None:
        """Its worker is gone: what is not painted begins again."""
        self.steps_done.clear()
        self._course = None

    def _steps(self, index: int) -> int:
        return self.steps_of.get(index, self.loads[index].ticks)

    def _left(self, index: int) -> int:
        """Ticks, of which a step may take two."""
        steps = self._steps(index)
        return self.loads[index].ticks * (steps - self.steps_done.get(index, 0)) // max(1, steps)
