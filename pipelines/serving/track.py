"""One worker in the forecast: its pictures advance tick by tick, as the engine's planner has them.

Rows of the tenant who has used least go first, as many as a tick takes; which tickets join is the
forecast's.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .tickets import Ticket
    from .workload import Load


@dataclass(frozen=True, slots=True)
class Course:
    """A ticket, and what is left of each of its pictures."""

    ticket: Ticket
    model: str
    loads: tuple[Load, ...]
    """Of the pictures that are not denoised yet; their ticks are those left."""

    @property
    def weight(self) -> float:
        return sum(load.weight for load in self.loads)

    @property
    def left(self) -> int:
        """Ticks until its last picture is denoised."""
        return max((load.ticks for load in self.loads), default=0)

    @property
    def work(self) -> float:
        return sum(load.weight * load.ticks for load in self.loads)


@dataclass(frozen=True, slots=True)
class Lane:
    """A worker as the forecast sees it."""

    courses: tuple[Course, ...]
    """Running, those that joined first in front."""
    max_rows: int
    models: frozenset[str]
    paces: Mapping[str, Pace]
    """By model."""


@dataclass(slots=True, eq=False)
class _Picture:
    ticket: Ticket
    model: str
    rows: int
    weight: float
    left: int


class Track:
    """One lane, played forward."""

    def __init__(self, lane: Lane, leave: Callable[[Ticket], None]) -> None:
        self.lane = lane
        self._leave = leave
        """Called with each ticket whose last picture is through."""
        self.now_s = 0.0
        self.work = 0.0
        """Done so far: weight times ticks."""
        self.rows = 0
        self.live: list[_Picture] = []
        self._used: dict[str, float] = {}
        self._queues: dict[str, dict[str, list[_Picture]]] | None = None
        """Model -> tenant -> pictures; None: to be sorted again."""
        for course in lane.courses:
            self.join(course)

    def join(self, course: Course) -> None:
        for load in course.loads:
            picture = _Picture(course.ticket, course.model, load.rows, load.weight, load.ticks)
            self.live.append(picture)
            self.rows += load.rows
        if not course.loads:
            self._leave(course.ticket)
        self._queues = None

    def tick(self) -> bool:
        """The planner's next one; whether a picture is through with it."""
        queues = self._sorted()
        used = self._used
        model = min(
            ((used[tenant], model) for model, mine in queues.items() for tenant in mine),
        )[1]
        alive = sum(p.weight for mine in queues[model].values() for p in mine)
        pace = self._pace(model)
        room = taking = pace.tick_weight(alive)
        heap = [(used[tenant], i, tenant) for i, tenant in enumerate(queues[model])]
        heapq.heapify(heap)
        rest = {tenant: iter(mine) for tenant, mine in queues[model].items()}
        is_through = False
        while heap and room > 1e-9:
            _, i, tenant = heap[0]
            picture = next(rest[tenant], None)
            if picture is None:
                heapq.heappop(heap)
            elif picture.weight <= room or room == taking:
                room -= picture.weight
                picture.left -= 1
                is_through |= picture.left <= 0
                used[tenant] += picture.weight
                heapq.heapreplace(heap, (used[tenant], i, tenant))
        weight = taking - room
        self.work += weight
        self.now_s += pace.round_s(alive) * weight / alive
        if is_through:
            self._let_go()
        return is_through

    def _let_go(self) -> None:
        # By identity: those who are expected have no key.
        through = {id(p.ticket): p.ticket for p in self.live if p.left <= 0}
        self.live = [picture for picture in self.live if picture.left > 0]
        self.rows = sum(picture.rows for picture in self.live)
        self._queues = None
        staying = {id(picture.ticket) for picture in self.live}
        for number, ticket in through.items():
            if number not in staying:
                self._leave(ticket)

    def _pace(self, model: str) -> Pace:
        """Where a model was not measured yet, another's: better than none."""
        paces = self.lane.paces
        return paces.get(model) or next(iter(paces.values()), Pace())

    def _sorted(self) -> dict[str, dict[str, list[_Picture]]]:
        if self._queues is None:
            queues: dict[str, dict[str, list[_Picture]]] = {}
            for picture in self.live:
                mine = queues.setdefault(picture.model, {})
                mine.setdefault(picture.ticket.tenant, []).append(picture)
            tenants = {picture.ticket.tenant for picture in self.live}
            # As the planner's: who comes new starts level with who has used least.
            level = min((used for t, used in self._used.items() if t in tenants), default=0.0)
            self._used = {tenant: self._used.get(tenant, level) for tenant in tenants}
            self._queues = queues
        return self._queues
