"""All tickets that have not ended, and the one place where they end.

Who is next is admission's, where it is painted dispatch's.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from .flights import Flight
from .quarantine import Quarantine
from .updates import Broke, Cause, End
from .workload import measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..checkpoint import Checkpoint
    from .admission import Admission
    from .supervisor import Supervisor
    from .tickets import Ticket
    from .updates import Update


class Book:
    """The pool's state; its other parts read it, and change it by these methods."""

    def __init__(
        self,
        admission: Admission,
        tell: Callable[[Update], None],
        after_end: Callable[[], None],
    ) -> None:
        self.admission = admission
        self.tell = tell
        self.flights: dict[str, Flight] = {}
        """Waiting ones too."""
        self.quarantine = Quarantine()
        self.workers: list[Supervisor] = []
        self.num_pictures = 0
        self.failures: Counter[Cause] = Counter()
        self._after_end = after_end

    @property
    def is_broken(self) -> bool:
        """Whether no worker can start."""
        return bool(self.workers) and all(w.is_broken for w in self.workers)

    def enter(self, ticket: Ticket, checkpoint: Checkpoint) -> None:
        """Queues a ticket."""
        loads = tuple(measure(request, checkpoint) for request in ticket.requests)
        flight = Flight(
            ticket,
            checkpoint.name,
            loads,
            ticket.wants_previews,
            time.monotonic(),
        )
        # Last: a ticket in the queue without a flight would stop everything behind it.
        self.admission.add(ticket)
        self.flights[ticket.key] = flight

    def worker_of(self, key: str) -> Supervisor | None:
        return next((w for w in self.workers if key in w.flights), None)

    def end(self, flight: Flight, end: End) -> None:
        """Forgets a ticket and tells its end; nothing if it has ended already."""
        key = flight.key
        if self.flights.get(key) is not flight:
            return
        del self.flights[key]
        self.quarantine.discard(key)
        for worker in self.workers:
            worker.flights.pop(key, None)
        if not self.admission.withdraw(key):
            self.admission.finish(key, used_share=flight.used_share)
        if isinstance(end, Broke):
            self.failures[end.cause] += 1
        self.tell(end)
        self._after_end()
