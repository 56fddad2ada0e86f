"""When each waiting ticket will begin, by playing the queue forward at the measured pace.

Who is next is lobby's, who will come arrivals', what a tick does track's; this only plays.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from .lobby import Lobby
from .track import Lane, Track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .config import Limits
    from .lobby import Claimant

MOST_TICKS = 300
"""That are played one by one; after them tickets follow each other as fast as they did in these."""
_MOST_NEWCOMERS = 1000
"""Beyond these, newcomers take the share of the work that they had till then."""


class Forecast:
    """One play. The newcomers are endless or not, by the time of their coming."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        waiting: Iterable[Claimant],
        newcomers: Iterator[Claimant],
        limits: Limits,
    ) -> None:
        self._lobby = lobby = Lobby(limits)
        for lane in lanes:
            for course in lane.courses:
                lobby.run(course.ticket)
        self._tracks = [Track(lane, lobby.leave) for lane in lanes]
        self._models = frozenset[str]().union(*(lane.models for lane in lanes))
        self._num_waiting = 0
        for claimant in waiting:
            self._enter(claimant)
        self._newcomers = newcomers
        self._next = next(newcomers, None)
        self._num_newcomers = 0
        self._changes = 0
        self._last_s = self._last_work = 0.0
        """When somebody last began, and the work of all who did then."""
        self._work = self._work_of_waiting = 0.0
        """Of those who began while newcomers came."""
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
                claimant = self._lobby.take(track.lane.models)
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
        self._lobby.enter(claimant)

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

    def _begin(self, claimant: Claimant, at_s: float) -> float:
        """Its work."""
        work = claimant.course.work
        if at_s > self._last_s:
            self._last_s, self._last_work = at_s, 0.0
        self._last_work += work
        if self._is_expecting:
            self._work += work
            self._work_of_waiting += work if claimant.in_s is None else 0.0
        if claimant.in_s is None:
            self._num_waiting -= 1
            self.begins_s[claimant.course.ticket.key] = at_s
        return work

    def _flow(self, until: str | None, now_s: float) -> None:
        """The rest of the line, one after another: as much work a second as until now."""
        speed = max(1e-9, sum(track.work for track in self._tracks) / max(1e-9, now_s))
        now_s = max(now_s, self._last_s + self._last_work / speed)
        self._lobby.lift()
        while self._num_waiting and until not in self.begins_s:
            self._let_in(now_s)
            claimant = self._lobby.take(self._models)
            if claimant is None:
                break
            work = self._begin(claimant, now_s)
            if self._is_expecting:
                now_s += work / speed
            elif claimant.in_s is None:
                share = max(0.02, self._work_of_waiting / self._work) if self._work else 1.0
                now_s += work / (speed * share)
