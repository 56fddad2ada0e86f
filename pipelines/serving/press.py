"""The worker's second thread: pictures become files while the engine is in its next tick."""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..finish.parameters import parameters_of
from ..finish.png import encode, encode_preview
from .messages import PictureFailed, PicturePainted, PicturePreviewed
from .updates import Cause

if TYPE_CHECKING:
    from PIL.Image import Image

    from ..events import Result
    from .channel import Sender

_log = logging.getLogger(__name__)

_MOST_WAITING = 64
"""Finished pictures; past this the engine waits, which bounds the memory they take."""
_MOST_PREVIEWS = 8
"""Past this a preview is skipped: the next one is better anyway."""


@dataclass(frozen=True, slots=True)
class _Picture:
    key: str
    index: int
    result: Result
    model: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Glimpse:
    key: str
    index: int
    image: Image


class Press:
    """Encodes and sends; `close` waits for what was given."""

    def __init__(self, sender: Sender, version: str) -> None:
        self._sender = sender
        self._version = version
        self._work: queue.Queue[_Picture | _Glimpse | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="limner-press", daemon=True)
        self._thread.start()

    def print(self, key: str, index: int, result: Result, model: str, fingerprint: str) -> None:
        """Waits while too many pictures wait."""
        self._work.put(_Picture(key, index, result, model, fingerprint))

    def show(self, key: str, index: int, image: Image) -> None:
        """Drops the preview when the press is busy."""
        if self._work.qsize() < _MOST_PREVIEWS:
            self._work.put(_Glimpse(key, index, image))

    def close(self) -> None:
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                self._sender.send(self._file(work))
            except OSError:
                return  # the pipe is closed: nobody wants it any more
            except Exception:
                _log.exception("a picture could not be encoded", extra={"job": work.key})
                if isinstance(work, _Picture):
                    sentence = "The picture was painted but could not be saved as a file."
                    self._sender.send(PictureFailed(work.key, work.index, sentence, Cause.PAINTING))

    def _file(self, work: _Picture | _Glimpse) -> PicturePainted | PicturePreviewed:
        if isinstance(work, _Glimpse):
            return PicturePreviewed(work.key, work.index, encode_preview(work.image))
        result = work.result
        parameters = parameters_of(result.request, result.seed, work.model, work.fingerprint)
        width, height = result.image.size
        return PicturePainted(
            work.key,
            work.index,
            encode(result.image, parameters, version=self._version),
            result.seed,
            width,
            height,
            parameters.to_json(),
            result.timings,
        )
