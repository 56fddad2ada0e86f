"""When each waiting ticket will begin, by playing the queue forward at the measured pace.

Who is next is admission's, who will come arrivals', what a tick does track's; this only plays.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .track import Course, Lane, Track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .tickets import Ticket

MOST_TICKS = 300
"""That are played one by one; after them tickets follow each other as fast as they did in these."""
_MOST_NEWCOMERS = 1000
"""Beyond these, newcomers take the share of the work that they had till then."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """A ticket that waits, or is expected to come."""

    claim: float
    """The least one is next."""
    course: Course
    in_s: float | None = None
    """When it will come; None: it is here."""


class Forecast:
    """One play. The newcomers are endless or not, by the time of their coming."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        waiting: Iterable[Claimant],
        newcomers: Iterator[Claimant],
        has_room: Callable[[Ticket, list[Ticket]], bool] | None = None,
    ) -> None:
        self._tracks = [Track(lane) for lane in lanes]
        self._models = frozenset[str]().union(*(lane.models for lane in lanes))
        self._has_room = has_room
        self._line: list[tuple[float, int, Claimant]] = []
        """A heap: the least claim first, and of equal ones who came first."""
        self._entered = 0
        self._num_waiting = 0
        for claimant in waiting:
            self._enter(claimant)
        self._newcomers = newcomers
        self._next = next(newcomers, None)
        self._num_newcomers = 0
        self._changes = 0
        self._last_s = self._last_work = 0.0
        """When somebody last began, and the work of all who did then."""
        self.begins_s: dict[str, float] = {}
        """Key -> seconds until it begins; tickets that no lane can take are missing."""

    def play(self, until: str | None = None) -> dict[str, float]:
        """Until that ticket has begun, or everybody has."""
        heap = [(track.now_s, i) for i, track in enumerate(self._tracks)]
        heapq.heapify(heap)
        # Between two leaves a lane that found nobody need not look again.
        looked = [-1] * len(self._tracks)
        ticks = MOST_TICKS
        while self._num_waiting and heap and until not in self.begins_s:
            now_s, i = heapq.heappop(heap)
            track = self._tracks[i]
            self._let_in(now_s)
            while track.rows < track.lane.max_rows and looked[i] != self._changes:
                claimant = self._take(track)
                if claimant is None:
                    looked[i] = self._changes
                else:
                    self._begin(claimant, now_s)
                    track.join(claimant.course)
            if track.live:
                if not ticks:
                    self._flow(until, now_s)
                    break
                ticks -= 1
                self._changes += track.tick()
            elif (later_s := self._later_s(now_s)) is not None:
                track.now_s = later_s
            else:
                continue
            heapq.heappush(heap, (track.now_s, i))
        return self.begins_s

    def _later_s(self, now_s: float) -> float | None:
        """When there may be something for an idle lane, if ever."""
        times = [track.now_s for track in self._tracks if track.live]
        if self._is_expecting and self._next is not None:
            times.append(self._next.in_s or 0.0)
        return max(now_s + 1e-9, min(times)) if times else None

    def _enter(self, claimant: Claimant) -> None:
        if claimant.course.model not in self._models:
            return
        self._num_waiting += claimant.in_s is None
        self._entered += 1
        heapq.heappush(self._line, (claimant.claim, self._entered, claimant))

    @property
    def _is_expecting(self) -> bool:
        return self._num_newcomers < _MOST_NEWCOMERS

    def _let_in(self, now_s: float) -> None:
        while (
            self._is_expecting and (came := self._next) is not None and (came.in_s or 0.0) <= now_s
        ):
            self._enter(came)
            self._num_newcomers += 1
            self._changes += 1
            self._next = next(self._newcomers, None)

    def _take(self, track: Track) -> Claimant | None:
        """The first in line that the track can take."""
        passed: list[tuple[float, int, Claimant]] = []
        found: Claimant | None = None
        running: list[Ticket] | None = None
        while self._line and found is None:
            place = heapq.heappop(self._line)
            course = place[2].course
            is_fit = course.model in track.lane.models
            if is_fit and self._has_room is not None:
                if running is None:
                    running = [t for other in self._tracks for t in other.tickets]
                is_fit = self._has_room(course.ticket, running)
            if is_fit:
                found = place[2]
            else:
                passed.append(place)
        for place in passed:
            heapq.heappush(self._line, place)
        return found

    def _begin(self, claimant: Claimant, at_s: float) -> None:
        if at_s > self._last_s:
            self._last_s, self._last_work = at_s, 0.0
        self._last_work += claimant.course.work
        if claimant.in_s is None:
            self._num_waiting -= 1
            self.begins_s[claimant.course.ticket.key] = at_s

    def _flow(self, until: str | None, now_s: float) -> None:
        """The rest of the line, one after another: as much work a second as until now."""
        speed = max(1e-9, sum(track.work for track in self._tracks) / max(1e-9, now_s))
        now_s = max(now_s, self._last_s + self._last_work / speed)
        work = of_waiting = 0.0
        while self._line and self._num_waiting and until not in self.begins_s:
            self._let_in(now_s)
            claimant = heapq.heappop(self._line)[2]
            self._begin(claimant, now_s)
            if self._is_expecting:
                work += claimant.course.work
                of_waiting += claimant.course.work if claimant.in_s is None else 0.0
                now_s += claimant.course.work / speed
            elif claimant.in_s is None:
                share = max(0.02, of_waiting / work) if work else 1.0
                now_s += claimant.course.work / (speed * share)
