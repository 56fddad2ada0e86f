"""What workers tell of tickets, passed on to whoever listens; and what becomes of a lost worker's.

Where tickets go next is dispatch's.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from .messages import (
    Cancel,
    GroundRefused,
    PictureBegan,
    PictureBlocked,
    PictureCancelled,
    PictureFailed,
    PicturePainted,
    PicturePreviewed,
    Ticked,
)
from .updates import (
    Began,
    Blocked,
    Broke,
    Cause,
    Done,
    Moved,
    Painted,
    Previewed,
    Waiting,
    Withdrawn,
)

if TYPE_CHECKING:
    from .book import Book
    from .flights import Flight
    from .outlook import Outlook
    from .supervisor import Supervisor

_log = logging.getLogger(__name__)

_TELL_S = 0.25
"""Between two `Moved` of one ticket."""
_MOST_CRASHES_ALONE = 2

_GROUND_UNSAFE = (
    "The safety checker finds the picture that this starts from unsafe: take another one."
)
_GROUND_UNJUDGED = "The safety checker failed over the picture that this starts from: try again."

PictureReport = (
    PictureBegan
    | PicturePreviewed
    | PicturePainted
    | PictureBlocked
    | PictureFailed
    | PictureCancelled
    | GroundRefused
)


class Reception:
    """Keeps the book's flights as they are in truth."""

    def __init__(self, book: Book, outlook: Outlook) -> None:
        self._book = book
        self._outlook = outlook

    def picture(self, worker: Supervisor, report: PictureReport) -> None:
        """Of one picture; nothing if its ticket has ended."""
        flight = worker.flights.get(report.key)
        if flight is None:
            return
        key, book = flight.key, self._book
        match report:
            case PictureBegan():
                if not flight.has_begun:
                    flight.has_begun = True
                    book.tell(Began(key, time.monotonic() - flight.since))
            case PicturePreviewed(index=index, image=image):
                if flight.is_watched and not flight.is_cancelled:
                    book.tell(Previewed(key, index, image))
            case PicturePainted():
                flight.finished(report.index)
                book.num_pictures += 1
                book.tell(
                    Painted(
                        key,
                        report.index,
                        report.png,
                        report.seed,
                        report.width,
                        report.height,
                        report.parameters_json,
                        report.timings,
                        report.verdict,
                    )
                )
                if not flight.unpainted:
                    book.end(flight, Done(key))
            case PictureBlocked():
                flight.finished(report.index)
                book.tell(Blocked(key, report.index, report.sha256, report.verdict))
                if not flight.unpainted:
                    book.end(flight, Done(key))
            case GroundRefused() if not flight.is_cancelled:
                sentence, cause = (
                    (_GROUND_UNJUDGED, Cause.CHECKER)
                    if report.verdict is None
                    else (_GROUND_UNSAFE, Cause.UNSAFE)
                )
                book.end(flight, Broke(key, sentence, cause, report.verdict))
            case GroundRefused():
                book.end(flight, Withdrawn(key))
            case PictureFailed() if flight.is_cancelled:
                book.end(flight, Withdrawn(key))
            case PictureFailed():
                worker.send(Cancel(key))
                book.end(flight, Broke(key, report.sentence, report.cause))
            case PictureCancelled():
                if flight.is_cancelled:
                    book.end(flight, Withdrawn(key))

    def ticked(self, worker: Supervisor, report: Ticked) -> None:
        now = time.monotonic()
        touched: dict[str, Flight] = {}
        for stepped in report.steps:
            flight = worker.flights.get(stepped.key)
            if flight is not None:
                flight.stepped(stepped.index, stepped.step, stepped.steps)
                touched[flight.key] = flight
        for flight in touched.values():
            if now - flight.told_moved_at >= _TELL_S and not flight.is_cancelled:
                flight.told_moved_at = now
                left_s = self._outlook.left_s(worker, flight)
                self._book.tell(Moved(flight.key, flight.step, flight.steps, left_s))

    def lost(self, worker: Supervisor, reason: str) -> None:
        """Its tickets go again, each alone; one that took it down alone, twice, ends."""
        flights = list(worker.flights.values())
        worker.flights.clear()
        book = self._book
        book.quarantine.forget(worker)
        was_alone = len(flights) == 1
        for flight in flights:
            flight.interrupted()
            if flight.is_cancelled:
                book.end(flight, Withdrawn(flight.key))
                continue
            if not flight.unpainted:
                book.end(flight, Done(flight.key))
                continue
            if was_alone:
                flight.crashes_alone += 1
            if flight.crashes_alone >= _MOST_CRASHES_ALONE:
                sentence = "Painting this made the worker fail twice: try other settings."
                _log.error("%s", reason, extra={"job": flight.key})
                book.end(flight, Broke(flight.key, sentence, Cause.WORKER))
                continue
            book.quarantine.add(flight)
            flight.told_place = (0, None)
            book.tell(Waiting(flight.key, 0, None))
