"""One worker's life: started before it is needed, believed while it ticks, started again when lost.

It runs on the event loop without a task of its own: timers and calls posted from threads. Which
tickets a worker gets, and what becomes of them when it is lost, is the pool's.
"""

from __future__ import annotations

import logging
import signal
import time
from typing import TYPE_CHECKING, Protocol

from .messages import (
    Dying,
    Entered,
    Hello,
    ModelBroke,
    ModelLoaded,
    Phase,
    PictureBlocked,
    PicturePainted,
    Ready,
    Setup,
    Ticked,
)
from .process import Exited, WorkerProcess
from .revival import Loss, Revival, is_from_outside
from .state import WorkerState, WorkerStatus
from .tally import Tally
from .track import Lane
from .watchdog import CHECK_S, Watchdog

if TYPE_CHECKING:
    import asyncio

    from .config import PoolConfig
    from .flights import Flight
    from .messages import Order, Report

_log = logging.getLogger(__name__)

_USABLE = (WorkerStatus.READY, WorkerStatus.BUSY)


class Keeper(Protocol):
    """What a supervisor tells, on the loop."""

    def worker_reported(self, worker: Supervisor, report: Report) -> None: ...

    def worker_changed(self, worker: Supervisor) -> None:
        """It became ready, or broken, or lost a model."""
        ...

    def worker_lost(self, worker: Supervisor, reason: str) -> None:
        """Its process is gone; its flights are still listed, and the pool takes them away."""
        ...


class Supervisor:
    """Owns the process of one device."""

    def __init__(
        self, device: str, config: PoolConfig, keeper: Keeper, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.device = device
        self.flights: dict[str, Flight] = {}
        """Tickets in this worker, by key; the pool fills and empties it."""
        self.models: frozenset[str] = frozenset()
        self.broken_models: dict[str, str] = {}
        self.max_rows = config.max_rows or 1
        self.num_devices = 1
        self._config = config
        self._keeper = keeper
        self._loop = loop
        self._status = WorkerStatus.STOPPED
        self._reason = ""
        self._process: WorkerProcess | None = None
        self._pid: int | None = None
        self._loading = ""
        """The model being loaded."""
        self._last_sentence = ""
        self._is_closed = False
        """Whether its last process said that it lacks a safety checker."""
        self._ready_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._tally = Tally()
        self._revival = Revival(config.patience)
        self._watchdog = Watchdog(config.patience)

    @property
    def is_usable(self) -> bool:
        return self._status in _USABLE

    @property
    def is_broken(self) -> bool:
        return self._status is WorkerStatus.BROKEN

    @property
    def is_closed(self) -> bool:
        """Broken for want of a safety checker."""
        return self.is_broken and self._is_closed

    @property
    def reason(self) -> str:
        return self._reason

    @property
    def num_rows(self) -> int:
        """Rows in flight that are not through yet."""
        return sum(flight.rows_left for flight in self.flights.values())

    @property
    def is_measured(self) -> bool:
        """Whether anything is known of its pace."""
        return any(pace.is_measured for pace in self._tally.paces.values())

    @property
    def state(self) -> WorkerState:
        status = self._status
        if status is WorkerStatus.READY and self.flights:
            status = WorkerStatus.BUSY
        tally = self._tally
        return WorkerState(
            device=self.device,
            pid=self._pid,
            status=status,
            reason=self._reason,
            models=tuple(m.name for m in self._config.models if m.name in self.models),
            broken_models=dict(self.broken_models),
            num_running=len(self.flights),
            num_rows=self.num_rows,
            max_rows=self.max_rows,
            memory_bytes=tally.memory_bytes,
            device_memory_bytes=tally.device_memory_bytes,
            ticks=tally.ticks,
            rows=tally.rows,
            ticks_s=tally.ticks_s,
            rows_per_tick=tally.rows_per_tick,
            tick_s=tally.tick_s,
            restarts=tally.restarts,
        )

    def lane(self) -> Lane:
        """This worker, for a forecast."""
        return Lane(
            courses=tuple(flight.course for flight in self.flights.values()),
            max_rows=self.max_rows,
            models=self.models or frozenset(m.name for m in self._config.models),
            paces=self._tally.paces,
        )

    def round_s(self, model: str, weight: float) -> float:
        """Until all rows of a model have advanced once, measured on this worker; 0 before."""
        return self._tally.round_s(model, weight)

    def start(self) -> None:
        """Starts the process; what follows is told to the keeper."""
        config = self._config
        setup = Setup(
            models=config.models,
            adapters=config.adapters,
            skipped_models=tuple(
                (name, self.broken_models[name]) for name in self._revival.left_out
            ),
            device=self.device,
            dtype=config.dtype,
            threads=config.threads,
            max_rows=config.max_rows,
            is_compiled=config.is_compiled,
            weights_bytes=config.weights_bytes,
            memory_limit_bytes=config.memory_limit_bytes,
            fixed_bucket=config.fixed_bucket,
            safety=config.safety,
        )
        process: WorkerProcess

        def hear(report: Report | Exited) -> None:
            try:
                self._loop.call_soon_threadsafe(self._heard, process, report)
            except RuntimeError:
                # The host closed its loop without closing the pool; nobody is left to tell.
                process.close()

        process = WorkerProcess(
            f"worker-{self.device}", setup, is_offline=not config.is_hub_allowed, hear=hear
        )
        self._process = process
        self._status = WorkerStatus.STARTING
        self._loading = ""
        self._last_sentence = ""
        self._is_closed = False
        self._watchdog = Watchdog(config.patience)
        process.start()
        self._schedule(CHECK_S, self._check)

    def send(self, order: Order) -> None:
        if self._process is not None:
            self._process.send(order)

    def close(self) -> WorkerProcess | None:
        """Closes its pipe, starts it no more; the process, to be joined off the loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._status = WorkerStatus.STOPPED
        process, self._process = self._process, None
        if process is not None:
            process.close()
        return process

    def _schedule(self, after_s: float, call: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        assert callable(call)
        self._timer = self._loop.call_later(after_s, call)

    def _heard(self, process: WorkerProcess, report: Report | Exited) -> None:
        if process is not self._process:
            return  # the last words of one that was given up
        match report:
            case Exited():
                self._lost(report)
                return
            case Hello():
                self._status = WorkerStatus.LOADING
                self._pid = report.pid
                self.num_devices = report.num_devices
            case Entered():
                self._watchdog.phase = report.phase
                self._loading = report.model if report.phase is Phase.LOADING else ""
            case ModelLoaded():
                self.models |= {report.name}
                self.broken_models.pop(report.name, None)
                self._revival.loaded(report.name)
                _log.info("%s loaded %s in %.1f s", process.name, report.name, report.seconds)
            case ModelBroke():
                self.models -= {report.name}
                self._say_broken(report.name, report.sentence)
            case Ready():
                self._ready(report)
            case Ticked():
                self._tally.ticked(report)
            case PicturePainted() | PictureBlocked():
                self._revival.painted()
            case Dying():
                self._last_sentence = report.sentence
                self._is_closed = report.is_closed
            case _:
                pass
        self._keeper.worker_reported(self, report)

    def _ready(self, report: Ready) -> None:
        self.max_rows = report.max_rows
        self._status = WorkerStatus.READY
        self._reason = "; ".join(self.broken_models.values())
        self._revival.ready()
        self._ready_at = time.monotonic()
        self._watchdog.phase = Phase.PAINTING
        self._loading = ""
        self._keeper.worker_changed(self)

    def _say_broken(self, name: str, sentence: str) -> None:
        if self.broken_models.get(name) != sentence:
            _log.error("The model %s cannot be used on %s: %s", name, self.device, sentence)
        self.broken_models[name] = sentence
        if self.is_usable:
            self._reason = "; ".join(self.broken_models.values())
            self._keeper.worker_changed(self)

    def _check(self) -> None:
        """Is it hanging?"""
        process = self._process
        if process is None:
            return
        if self._watchdog.hangs(
            heard_at=process.heard_at,
            is_idle=self.is_usable and not self.flights,
            tick_s=self._tally.tick_s,
        ):
            self._last_sentence = self._watchdog.sentence(self.device)
            process.kill()
        self._schedule(CHECK_S, self._check)

    def _lost(self, exited: Exited) -> None:
        loss = Loss(
            was_ready=self.is_usable,
            stood_s=time.monotonic() - self._ready_at,
            is_from_outside=is_from_outside(exited.code, self._last_sentence),
        )
        reason = self._last_sentence or _exit_sentence(self.device, exited.code)
        _log.error("%s", reason, extra={"worker": f"worker-{self.device}"})
        if exited.last_words:
            _log.debug("It wrote last:\n%s", exited.last_words)
        self._process = None
        self._pid = None
        self.models = frozenset()
        self._tally.lost()
        # Where a model is the only one, leaving it out would help nobody: then the worker is
        # broken, and tried again later.
        name = self._loading
        if name and len(self._config.models) > 1 and self._revival.lost_while_loading(name, loss):
            self._say_broken(name, f"Loading {name} takes the worker down: {reason}")
        self._reason = reason
        is_broken, wait_s = self._revival.lost(loss, is_hopeless=self._is_closed)
        self._status = WorkerStatus.BROKEN if is_broken else WorkerStatus.RESTARTING
        self._schedule(wait_s, self.start)
        self._keeper.worker_lost(self, reason)


def _exit_sentence(device: str, code: int | None) -> str:
    if code is None:
        return f"The worker on {device} cannot be started."
    if code >= 0:
        return f"The worker on {device} ended unexpectedly with status {code}."
    if code == -9:
        return (
            f"The worker on {device} was killed;"
            " if nobody did it by hand, the machine ran out of memory."
        )
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"The worker on {device} crashed ({name})."
