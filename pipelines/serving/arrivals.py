"""Who will come: those who came lately, as often as lately; for forecasts.

In a fair queue those who come later and have used less pass those who have used more. A forecast
that knows only who is here tells half of the real waits.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from dataclasses import dataclass
from statistics import variance
from typing import TYPE_CHECKING

from .lobby import Claimant
from .tickets import Ticket
from .track import Course

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .admission import Line

_MOST = 200
"""Arrivals that are remembered."""
_LEAST = 20
_MEMORY_S = 60.0
"""Older ones are forgotten, but not the last few."""
_RUSH = 5
"""Fewer in that time are no sign that a pause is over."""
_LEAST_S = 10.0
"""Who came in the first moments of counting says little of how often somebody comes."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    at: float
    course: Course


class Arrivals:
    """The last ones, and when their counting began."""

    def __init__(self) -> None:
        self._came: deque[_Arrival] = deque()
        self._since: float | None = None

    def start(self, now: float) -> None:
        """Counts from here on, if it does not yet: what had piled up before says nothing of how
        often somebody comes."""
        if self._since is None:
            self._since = now

    def note(self, course: Course, now: float) -> None:
        if self._since is not None:
            self._came.append(_Arrival(now, course))
            self._forget(now)

    def expected(self, now: float, line: Line) -> Iterator[Claimant]:
        """Endless, by the time of their coming; evenly spaced, each tenant's turns too."""
        self._forget(now)
        if self._since is None or not self._came or now <= self._since:
            return
        every_s = self._every_s(now, now - self._since)
        counts = Counter(arrival.course.ticket.tenant for arrival in self._came)
        gaps = {tenant: 1.0 / rate for tenant, rate in _rates(counts).items()}
        turns = [(0.5 * gap, tenant) for tenant, gap in gaps.items()]
        heapq.heapify(turns)
        claims: dict[str, float] = {}
        in_s = 0.0
        while True:
            for arrival in tuple(self._came):
                in_s += every_s
                turn, tenant = turns[0]
                heapq.heapreplace(turns, (turn + gaps[tenant], tenant))
                course, like = arrival.course, arrival.course.ticket
                claim = claims.get(tenant)
                if claim is None:
                    claim = line.claim(tenant)
                claims[tenant] = claim + like.cost
                ticket = Ticket("", (), tenant, like.group, like.cost)
                yield Claimant(
                    claim + in_s * line.per_second,
                    Course(ticket, course.model, course.loads),
                    in_s,
                )

    def _every_s(self, now: float, counted_s: float) -> float:
        every_s = max(counted_s, _LEAST_S) / len(self._came)
        lately = sum(arrival.at > now - _MEMORY_S for arrival in self._came)
        if lately >= _RUSH and counted_s > _MEMORY_S:
            # Those who come after a pause are not spread over all of it.
            every_s = min(every_s, _MEMORY_S / lately)
        return every_s

    def _forget(self, now: float) -> None:
        came = self._came
        while len(came) > _MOST or (len(came) > _LEAST and came[0].at < now - _MEMORY_S):
            self._since = came.popleft().at


def _rates(counts: Mapping[str, int]) -> dict[str, float]:
    """Who came more often than others does so less clearly from now on, as far as it was chance.

    Chance alone makes counts vary by their mean; what they vary beyond it is the tenants' own.
    Source: empirical Bayes for Poisson counts (Robbins; Efron and Morris), by moments.
    """
    mean = sum(counts.values()) / len(counts)
    spread = variance(counts.values()) if len(counts) > 1 else 0.0
    own = 1.0 - mean / spread if spread > mean else 0.0
    return {tenant: mean + own * (count - mean) for tenant, count in counts.items()}
