"""Tickets that were in a worker when it was lost: each is painted alone until it ends.

Any of them may be what took the worker down; alone, only the guilty one can do it again. Who is
next otherwise is admission's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .flights import Flight
    from .supervisor import Supervisor


class Quarantine:
    """Those who wait to be painted alone, oldest first, and the worker kept free for them."""

    def __init__(self) -> None:
        self._suspects: dict[str, Flight] = {}
        self._prover: Supervisor | None = None
        """Paints suspects, and nothing else meanwhile; all other workers go on."""

    def add(self, flight: Flight) -> None:
        flight.is_suspect = True
        self._suspects[flight.key] = flight

    def discard(self, key: str) -> None:
        self._suspects.pop(key, None)

    def forget(self, worker: Supervisor) -> None:
        """The worker is lost."""
        if self._prover is worker:
            self._prover = None

    def is_closed_to_others(self, worker: Supervisor) -> bool:
        """Whether the worker may take nothing that is not suspect."""
        return worker is self._prover or any(f.is_suspect for f in worker.flights.values())

    def next(self, workers: Sequence[Supervisor]) -> tuple[Flight, Supervisor] | None:
        """The suspect to begin now, and where; None while the worker for it is not empty yet."""
        if not self._suspects:
            self._prover = None
        for flight in self._suspects.values():
            able = [w for w in workers if w.is_usable and flight.model in w.models]
            if self._prover in able:
                able = [w for w in able if w is self._prover]
            if not able:
                continue
            # Nothing else enters the prover, so it empties, and is then the suspect's alone.
            self._prover = min(able, key=lambda w: len(w.flights))
            return None if self._prover.flights else (flight, self._prover)
        return None
