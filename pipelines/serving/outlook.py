"""How long everybody has yet to wait, and to be painted, told from the pool's own measurements.

The sums are forecast's; this knows whom to ask, and whom to tell when it has changed.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from .arrivals import Arrivals
from .forecast import Forecast
from .lobby import Claimant
from .tickets import Ticket
from .track import Course, Lane
from .updates import Waiting
from .workload import Load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..checkpoint import Checkpoint
    from .admission import Admission, Line
    from .flights import Flight
    from .supervisor import Supervisor

_MOST_TOLD = 200
"""At a time; the others are told at the next look."""
_SHARE = 0.05
"""Of the event loop's time that plays for those who come may take; who comes when it is used up
hears how long with the next look, as all do."""
_AHEAD_S = 0.5
"""That share is lent for so long: a few who come at once all hear it at once."""
_AGAIN_S = 1.0
"""So long everybody who is refused is told the same."""


class Outlook:
    """Reads the pool's queue, flights and workers; changes only what each flight was told."""

    def __init__(
        self,
        admission: Admission,
        flights: Mapping[str, Flight],
        workers: Sequence[Supervisor],
        default: Checkpoint,
        is_paused: Callable[[], bool],
    ) -> None:
        self._admission = admission
        self._flights = flights
        self._workers = workers
        self._default = default
        self._is_paused = is_paused
        self._arrivals = Arrivals()
        self._paid_until = 0.0
        """Up to this moment the share for those who come is used."""
        self._again: tuple[float, float | None] = (0.0, None)
        """Until when it holds, and what is told."""

    def arrived(self, key: str) -> Waiting:
        """Place and wait of a ticket that has just come; of many at once not everybody's wait."""
        line = self._admission.line()
        place = next(i for i, (_, ticket) in enumerate(line.places, 1) if ticket.key == key)
        now = time.monotonic()
        wait_s: float | None = None
        if self._paid_until < now + _AHEAD_S:
            began = time.thread_time()
            wait_s = self._waits_s(line, until=key).get(key)
            spent_s = time.thread_time() - began
            self._paid_until = max(now, self._paid_until) + spent_s / _SHARE
        told = (place, wait_s)
        # Only now: that one came this moment says nothing of how soon the next one will.
        self._arrivals.note(self._flights[key].course, now)
        self._flights[key].told_place = told
        return Waiting(key, *told)

    def changed(self) -> list[Waiting]:
        """Those whose place or wait has changed noticeably since they were told, front first."""
        line = self._admission.line()
        waits = self._waits_s(line)
        changed: list[Waiting] = []
        for place, (_, ticket) in enumerate(line.places, 1):
            flight = self._flights[ticket.key]
            now = (place, waits.get(flight.key))
            if _differs(flight.told_place, now):
                flight.told_place = now
                changed.append(Waiting(flight.key, *now))
                if len(changed) == _MOST_TOLD:
                    break
        return changed

    def estimate_s(self, cost: float, tenant: str) -> float | None:
        """Until a new ticket of the default model would begin; None before measurements."""
        ticket = Ticket("", (), tenant, "", cost)
        asked = Course(ticket, self._default.name, (Load(2, 2.0, self._default.steps),))
        return self._waits_s(self._admission.line(ticket), asked, until="").get("")

    def again_s(self) -> float | None:
        """Until the next waiting ticket begins, which makes room for another."""
        if self._is_paused():
            return None
        now = time.monotonic()
        if now >= self._again[0]:
            line = self._admission.line()
            first = line.places[0][1].key if line.places else None
            again_s = min(self._waits_s(line, until=first).values(), default=None)
            self._again = now + _AGAIN_S, again_s
        return self._again[1]

    def left_s(self, worker: Supervisor, flight: Flight) -> float | None:
        """Until a ticket is denoised, if its company stays as it is."""
        weights: dict[str, float] = {}
        for other in worker.flights.values():
            weights[other.model] = weights.get(other.model, 0.0) + other.course.weight
        round_s = sum(worker.round_s(model, weight) for model, weight in weights.items())
        return round_s * flight.course.left if round_s else None

    @property
    def _is_measured(self) -> bool:
        return any(worker.is_measured for worker in self._workers)

    def _waits_s(
        self, line: Line, asked: Course | None = None, *, until: str | None = None
    ) -> dict[str, float]:
        """Nothing while nobody begins, nor before anything was measured; only until one ticket has
        begun, if asked."""
        if self._is_paused() or not self._is_measured:
            return {}
        now = time.monotonic()
        self._arrivals.start(now)

        def course(ticket: Ticket) -> Course:
            if asked is not None and ticket is asked.ticket:
                return asked
            return self._flights[ticket.key].course

        waiting = [Claimant(claim, course(ticket)) for claim, ticket in line.places]
        newcomers = self._arrivals.expected(now, line)
        return Forecast(self._lanes(), waiting, newcomers, self._admission.limits).play(until)

    def _lanes(self) -> list[Lane]:
        """Of a worker that has not painted yet, at the pace of one that has."""
        lanes = [worker.lane() for worker in self._workers if not worker.is_broken]
        measured = next((lane.paces for lane in lanes if lane.paces), None)
        if measured is None:
            return lanes
        return [lane if lane.paces else replace(lane, paces=measured) for lane in lanes]


def _differs(told: tuple[int, float | None], now: tuple[int, float | None]) -> bool:
    if abs(told[0] - now[0]) > now[0] // 20 or (told[1] is None) != (now[1] is None):
        return True
    return told[1] is not None and now[1] is not None and abs(told[1] - now[1]) > 0.1 * told[1] + 1
