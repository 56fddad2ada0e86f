"""Hands tickets to workers: the next one to the emptiest that has its model and room for it.

Who is next is admission's, what is suspect quarantine's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .messages import Inspect, Paint
from .updates import Broke, Cause

if TYPE_CHECKING:
    from .book import Book
    from .flights import Flight
    from .supervisor import Supervisor
    from .tickets import Ticket

_BROKEN = "Painting is out of order: its worker cannot start. The owner's log says why."
_CLOSED = (
    "Nothing is painted, because the safety checker can't be loaded. The owner's log says why."
)


class Dispatch:
    """Between the book and the workers in it."""

    def __init__(self, book: Book, models: frozenset[str], *, has_checker: bool) -> None:
        self.is_paused = False
        self._book = book
        self._models = models
        self._has_checker = has_checker

    @property
    def out_of_order(self) -> str | None:
        """One sentence why nobody can paint, now and for some time."""
        if not self._book.is_broken:
            return None
        return _CLOSED if any(worker.is_closed for worker in self._book.workers) else _BROKEN

    def hand_out(self) -> None:
        """Fills every worker that has room; ends what no worker will ever paint."""
        book = self._book
        if (sentence := self.out_of_order) is not None:
            # Who waits is told so, and does not wait for ever.
            for flight in list(book.flights.values()):
                book.end(flight, Broke(flight.key, sentence, Cause.WORKER))
        elif not self.is_paused:
            if (pair := book.quarantine.next(book.workers)) is not None:
                self._begin(*pair)
            while (pair := self._next()) is not None:
                self._begin(*pair)
            self._end_unpaintable()

    def _next(self) -> tuple[Flight, Supervisor] | None:
        book = self._book
        usable = [
            w
            for w in book.workers
            if w.is_usable
            and w.num_rows < w.max_rows
            and not book.quarantine.is_closed_to_others(w)
        ]
        if not usable:
            return None
        usable.sort(key=lambda w: w.num_rows / w.max_rows)

        def host(ticket: Ticket) -> Supervisor | None:
            model = book.flights[ticket.key].model
            return next((w for w in usable if model in w.models), None)

        ticket = book.admission.take(lambda t: host(t) is not None)
        if ticket is None:
            return None
        worker = host(ticket)
        assert worker is not None
        return book.flights[ticket.key], worker

    def _begin(self, flight: Flight, worker: Supervisor) -> None:
        self._book.quarantine.discard(flight.key)
        worker.flights[flight.key] = flight
        key, ticket = flight.key, flight.ticket
        if ticket.ground is not None and self._has_checker:
            worker.send(Inspect(key, len(flight.unpainted), ticket.ground))
        for index in flight.unpainted:
            request = replace(ticket.requests[index], tenant=ticket.tenant)
            worker.send(Paint(key, index, request, flight.is_watched, ticket.shows_unsafe))

    def _end_unpaintable(self) -> None:
        """Tickets whose model no worker has, or will have, end with that model's sentence."""
        workers = self._book.workers
        if not workers or not all(w.is_usable or w.is_broken for w in workers):
            return
        loaded = frozenset[str]().union(*(w.models for w in workers))
        if loaded >= self._models:
            return
        for flight in list(self._book.flights.values()):
            if flight.model in loaded or flight.is_cancelled:
                continue
            if self._book.worker_of(flight.key) is not None:
                continue
            sentence = next(
                (s for w in workers if (s := w.broken_models.get(flight.model))),
                f"The model {flight.model} is not loaded.",
            )
            self._book.end(flight, Broke(flight.key, sentence, Cause.MODEL))
