"""The pool: tickets in, updates out, workers supervised in between.

Who is next is admission's, a worker's life is supervisor's, and what survives a restart of this
process is the caller's: it submits again what had not ended.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from ..errors import InvalidRequestError, QueueFullError, WorkerError
from .admission import Admission
from .book import Book
from .dispatch import Dispatch
from .messages import (
    Cancel,
    GroundRefused,
    Hello,
    PictureBegan,
    PictureBlocked,
    PictureCancelled,
    PictureFailed,
    PicturePainted,
    PicturePreviewed,
    Report,
    Ticked,
    Watch,
)
from .outlook import Outlook
from .reception import Reception
from .state import PoolState
from .supervisor import Supervisor
from .updates import Broke, Cause, Update, Waiting, Withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..checkpoint import Checkpoint
    from .config import PoolConfig
    from .tickets import Ticket

_PLACES_S = 1.0
"""Between two looks at who waits how long."""
_PLACES_SHARE = 0.02
"""Of the event loop's time: a long queue is looked at less often."""


class WorkerPool:
    """`async with WorkerPool(config, listen) as pool`; `listen` is called on the event loop.

    Workers start at once and load in the background; `ready` waits for the first. There is no task
    here, only threads that post to the loop, and timers.
    """

    def __init__(self, config: PoolConfig, listen: Callable[[Update], None]) -> None:
        if not config.models:
            raise WorkerError("No model is configured: name one in [[models]].")
        self._config = config
        self._listen = listen
        self._models = {model.name: model for model in config.models}
        self._admission = Admission(config.limits, config.fairness, time.monotonic)
        self._book = book = Book(self._admission, listen, self._go_on_soon)
        self._workers = book.workers
        self._dispatch = dispatch = Dispatch(
            book, frozenset(self._models), has_checker=config.safety is not None
        )
        self._outlook = Outlook(
            self._admission,
            book.flights,
            book.workers,
            config.models[0],
            lambda: dispatch.is_paused,
        )
        self._reception = Reception(book, self._outlook)
        self._is_closed = False
        self._is_about_to_go_on = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Future[None] | None = None
        self._places_timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._loop = loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        config = self._config
        if config.threads is None:
            num_cpus = sum(not device.startswith("cuda") for device in config.devices)
            threads = max(1, (os.cpu_count() or 1) // max(1, num_cpus))
            self._config = config = replace(config, threads=threads)
        for device in config.devices:
            self._add_worker(device)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends the workers; what had not ended is forgotten here, and the caller's to keep."""
        self._is_closed = True
        if self._places_timer is not None:
            self._places_timer.cancel()
        processes = [p for worker in self._workers if (p := worker.close()) is not None]
        deadline = time.monotonic() + self._config.patience.stop_s

        def bury() -> None:
            for process in processes:
                if not process.join(max(0.0, deadline - time.monotonic())):
                    process.kill()
            for process in processes:
                process.join(10.0)

        await asyncio.shield(asyncio.to_thread(bury))
        if self._ready is not None and not self._ready.done():
            self._ready.cancel()

    async def ready(self) -> None:
        """Until a worker can paint. Raises `WorkerError` when none will."""
        assert self._ready is not None
        await asyncio.shield(self._ready)

    @property
    def state(self) -> PoolState:
        return PoolState(
            workers=tuple(worker.state for worker in self._workers),
            num_waiting=self._admission.num_waiting,
            num_running=self._admission.num_running,
            oldest_wait_s=self._admission.oldest_wait_s,
            is_paused=self._dispatch.is_paused,
            pictures=self._book.num_pictures,
            failures=dict(self._book.failures),
        )

    def refuse(self, tenant: str, group: str) -> None:
        """Raises what `submit` would for a new ticket now: `QueueFullError`, `WorkerError`."""
        if self._is_closed:
            raise QueueFullError("Limner is being restarted: ask again in a minute.", 60.0)
        if (sentence := self._dispatch.out_of_order) is not None:
            raise WorkerError(sentence)
        if (sentence := self._admission.refusal(tenant, group)) is not None:
            raise QueueFullError(sentence, self._outlook.again_s())

    def submit(self, ticket: Ticket, *, is_recovered: bool = False) -> Waiting:
        """Accepts a ticket, and tells where it waits and when it is likely to begin.

        A recovered one, or one that `refuse` let pass before it was written down, is never refused.
        Requests without a seed get one, so that what is painted again is the same. Raises
        `QueueFullError`, `WorkerError`.
        """
        if not is_recovered:
            self.refuse(ticket.tenant, ticket.group)
        self._enter(ticket)
        waiting = self._outlook.arrived(ticket.key)
        # After this call has answered, so that nobody hears of a ticket before it was accepted.
        self._go_on_soon()
        return waiting

    def restore(self, tickets: Iterable[Ticket]) -> None:
        """`submit` for what an earlier life had accepted: never refused, whatever their number.

        When each is likely to begin is told with the next look at who waits. One that can't be
        painted any more ends `Broke`. Raises `WorkerError`.
        """
        for ticket in tickets:
            try:
                self._enter(ticket)
            except InvalidRequestError as error:
                self._soon(self._listen, Broke(ticket.key, str(error), Cause.REQUEST))
        self._go_on_soon()

    def cancel(self, key: str) -> bool:
        """Takes a ticket out, wherever it is; False if there is none. `Withdrawn` follows, or the
        end that it had already come to."""
        flight = self._book.flights.get(key)
        if flight is None:
            return False
        if flight.is_cancelled:
            return True
        flight.is_cancelled = True
        worker = self._book.worker_of(key)
        if worker is not None:
            worker.send(Cancel(key))
        else:
            # Told after this call, as every end is.
            self._soon(self._book.end, flight, Withdrawn(key))
        return True

    def watch(self, key: str, on: bool) -> None:
        """Turns a ticket's previews on or off."""
        flight = self._book.flights.get(key)
        if flight is None:
            return
        flight.is_watched = on
        if (worker := self._book.worker_of(key)) is not None:
            worker.send(Watch(key, on))

    def estimate_s(self, cost: float, tenant: str) -> float | None:
        """Seconds until a new ticket of that cost would begin; None before measurements, and while
        the pool is paused."""
        return self._outlook.estimate_s(cost, tenant)

    def pause(self) -> None:
        """Hands out nothing more; what is being painted goes on, what comes waits."""
        self._dispatch.is_paused = True

    def resume(self) -> None:
        self._dispatch.is_paused = False
        self._go_on_soon()

    # What workers tell (Keeper).

    def worker_reported(self, worker: Supervisor, report: Report) -> None:
        match report:
            case Hello():
                self._spread(worker)
            case Ticked():
                self._reception.ticked(worker, report)
                if worker.num_rows < worker.max_rows:
                    self._go_on()
            case (
                PictureBegan()
                | PicturePreviewed()
                | PicturePainted()
                | PictureBlocked()
                | PictureFailed()
                | PictureCancelled()
                | GroundRefused()
            ):
                self._reception.picture(worker, report)
            case _:
                pass

    def worker_changed(self, worker: Supervisor) -> None:
        if worker.models and self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        self._go_on()

    def worker_lost(self, worker: Supervisor, reason: str) -> None:
        self._reception.lost(worker, reason)
        self._go_on()

    # The inside.

    def _enter(self, ticket: Ticket) -> None:
        checkpoint = self._checkpoint(ticket.model)
        seeded = tuple(
            r if r.seed is not None else replace(r, seed=secrets.randbelow(1 << 32))
            for r in ticket.requests
        )
        self._book.enter(replace(ticket, requests=seeded), checkpoint)

    def _checkpoint(self, name: str) -> Checkpoint:
        if not name:
            return self._config.models[0]
        try:
            return self._models[name]
        except KeyError:
            raise WorkerError(f"There is no model named {name}.") from None

    def _add_worker(self, device: str) -> None:
        assert self._loop is not None
        worker = Supervisor(device, self._config, self, self._loop)
        self._workers.append(worker)
        worker.start()

    def _spread(self, worker: Supervisor) -> None:
        """ "auto" found several GPUs: one worker each."""
        if worker.device != "auto":
            return
        worker.device = "cuda:0" if worker.num_devices else "cpu"
        taken = {w.device for w in self._workers}
        for i in range(1, worker.num_devices):
            if (device := f"cuda:{i}") not in taken:
                self._add_worker(device)

    def _fail_ready(self, reason: str) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(WorkerError(reason))
            # Nobody may be waiting for it; then the state and the log say it.
            self._ready.exception()

    def _go_on_soon(self) -> None:
        """Once, however many things have changed in this turn of the loop."""
        if not self._is_about_to_go_on:
            self._is_about_to_go_on = True
            self._soon(self._go_on)

    def _go_on(self) -> None:
        """Does what has become possible."""
        self._is_about_to_go_on = False
        if self._is_closed:
            return
        if all(w.is_broken or (w.is_usable and not w.models) for w in self._workers):
            self._fail_ready(next((w.reason for w in self._workers if w.reason), ""))
        self._dispatch.hand_out()
        if self._places_timer is None and self._admission.num_waiting:
            self._tell_places_later(_PLACES_S)

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        self._loop.call_soon(call, *arguments)

    def _tell_places_later(self, wait_s: float) -> None:
        assert self._loop is not None
        self._places_timer = self._loop.call_later(wait_s, self._tell_places)

    def _tell_places(self) -> None:
        """Tells who waits where, if that has changed noticeably."""
        self._places_timer = None
        began = time.perf_counter()
        for waiting in self._outlook.changed():
            self._listen(waiting)
        took_s = time.perf_counter() - began
        if self._admission.num_waiting:
            self._tell_places_later(max(_PLACES_S, took_s / _PLACES_SHARE))
