"""The worker's main thread: obeys orders between two steps of the engine, reports what it told.

Loading, warming up and stepping happen here; files are press's, what a tick took is stopwatch's.
"""

from __future__ import annotations

import logging
import queue
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch

from ..errors import (
    InvalidRequestError,
    ModelError,
    OutOfMemoryError,
    PipelineError,
    RequestFailedError,
    WorkerError,
)
from ..events import Cancelled, Failed, Finished, Preview, Progress, Started
from ..pictures import opened
from ..trial import trial
from .doorstep import Doorstep, Judged
from .messages import (
    Cancel,
    Entered,
    GroundRefused,
    Inspect,
    ModelBroke,
    ModelLoaded,
    Paint,
    Phase,
    PictureBegan,
    PictureCancelled,
    PictureFailed,
    Ready,
    Setup,
    Stepped,
    Watch,
)
from .stopwatch import Stopwatch
from .updates import Cause
from .workload import Load, measure

if TYPE_CHECKING:
    from ..checkpoint import Checkpoint
    from ..engine.engine import Engine
    from ..events import Event
    from ..safety.checker import Verdict
    from .channel import Sender
    from .messages import Order
    from .press import Press

_REST_S: Final = 30.0
"""With nothing to do, before memory is given back to the machine."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    """One picture in the engine."""

    key: str
    index: int
    checkpoint: Checkpoint
    load: Load
    shows_unsafe: bool
    ground: Verdict | None
    """On the picture that it starts from, where that was judged."""


class Painter:
    """Owns the engine; one thread."""

    def __init__(
        self,
        engine: Engine,
        models: tuple[Checkpoint, ...],
        sender: Sender,
        inbox: queue.SimpleQueue[Order | Judged],
        press: Press,
        device: str,
        max_rows: int,
    ) -> None:
        self._engine = engine
        self._models = {model.name: model for model in models}
        self._default = models[0]
        self._sender = sender
        self._inbox = inbox
        self._press = press
        self._doorstep = Doorstep()
        self._works: dict[int, _Work] = {}
        self._denoising: dict[int, _Work] = {}
        """Those whose rows take part in ticks."""
        self._ids: dict[str, set[int]] = {}
        self._device = device
        self._max_rows = max_rows
        self._held: list[tuple[_Work, Exception]] = []
        """Failures that may be the process's fault, until the probe says whose they are."""
        self._probe: int | None = None
        """The request that tells whether this process can still paint."""
        self._broken: set[str] = set()
        """Models that failed when they were tried."""
        self._stopwatch = Stopwatch(lambda: _device_memory(device))

    def try_models(self) -> None:
        """Loads each model and paints two steps with it: what fails is told, and the rest works."""
        for model in self._models.values():
            self._sender.send(Entered(Phase.LOADING, model.name))
            began_at = time.perf_counter()
            try:
                self._engine.load(model.name)
                # It is not loaded before it has painted.
                self._sender.send(Entered(Phase.LOADING, model.name))
                self._engine.run([trial(model)])
                if self._engine.compiles:
                    self._sender.send(Entered(Phase.COMPILING, model.name))
                    self._engine.compile(model.name)
            except PipelineError as error:
                self._broken.add(model.name)
                self._sender.send(ModelBroke(model.name, str(error)))
                _log.exception("the model %s cannot be used", model.name)
                continue
            self._sender.send(ModelLoaded(model.name, time.perf_counter() - began_at))
        self._sender.send(Ready(self._max_rows))

    def paint(self) -> None:
        """For ever."""
        inbox = self._inbox
        while True:
            if self._engine.is_idle:
                self._obey(self._wait())
                self._stopwatch.resume()
            while True:
                try:
                    order = inbox.get_nowait()
                except queue.Empty:
                    break
                self._obey(order)
            self._step()

    def _wait(self) -> Order | Judged:
        """The next order, whenever it comes."""
        try:
            return self._inbox.get(timeout=_REST_S)
        except queue.Empty:
            self._engine.rest()
        return self._inbox.get()

    def _obey(self, order: Order | Judged) -> None:
        match order:
            case Inspect():
                self._inspect(order)
            case Judged():
                self._doorstep.hear(order)
                self._admit(order.party.key)
            case Paint():
                if self._doorstep.holds(order):
                    self._admit(order.key)
                else:
                    self._add(order, None)
            case Cancel(key=key):
                for paint in self._doorstep.leave(key):
                    self._sender.send(PictureCancelled(key, paint.index))
                for request_id in self._ids.get(key, ()):
                    self._engine.cancel(request_id)
            case Watch(key=key, is_on=is_on):
                self._doorstep.watch(key, is_on)
                for request_id in self._ids.get(key, ()):
                    self._engine.watch(request_id, is_on)
            case Setup():
                _log.error("a worker is set up once")

    def _inspect(self, inspect: Inspect) -> None:
        if not self._press.has_checker:
            return
        party = self._doorstep.expect(inspect.key, inspect.num_pictures)

        def answer(verdict: Verdict | None) -> None:
            self._inbox.put(Judged(party, verdict))

        self._press.judge(inspect.key, opened(inspect.ground), answer)

    def _admit(self, key: str) -> None:
        """Those whose ground was judged, if it may be painted from where they were asked for."""
        admitted = self._doorstep.admit(key)
        if admitted is None:
            return
        paints, verdict = admitted
        is_shown = all(paint.shows_unsafe for paint in paints)
        if verdict is None or (verdict.is_unsafe and not is_shown):
            self._sender.send(GroundRefused(key, verdict))
            return
        for paint in paints:
            self._add(paint, verdict)

    def _add(self, paint: Paint, ground: Verdict | None) -> None:
        checkpoint = self._models.get(paint.request.model, self._default)
        request = replace(paint.request, model=checkpoint.name)
        try:
            request_id = self._engine.add(request)
        except Exception as error:
            self._fail(paint.key, paint.index, error)
            return
        self._works[request_id] = _Work(
            paint.key,
            paint.index,
            checkpoint,
            measure(request, checkpoint),
            paint.shows_unsafe,
            ground,
        )
        self._ids.setdefault(paint.key, set()).add(request_id)
        if paint.wants_previews:
            self._engine.watch(request_id, True)

    def _step(self) -> None:
        events = self._engine.step()
        steps: dict[str, list[tuple[_Work, Stepped]]] = {}
        for event in events:
            if isinstance(event, Progress) and (work := self._works.get(event.request_id)):
                stepped = Stepped(work.key, work.index, event.step, event.steps)
                steps.setdefault(work.checkpoint.name, []).append((work, stepped))
        for model, moved in steps.items():
            self._stopwatch.tick(
                model,
                sum(work.load.rows for work, _ in moved),
                sum(work.load.weight for work, _ in moved),
                sum(w.load.weight for w in self._denoising.values() if w.checkpoint.name == model),
                [stepped for _, stepped in moved],
            )
        for event in events:
            if isinstance(event, Progress) and event.step >= event.steps:
                self._denoising.pop(event.request_id, None)
        if (ticked := self._stopwatch.report(is_last=self._engine.is_idle)) is not None:
            self._sender.send(ticked)
        for event in events:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        if event.request_id == self._probe:
            self._judge(event)
            return
        work = self._works.get(event.request_id)
        if work is None:
            return
        match event:
            case Started():
                self._denoising[event.request_id] = work
                self._sender.send(PictureBegan(work.key, work.index))
            case Preview(image=image):
                self._press.show(work.key, work.index, image)
            case Finished(result=result):
                self._forget(event.request_id)
                self._press.print(
                    work.key,
                    work.index,
                    result,
                    work.checkpoint.name,
                    work.checkpoint.fingerprint,
                    shows_unsafe=work.shows_unsafe,
                    ground=work.ground,
                )
            case Failed(error=error):
                self._forget(event.request_id)
                if _is_unexpected(error):
                    self._suspect(work, error)
                else:
                    self._fail(work.key, work.index, error)
            case Cancelled():
                self._forget(event.request_id)
                self._sender.send(PictureCancelled(work.key, work.index))
            case Progress():
                pass

    def _suspect(self, work: _Work, error: Exception) -> None:
        """A poisoned CUDA context, or a library that ran out of memory, fails everybody from now
        on: the least of requests tells whether that is so."""
        self._held.append((work, error))
        if self._probe is None:
            self._probe = self._engine.add(trial(self._sound_model()))

    def _sound_model(self) -> Checkpoint:
        """A loaded one, if any is; in no case one that failed at the start."""
        loaded = self._engine.stats.models
        sound = [model for model in self._models.values() if model.name not in self._broken]
        return next((m for m in sound if m.name in loaded), sound[0] if sound else self._default)

    def _judge(self, event: Event) -> None:
        match event:
            case Finished() | Cancelled():
                self._probe = None
                for work, error in self._held:
                    self._fail(work.key, work.index, error)
                self._held.clear()
            case Failed(error=error):
                # Everything in flight goes again in a new process.
                raise WorkerError(f"The worker on {self._device} cannot paint any more.") from error
            case _:
                pass

    def _fail(self, key: str, index: int, error: Exception) -> None:
        sentence, cause = _explain(error)
        level = logging.INFO if cause is Cause.REQUEST else logging.ERROR
        trace = None if cause is Cause.REQUEST else error
        _log.log(
            level, "picture %d failed: %s", index, sentence, exc_info=trace, extra={"job": key}
        )
        self._sender.send(PictureFailed(key, index, sentence, cause))

    def _forget(self, request_id: int) -> None:
        work = self._works.pop(request_id)
        self._denoising.pop(request_id, None)
        ids = self._ids[work.key]
        ids.discard(request_id)
        if not ids:
            del self._ids[work.key]


def _is_unexpected(error: Exception) -> bool:
    """Whether nobody said what went wrong: the engine translates what it knows."""
    if not isinstance(error, PipelineError):
        return True
    cause = error.__cause__
    return isinstance(error, RequestFailedError) and isinstance(cause, Exception)


def _explain(error: Exception) -> tuple[str, Cause]:
    match error:
        case InvalidRequestError():
            return str(error), Cause.REQUEST
        case OutOfMemoryError():
            return str(error), Cause.MEMORY
        case ModelError():
            return str(error), Cause.MODEL
        case PipelineError():
            return str(error), Cause.PAINTING
        case _:
            return "Painting this failed: try it again, or other settings.", Cause.PAINTING


def _device_memory(device: str) -> int:
    return torch.cuda.memory_reserved(device) if device.startswith("cuda") else 0
