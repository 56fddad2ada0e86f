"""How long everybody has yet to wait, and to be painted, told from the pool's own measurements.

The sums are forecast's; this knows whom to ask, and whom to tell when it has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .forecast import Course, begins_s
from .tickets import Ticket
from .updates import Waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..checkpoint import Checkpoint
    from .admission import Admission
    from .flights import Flight
    from .supervisor import Supervisor


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

    def waiting(self, key: str) -> Waiting:
        """Place and wait of one waiting ticket, now."""
        order = [ticket.key for ticket in self._admission.order()]
        wait_s: float | None = None
        if self._is_measured():
            ahead = [self._flights[k].course for k in order]
            wait_s = self._begins_s(ahead, until=key).get(key)
        flight = self._flights[key]
        flight.told_place = (order.index(key) + 1, wait_s)
        return Waiting(key, *flight.told_place)

    def changed(self) -> list[Waiting]:
        """Those whose place or wait has changed noticeably since they were told."""
        flights = [self._flights[ticket.key] for ticket in self._admission.order()]
        waits = self._begins_s(f.course for f in flights) if self._is_measured() else {}
        changed: list[Waiting] = []
        for place, flight in enumerate(flights, 1):
            now = (place, waits.get(flight.key))
            if _differs(flight.told_place, now):
                flight.told_place = now
                changed.append(Waiting(flight.key, *now))
        return changed

    def estimate_s(self, cost: float, tenant: str) -> float | None:
        """Until a new ticket of the default model would begin; None before measurements."""
        if not self._is_measured():
            return None
        ticket = Ticket("", (), tenant, "", cost)
        asked = Course(ticket, self._default.name, 2, 2.0, self._default.steps)
        order = self._admission.order_with(ticket)
        courses = [asked if t is ticket else self._flights[t.key].course for t in order]
        return self._begins_s(courses, until="").get("")

    def again_s(self) -> float | None:
        """Until the next waiting ticket begins, which makes room for another."""
        if not self._is_measured():
            return None
        waiting = [self._flights[ticket.key].course for ticket in self._admission.order()]
        return min(self._begins_s(waiting).values(), default=None)

    def left_s(self, worker: Supervisor, flight: Flight) -> float | None:
        """Until a ticket is denoised, if its company stays as it is."""
        weights: dict[str, float] = {}
        for other in worker.flights.values():
            weights[other.model] = weights.get(other.model, 0.0) + other.course.weight
        round_s = sum(worker.round_s(model, weight) for model, weight in weights.items())
        return round_s * flight.course.left if round_s else None

    def _is_measured(self) -> bool:
        return any(pace.is_measured for w in self._workers for pace in w.paces.values())

    def _begins_s(self, waiting: Iterable[Course], until: str | None = None) -> dict[str, float]:
        lanes = [w.lane() for w in self._workers if not w.is_broken]
        return begins_s(lanes, waiting, self._admission.room(), until)


def _differs(told: tuple[int, float | None], now: tuple[int, float | None]) -> bool:
    if told[0] != now[0] or (told[1] is None) != (now[1] is None):
        return True
    return told[1] is not None and now[1] is not None and abs(told[1] - now[1]) > 0.1 * told[1] + 1
