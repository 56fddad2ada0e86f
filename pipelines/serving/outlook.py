"""How long everybody has yet to wait, and to be painted, told from the pool's own measurements.

The sums are forecast's; this knows whom to ask, and whom to tell when it has changed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .forecast import Course, begins_s
from .overtaking import Overtaking
from .tickets import Ticket
from .updates import Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..checkpoint import Checkpoint
    from .admission import Admission
    from .flights import Flight
    from .supervisor import Supervisor

_MOST_PLAYED = 300
"""Waiting tickets that are played forward; who is further back waits in proportion."""
_MOST_TOLD = 200
"""At a time; the others are told at the next look."""


class Outlook:
    """Reads the pool's queue, flights and workers; changes only what each flight was told."""

    def __init__(
        self,
        admission: Admission,
        flights: Mapping[str, Flight],
        workers: Sequence[Supervisor],
        default: Checkpoint,
    ) -> None:
        self._admission = admission
        self._flights = flights
        self._workers = workers
        self._default = default
        self._overtaking = Overtaking()

    def waiting(self, key: str) -> Waiting:
        """Place and wait of one waiting ticket, now."""
        flights = self._queue()
        place = next(i for i, flight in enumerate(flights, 1) if flight.key == key)
        waits = self._waits_s([flight.course for flight in flights])
        flight = self._flights[key]
        flight.told_place = (place, waits.get(key))
        return Waiting(key, *flight.told_place)

    def changed(self) -> list[Waiting]:
        """Those whose place or wait has changed noticeably since they were told, front first."""
        flights = self._queue()
        courses = [flight.course for flight in flights]
        forecast = self._forecast(courses)
        self._overtaking.observe(forecast, time.monotonic())
        waits = self._stretched(forecast)
        changed: list[Waiting] = []
        for place, flight in enumerate(flights, 1):
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
        asked = Course(ticket, self._default.name, 2, 2.0, self._default.steps)
        order = self._admission.order_with(ticket)
        courses = [asked if t is ticket else self._flights[t.key].course for t in order]
        return self._waits_s(courses).get("")

    def again_s(self) -> float | None:
        """Until the next waiting ticket begins, which makes room for another."""
        waits = self._waits_s([flight.course for flight in self._queue()])
        return min(waits.values(), default=None)

    def left_s(self, worker: Supervisor, flight: Flight) -> float | None:
        """Until a ticket is denoised, if its company stays as it is."""
        weights: dict[str, float] = {}
        for other in worker.flights.values():
            weights[other.model] = weights.get(other.model, 0.0) + other.course.weight
        round_s = sum(worker.round_s(model, weight) for model, weight in weights.items())
        return round_s * flight.course.left if round_s else None

    def _queue(self) -> list[Flight]:
        return [self._flights[ticket.key] for ticket in self._admission.order()]

    def _waits_s(self, courses: Sequence[Course]) -> dict[str, float]:
        """Nothing before anything was measured."""
        return self._stretched(self._forecast(courses))

    def _forecast(self, courses: Sequence[Course]) -> list[tuple[str, float]]:
        if not any(worker.is_measured for worker in self._workers):
            return []
        lanes = [w.lane() for w in self._workers if not w.is_broken]
        played = courses[:_MOST_PLAYED]
        begins = begins_s(lanes, played, self._admission.room())
        keys = [course.ticket.key for course in played]
        forecast = [(key, begins[key]) for key in keys if key in begins]
        return forecast + _further(forecast, played, courses[_MOST_PLAYED:])

    def _stretched(self, forecast: Sequence[tuple[str, float]]) -> dict[str, float]:
        waits = self._overtaking.stretch([wait_s for _, wait_s in forecast])
        return {key: wait_s for (key, _), wait_s in zip(forecast, waits, strict=True)}


def _further(
    forecast: Sequence[tuple[str, float]], played: Sequence[Course], rest: Sequence[Course]
) -> list[tuple[str, float]]:
    """The rest of the queue: as much work a second as those before them."""
    if not forecast:
        return []
    wait_s = max(wait_s for _, wait_s in forecast)
    slowness = wait_s / max(1e-9, sum(course.weight * course.left for course in played))
    further: list[tuple[str, float]] = []
    for course in rest:
        wait_s += slowness * course.weight * course.left
        further.append((course.ticket.key, wait_s))
    return further


def _differs(told: tuple[int, float | None], now: tuple[int, float | None]) -> bool:
    if abs(told[0] - now[0]) > now[0] // 20 or (told[1] is None) != (now[1] is None):
        return True
    return told[1] is not None and now[1] is not None and abs(told[1] - now[1]) > 0.1 * told[1] + 1
