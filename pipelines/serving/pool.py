"""The pool: tickets in, updates out, workers supervised in between.

Who is next is admission's, a worker's life is supervisor's, and what survives a restart of this
process is the caller's: it submits again what had not ended.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from ..errors import QueueFullError, WorkerError
from .admission import Admission
from .flights import Flight
from .forecast import course
from .messages import (
    Cancel,
    Hello,
    Paint,
    PictureBegan,
    PictureCancelled,
    PictureFailed,
    PicturePainted,
    PicturePreviewed,
    Report,
    Ticked,
    Watch,
)
from .outlook import Outlook
from .quarantine import Quarantine
from .state import PoolState
from .supervisor import Supervisor
from .updates import (
    Began,
    Broke,
    Cause,
    Done,
    End,
    Moved,
    Painted,
    Previewed,
    Update,
    Waiting,
    Withdrawn,
)
from .workload import measure

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..checkpoint import Checkpoint
    from .config import PoolConfig
    from .tickets import Ticket

_log = logging.getLogger(__name__)

_TELL_S = 0.25
"""Between two `Moved` of one ticket."""
_PLACES_S = 1.0
"""Between two looks at who waits how long."""
_MOST_CRASHES_ALONE = 2


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
        self._flights: dict[str, Flight] = {}
        """All that have not ended, waiting ones too."""
        self._quarantine = Quarantine()
        self._workers: list[Supervisor] = []
        self._outlook = Outlook(self._admission, self._flights, self._workers, config.models[0])
        self._is_paused = False
        self._is_draining = False
        self._is_closed = False
        self._pictures = 0
        self._failures: Counter[Cause] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Future[None] | None = None
        self._idle: asyncio.Future[None] | None = None
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
            is_paused=self._is_paused,
            pictures=self._pictures,
            failures=dict(self._failures),
        )

    def refuse(self, tenant: str, group: str) -> None:
        """Raises what `submit` would for a new ticket now: `QueueFullError`, `WorkerError`."""
        if self._is_draining or self._is_closed:
            raise QueueFullError("Limner is being restarted: ask again in a minute.", 60.0)
        if self._is_broken():
            raise WorkerError(_BROKEN)
        if (sentence := self._admission.refusal(tenant, group)) is not None:
            raise QueueFullError(sentence, self._outlook.again_s())

    def submit(self, ticket: Ticket, *, is_recovered: bool = False) -> Waiting:
        """Accepts a ticket, and tells when it is likely to begin.

        A recovered one, or one that `refuse` let pass before it was written down, is never refused.
        Requests without a seed get one, so that what is painted again is the same. Raises
        `QueueFullError`, `WorkerError`.
        """
        if not is_recovered:
            self.refuse(ticket.tenant, ticket.group)
        checkpoint = self._checkpoint(ticket.model)
        seeded = tuple(
            r if r.seed is not None else replace(r, seed=secrets.randbelow(1 << 32))
            for r in ticket.requests
        )
        ticket = replace(ticket, requests=seeded)
        self._admission.add(ticket)
        loads = tuple(measure(request, checkpoint) for request in ticket.requests)
        self._flights[ticket.key] = Flight(
            ticket,
            checkpoint.name,
            loads,
            course(ticket, checkpoint.name, loads),
            ticket.wants_previews,
            time.monotonic(),
        )
        waiting = self._outlook.waiting(ticket.key)
        # After this call has answered, so that nobody hears of a ticket before it was accepted.
        self._soon(self._hand_out)
        return waiting

    def cancel(self, key: str) -> bool:
        """Takes a ticket out, wherever it is; False if there is none. `Withdrawn` follows, or the
        end that it had already come to."""
        flight = self._flights.get(key)
        if flight is None:
            return False
        if flight.is_cancelled:
            return True
        flight.is_cancelled = True
        worker = self._worker_of(key)
        if worker is not None:
            worker.send(Cancel(key))
        else:
            # Told after this call, as every end is.
            self._soon(self._end, flight, Withdrawn(key))
        return True

    def watch(self, key: str, on: bool) -> None:
        """Turns a ticket's previews on or off."""
        flight = self._flights.get(key)
        if flight is None:
            return
        flight.is_watched = on
        if (worker := self._worker_of(key)) is not None:
            worker.send(Watch(key, on))

    def estimate_s(self, cost: float, tenant: str) -> float | None:
        """Seconds until a new ticket of that cost would begin; None before measurements."""
        return self._outlook.estimate_s(cost, tenant)

    def pause(self) -> None:
        """Hands out nothing more; what is being painted goes on, what comes waits."""
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False
        self._soon(self._hand_out)

    async def drain(self, timeout_s: float) -> tuple[Ticket, ...]:
        """For the end: accepts and begins nothing more, waits for what is being painted.

        Gives back the tickets that have not ended, to be submitted again in another life.
        """
        assert self._loop is not None
        self._is_draining = self._is_paused = True
        if self._admission.num_running:
            self._idle = self._loop.create_future()
            await asyncio.wait([self._idle], timeout=timeout_s)
        return tuple(flight.ticket for flight in self._flights.values())

    # What workers tell (Keeper).

    def worker_reported(self, worker: Supervisor, report: Report) -> None:
        match report:
            case Hello():
                self._spread(worker)
            case Ticked():
                self._ticked(worker, report)
            case (
                PictureBegan()
                | PicturePreviewed()
                | PicturePainted()
                | PictureFailed()
                | PictureCancelled()
            ):
                flight = worker.flights.get(report.key)
                if flight is not None:
                    self._picture(flight, report)
            case _:
                pass

    def worker_changed(self, worker: Supervisor) -> None:
        if self._ready is not None and not self._ready.done():
            if worker.models:
                self._ready.set_result(None)
            elif all(w.is_usable for w in self._workers):
                self._fail_ready(worker.reason)
        self._hand_out()

    def worker_lost(self, worker: Supervisor, reason: str) -> None:
        flights = list(worker.flights.values())
        worker.flights.clear()
        self._quarantine.forget(worker)
        was_alone = len(flights) == 1
        for flight in flights:
            flight.interrupted()
            if flight.is_cancelled:
                self._end(flight, Withdrawn(flight.key))
                continue
            if not flight.unpainted:
                self._end(flight, Done(flight.key))
                continue
            if was_alone:
                flight.crashes_alone += 1
            if flight.crashes_alone >= _MOST_CRASHES_ALONE:
                sentence = "Painting this made the worker fail twice: try other settings."
                _log.error("%s", reason, extra={"job": flight.key})
                self._end(flight, Broke(flight.key, sentence, Cause.WORKER))
                continue
            self._quarantine.add(flight)
            flight.told_place = (0, None)
            self._listen(Waiting(flight.key, 0, None))
        self._hand_out()

    # The inside.

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

    def _hand_out(self) -> None:
        """Fills every worker that has room, the emptiest first."""
        if self._is_closed:
            return
        if self._is_broken():
            self._give_up()
        elif not self._is_paused:
            if (pair := self._quarantine.next(self._workers)) is not None:
                self._begin(*pair)
            while (pair := self._next()) is not None:
                self._begin(*pair)
            self._fail_unpaintable()
        self._schedule_places()

    def _next(self) -> tuple[Flight, Supervisor] | None:
        usable = [
            w
            for w in self._workers
            if w.is_usable
            and w.num_rows < w.max_rows
            and not self._quarantine.is_closed_to_others(w)
        ]
        if not usable:
            return None
        usable.sort(key=lambda w: w.num_rows / w.max_rows)

        def host(ticket: Ticket) -> Supervisor | None:
            model = self._flights[ticket.key].model
            return next((w for w in usable if model in w.models), None)

        ticket = self._admission.take(lambda t: host(t) is not None)
        if ticket is None:
            return None
        worker = host(ticket)
        assert worker is not None
        return self._flights[ticket.key], worker

    def _begin(self, flight: Flight, worker: Supervisor) -> None:
        self._quarantine.discard(flight.key)
        worker.flights[flight.key] = flight
        for index in flight.unpainted:
            request = replace(flight.ticket.requests[index], tenant=flight.ticket.tenant)
            worker.send(Paint(flight.key, index, request, flight.is_watched))

    def _fail_unpaintable(self) -> None:
        """Tickets whose model no worker has, or will have, end with that model's sentence."""
        if not self._workers or not all(w.is_usable or w.is_broken for w in self._workers):
            return
        for flight in list(self._flights.values()):
            if self._worker_of(flight.key) is not None or flight.is_cancelled:
                continue
            if any(flight.model in w.models for w in self._workers):
                continue
            sentence = next(
                (s for w in self._workers if (s := w.broken_models.get(flight.model))),
                f"The model {flight.model} is not loaded.",
            )
            self._end(flight, Broke(flight.key, sentence, Cause.MODEL))

    def _give_up(self) -> None:
        """Every worker is broken: who waits is told so, and does not wait for ever."""
        reason = self._workers[0].reason
        self._fail_ready(reason)
        for flight in list(self._flights.values()):
            self._end(flight, Broke(flight.key, _BROKEN, Cause.WORKER))

    def _fail_ready(self, reason: str) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(WorkerError(reason))
            # Nobody may be waiting for it; then the state and the log say it.
            self._ready.exception()

    def _is_broken(self) -> bool:
        return bool(self._workers) and all(w.is_broken for w in self._workers)

    def _picture(
        self,
        flight: Flight,
        report: PictureBegan | PicturePreviewed | PicturePainted | PictureFailed | PictureCancelled,
    ) -> None:
        key = flight.key
        match report:
            case PictureBegan():
                if not flight.has_begun:
                    flight.has_begun = True
                    self._listen(Began(key, time.monotonic() - flight.since))
            case PicturePreviewed(index=index, image=image):
                if flight.is_watched and not flight.is_cancelled:
                    self._listen(Previewed(key, index, image))
            case PicturePainted():
                flight.finished(report.index)
                self._pictures += 1
                self._listen(
                    Painted(
                        key,
                        report.index,
                        report.png,
                        report.seed,
                        report.width,
                        report.height,
                        report.parameters_json,
                        report.timings,
                    )
                )
                if not flight.unpainted:
                    self._end(flight, Done(key))
            case PictureFailed() if flight.is_cancelled:
                self._end(flight, Withdrawn(key))
            case PictureFailed():
                if worker := self._worker_of(key):
                    worker.send(Cancel(key))
                self._end(flight, Broke(key, report.sentence, report.cause))
            case PictureCancelled():
                if flight.is_cancelled:
                    self._end(flight, Withdrawn(key))

    def _ticked(self, worker: Supervisor, report: Ticked) -> None:
        now = time.monotonic()
        touched: dict[str, Flight] = {}
        for stepped in report.steps:
            flight = worker.flights.get(stepped.key)
            if flight is not None:
                flight.stepped(stepped.index, stepped.step, stepped.steps)
                touched[flight.key] = flight
        has_room = worker.num_rows < worker.max_rows
        for flight in touched.values():
            if now - flight.told_moved_at >= _TELL_S and not flight.is_cancelled:
                flight.told_moved_at = now
                left_s = self._outlook.left_s(worker, flight)
                self._listen(Moved(flight.key, flight.step, flight.steps, left_s))
        if has_room:
            self._hand_out()

    def _end(self, flight: Flight, end: End) -> None:
        """The one place where a ticket ends."""
        key = flight.key
        if self._flights.get(key) is not flight:
            return
        del self._flights[key]
        self._quarantine.discard(key)
        for worker in self._workers:
            worker.flights.pop(key, None)
        if not self._admission.withdraw(key):
            self._admission.finish(key, used_share=flight.used_share)
        if isinstance(end, Broke):
            self._failures[end.cause] += 1
        self._listen(end)
        if self._idle is not None and not self._idle.done() and not self._admission.num_running:
            self._idle.set_result(None)
        self._soon(self._hand_out)

    def _worker_of(self, key: str) -> Supervisor | None:
        return next((w for w in self._workers if key in w.flights), None)

    def _checkpoint(self, name: str) -> Checkpoint:
        if not name:
            return self._config.models[0]
        try:
            return self._models[name]
        except KeyError:
            raise WorkerError(f"There is no model named {name}.") from None

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        self._loop.call_soon(call, *arguments)

    def _schedule_places(self) -> None:
        if self._places_timer is None and self._admission.num_waiting and self._loop is not None:
            self._places_timer = self._loop.call_later(_PLACES_S, self._tell_places)

    def _tell_places(self) -> None:
        """Tells who waits where, if that has changed noticeably."""
        self._places_timer = None
        for waiting in self._outlook.changed():
            self._listen(waiting)
        self._schedule_places()


_BROKEN = "Painting is out of order: its worker cannot start. The owner's log says why."
