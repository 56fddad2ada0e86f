"""What the engine has to tell, in order, until it is fetched: events, foreign errors translated."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from ..errors import PipelineError, RequestFailedError
from ..events import Cancelled, Failed, Finished, Preview, Progress, Result, Started, Timings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL.Image import Image

    from ..events import Event
    from .live import Live

log = logging.getLogger(__name__)


class Outbox:
    """Says nothing about who is still here: that is the engine's."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def __len__(self) -> int:
        return len(self._events)

    def fetch(self) -> list[Event]:
        """Everything since the last time."""
        events, self._events = self._events, []
        return events

    def start(self, lives: Iterable[Live]) -> None:
        self._events.extend(Started(live.id) for live in lives)

    def progress(self, live: Live) -> None:
        assert live.table is not None
        self._events.append(Progress(live.id, live.step, live.table.steps))

    def preview(self, live: Live, picture: Image) -> None:
        self._events.append(Preview(live.id, picture))

    def finish(self, live: Live, picture: Image) -> None:
        assert live.request.seed is not None
        result = Result(picture, live.request.seed, live.request, _timings(live))
        self._events.append(Finished(live.id, result))

    def cancel(self, live: Live) -> None:
        self._events.append(Cancelled(live.id))

    def fail(self, live: Live, error: Exception) -> None:
        """What nobody foresaw becomes a sentence; the log has the trace."""
        if not isinstance(error, PipelineError):
            log.error("request %d failed", live.id, exc_info=error)
            translated = RequestFailedError("Painting this failed; the log says why.")
            translated.__cause__ = error
            error = translated
        self._events.append(Failed(live.id, error))


def _timings(live: Live) -> Timings:
    now = time.perf_counter()
    return Timings(
        waited_s=live.joined_at - live.encoded_s - live.added_at,
        encoded_s=live.encoded_s,
        denoised_s=live.denoised_at - live.joined_at,
        decoded_s=now - live.denoised_at,
    )
