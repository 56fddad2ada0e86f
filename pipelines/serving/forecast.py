"""When each waiting ticket will begin, by playing the queue forward at the measured pace.

Who is next is admission's, how fast a tick is pace's; this only does the sums.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .tickets import Ticket
    from .workload import Load


@dataclass(slots=True, eq=False)
class Course:
    """A ticket being painted, in the real world or in the forecast's."""

    ticket: Ticket
    model: str
    rows: int
    weight: float
    left: int
    """Ticks until its last picture is denoised."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A worker as the forecast sees it."""

    courses: tuple[Course, ...]
    max_rows: int
    models: frozenset[str]
    round_s: Callable[[str, float], float]
    """(model, row weight) -> seconds until all of the model's rows have advanced once."""
    ready_in_s: float = 0.0


def course(ticket: Ticket, model: str, loads: Iterable[Load]) -> Course:
    """A ticket's pictures taken together: all their rows, until the longest is through."""
    loads = tuple(loads)
    return Course(
        ticket,
        model,
        sum(load.rows for load in loads),
        sum(load.weight for load in loads),
        max((load.ticks for load in loads), default=0),
    )


class _Track:
    """One lane, played forward."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.now_s = lane.ready_in_s
        self.live = [
            Course(c.ticket, c.model, c.rows, c.weight, max(1, c.left)) for c in lane.courses
        ]
        self.rows = sum(c.rows for c in self.live)

    def join(self, entering: Course) -> None:
        self.live.append(
            Course(entering.ticket, entering.model, entering.rows, entering.weight, entering.left)
        )
        self.rows += entering.rows

    def round_s(self) -> float:
        """Every model's rows advance once."""
        weights: dict[str, float] = {}
        for one in self.live:
            weights[one.model] = weights.get(one.model, 0.0) + one.weight
        return sum(self.lane.round_s(model, weight) for model, weight in weights.items())

    def finish_next(self) -> None:
        """Plays until the next ticket leaves."""
        ticks = min(c.left for c in self.live)
        self.now_s += ticks * self.round_s()
        for one in self.live:
            one.left -= ticks
        self.live = [c for c in self.live if c.left > 0]
        self.rows = sum(c.rows for c in self.live)


def begins_s(
    lanes: Sequence[Lane],
    waiting: Iterable[Course],
    has_room: Callable[[Ticket, list[Ticket]], bool],
) -> dict[str, float]:
    """Key -> seconds until it begins; tickets that no lane can take are missing."""
    begins: dict[str, float] = {}
    tracks = [_Track(lane) for lane in lanes]
    queue = list(waiting)
    heap = [(track.now_s, len(track.live), i) for i, track in enumerate(tracks)]
    heapq.heapify(heap)
    while queue and heap:
        _, _, i = heapq.heappop(heap)
        track = tracks[i]
        if track.rows < track.lane.max_rows:
            running = [c.ticket for t in tracks for c in t.live]
            entering = next(
                (c for c in queue if c.model in track.lane.models and has_room(c.ticket, running)),
                None,
            )
            if entering is not None:
                queue.remove(entering)
                track.join(entering)
                begins[entering.ticket.key] = track.now_s
                heapq.heappush(heap, (track.now_s, len(track.live), i))
                continue
        if track.live:
            track.finish_next()
            heapq.heappush(heap, (track.now_s, len(track.live), i))
        elif heap:
            # Idle by a limit on running: look again when another lane has moved on.
            track.now_s = heap[0][0] + 1e-9
            if any(tracks[j].live for _, _, j in heap):
                heapq.heappush(heap, (track.now_s, 0, i))
    return begins
