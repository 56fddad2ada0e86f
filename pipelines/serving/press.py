"""The worker's second thread: pictures are judged and become files while the engine goes on.

What a checker finds unsafe leaves this process only where it may be shown; a preview never does.
Nothing leaves unjudged: what cannot be judged is as good as unsafe.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..finish.parameters import parameters_of
from ..finish.png import encode, encode_preview
from .messages import PictureBlocked, PictureFailed, PicturePainted, PicturePreviewed
from .updates import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL.Image import Image

    from ..events import Result
    from ..safety.checker import Checker, Verdict
    from .channel import Sender
    from .messages import Report

_log = logging.getLogger(__name__)

_MOST_WAITING = 64
"""Finished pictures; past this the engine waits, which bounds the memory they take."""
_MOST_PREVIEWS = 8
"""Past this a preview is skipped: the next one is better anyway."""
_MOST_AT_ONCE = 8
"""Judged in one pass; what waits meanwhile is judged in the next."""
_GLIMPSE_EVERY_S = 1.5
"""Between two previews of one ticket, where each has to be judged: a card is edited more rarely."""
_MOST_GLIMPSED = 256

_UNJUDGED = "The safety checker failed over this picture, so it is not shown; try again."


@dataclass(frozen=True, slots=True)
class _Picture:
    key: str
    index: int
    result: Result
    model: str
    fingerprint: str
    shows_unsafe: bool
    ground: Verdict | None

    @property
    def image(self) -> Image:
        return self.result.image


@dataclass(frozen=True, slots=True)
class _Glimpse:
    key: str
    index: int
    image: Image


@dataclass(frozen=True, slots=True)
class _Ground:
    key: str
    image: Image
    answer: Callable[[Verdict | None], None]


_Work = _Picture | _Glimpse | _Ground


class Press:
    """Judges, encodes and sends; `close` waits for what was given."""

    def __init__(self, sender: Sender, version: str, checker: Checker | None) -> None:
        self._sender = sender
        self._version = version
        self._checker = checker
        self._glimpsed: OrderedDict[str, float] = OrderedDict()
        """When the last preview of a ticket was taken; the oldest are forgotten."""
        self._work: queue.Queue[_Work | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="limner-press", daemon=True)
        self._thread.start()

    @property
    def has_checker(self) -> bool:
        return self._checker is not None

    def print(
        self,
        key: str,
        index: int,
        result: Result,
        model: str,
        fingerprint: str,
        *,
        shows_unsafe: bool,
        ground: Verdict | None = None,
    ) -> None:
        """Waits while too many pictures wait. An unsafe ground makes the picture unsafe."""
        self._work.put(_Picture(key, index, result, model, fingerprint, shows_unsafe, ground))

    def show(self, key: str, index: int, image: Image) -> None:
        """Drops the preview when the press is busy, or showed one of this ticket just now."""
        if self._work.qsize() < _MOST_PREVIEWS and self._is_due(key):
            self._work.put(_Glimpse(key, index, image))

    def judge(self, key: str, image: Image, answer: Callable[[Verdict | None], None]) -> None:
        """Tells the verdict on a picture from outside, on the press's thread; None: it failed."""
        self._work.put(_Ground(key, image, answer))

    def close(self) -> None:
        self._work.put(None)
        self._thread.join()

    def _is_due(self, key: str) -> bool:
        if self._checker is None:
            return True
        now = time.monotonic()
        if now - self._glimpsed.get(key, -_GLIMPSE_EVERY_S) < _GLIMPSE_EVERY_S:
            return False
        self._glimpsed[key] = now
        self._glimpsed.move_to_end(key)
        if len(self._glimpsed) > _MOST_GLIMPSED:
            self._glimpsed.popitem(last=False)
        return True

    def _run(self) -> None:
        is_open = True
        while is_open:
            works, is_open = self._take()
            for work, verdict in zip(works, self._judged(works), strict=True):
                if not self._tell(work, verdict):
                    return

    def _tell(self, work: _Work, verdict: Verdict | Exception | None) -> bool:
        """False once the pipe is closed: nobody wants anything any more."""
        try:
            report = self._report(work, verdict)
        except Exception:  # an encoder raises OSError too
            report = _unsaved(work)
        try:
            if report is not None:
                self._sender.send(report)
        except OSError:
            return False
        except Exception:  # no memory for a copy on its way into the pipe
            if (failed := _unsaved(work)) is not None:
                self._sender.send(failed)
        return True

    def _take(self) -> tuple[list[_Work], bool]:
        """What waits, as far as it is judged in one pass, and whether more may come."""
        works: list[_Work] = []
        work = self._work.get()
        while work is not None:
            works.append(work)
            if len(works) == _MOST_AT_ONCE or self._work.empty():
                return works, True
            work = self._work.get()
        return works, False

    def _judged(self, works: Sequence[_Work]) -> list[Verdict | Exception | None]:
        """A verdict each; None: nobody judges here."""
        if self._checker is None:
            return [None] * len(works)
        if not works:
            return []
        try:
            return [*self._checker.check([work.image for work in works])]
        except Exception as error:
            if len(works) == 1:
                _log.exception("a picture could not be judged", extra={"job": works[0].key})
                return [error]
        # One that can't be judged takes no other with it.
        return [verdict for work in works for verdict in self._judged([work])]

    def _report(self, work: _Work, verdict: Verdict | Exception | None) -> Report | None:
        match work:
            case _Picture():
                return self._file(work, verdict)
            case _Glimpse():
                if isinstance(verdict, Exception) or (verdict is not None and verdict.is_unsafe):
                    return None
                return PicturePreviewed(work.key, work.index, encode_preview(work.image))
            case _Ground():
                work.answer(None if isinstance(verdict, Exception) else verdict)
                return None

    def _file(
        self, work: _Picture, verdict: Verdict | Exception | None
    ) -> PicturePainted | PictureBlocked | PictureFailed:
        if isinstance(verdict, Exception):
            return PictureFailed(work.key, work.index, _UNJUDGED, Cause.CHECKER)
        if work.ground is not None and work.ground.is_unsafe:
            # Around what was painted there may be all of it.
            verdict = work.ground
        result = work.result
        parameters = parameters_of(result.request, result.seed, work.model, work.fingerprint)
        png = encode(result.image, parameters, version=self._version)
        if verdict is not None and verdict.is_unsafe and not work.shows_unsafe:
            return PictureBlocked(work.key, work.index, hashlib.sha256(png).hexdigest(), verdict)
        width, height = result.image.size
        return PicturePainted(
            work.key,
            work.index,
            png,
            result.seed,
            width,
            height,
            parameters.to_json(),
            result.timings,
            verdict,
        )


def _unsaved(work: _Work) -> PictureFailed | None:
    _log.exception("a picture could not be encoded", extra={"job": work.key})
    if not isinstance(work, _Picture):
        return None
    sentence = "The picture was painted but could not be saved as a file."
    return PictureFailed(work.key, work.index, sentence, Cause.PAINTING)
