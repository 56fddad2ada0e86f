"""What a collector may know, as Prometheus metrics on an optional local port.

The numbers are the pool's own, read at each scrape, and what its updates tell; there is no user,
no prompt and no job in them.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ..pipelines.serving.state import WorkerStatus
from ..pipelines.serving.updates import Began, Blocked, Broke, Done, Withdrawn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from ..pipelines.serving.state import PoolState, WorkerState
    from ..pipelines.serving.updates import Update

log = logging.getLogger(__name__)

_SCRAPE_S = 5.0
"""How long a scrape waits for the event loop."""
_WAITS_S = (0.1, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 900)
_PAINTINGS_S = (0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320)


class Metrics:
    """Its own registry: a host's metrics and ours do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._waits = Histogram(
            "limner_wait_seconds",
            "From a job's acceptance until its first rows joined the batch.",
            buckets=_WAITS_S,
            registry=self.registry,
        )
        self._paintings = Histogram(
            "limner_painting_seconds",
            "From then until its last picture.",
            buckets=_PAINTINGS_S,
            registry=self.registry,
        )
        self._retries = Counter(
            "limner_delivery_retries",
            "Times that the end of a job could not be told at once.",
            registry=self.registry,
        )
        self._cancelled = Counter(
            "limner_jobs_cancelled", "Jobs withdrawn by whoever may.", registry=self.registry
        )
        self._blocked = Counter(
            "limner_pictures_blocked",
            "Pictures that the safety checker did not hand out.",
            registry=self.registry,
        )
        self._began_at: dict[str, float] = {}
        """Of the jobs that are being painted."""

    def watch(self, state: Callable[[], PoolState], loop: asyncio.AbstractEventLoop) -> None:
        """From now on a scrape reads the pool, on its own loop."""
        self.registry.register(_PoolCollector(state, loop))

    def heard(self, update: Update) -> None:
        """The pool's listener, beside the studio."""
        now = time.monotonic()
        match update:
            case Began(key=key, waited_s=waited_s):
                self._waits.observe(waited_s)
                self._began_at[key] = now
            case Done(key=key):
                if (began_at := self._began_at.pop(key, None)) is not None:
                    self._paintings.observe(now - began_at)
            case Blocked():
                self._blocked.inc()
            case Broke(key=key):
                self._began_at.pop(key, None)
            case Withdrawn(key=key):
                self._began_at.pop(key, None)
                self._cancelled.inc()
            case _:
                pass

    def delivery_retried(self) -> None:
        """Discord could not be reached, or refused; it is tried again."""
        self._retries.inc()


@asynccontextmanager
async def serve(metrics: Metrics, port: int, host: str = "127.0.0.1") -> AsyncGenerator[int]:
    """Answers on http://host:port/metrics in threads of its own; gives the port. 0: not at all.

    A port that is taken is said in the log, and everything else goes on.
    """
    if not port:
        yield 0
        return
    try:
        server, thread = start_http_server(port, addr=host, registry=metrics.registry)
    except OSError as error:
        log.error(
            "metrics cannot be served on port %d (%s): choose another metrics_port", port, error
        )
        yield 0
        return
    try:
        yield server.server_port
    finally:
        # In a thread: it takes up to half a second, and a scrape may be waiting for this loop.
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join(1.0)


class _PoolCollector(Collector):
    """Reads the pool at each scrape; the scrape's thread waits for the loop, never the reverse."""

    def __init__(self, state: Callable[[], PoolState], loop: asyncio.AbstractEventLoop) -> None:
        self._state = state
        self._loop = loop

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not scrape: the loop would wait for itself."""
        return ()

    def collect(self) -> Iterator[Metric]:
        answer: concurrent.futures.Future[PoolState] = concurrent.futures.Future()

        def read() -> None:
            try:
                answer.set_result(self._state())
            except Exception as error:
                answer.set_exception(error)

        try:
            self._loop.call_soon_threadsafe(read)
            state = answer.result(_SCRAPE_S)
        except (RuntimeError, TimeoutError):
            return  # the loop is closed, or does not answer: the collector sees the gap
        yield from _of_pool(state)
        yield from _of_workers(state.workers)


def _of_pool(state: PoolState) -> Iterator[Metric]:
    for name, text, value in (
        ("limner_jobs_waiting", "Jobs that wait for a worker.", state.num_waiting),
        ("limner_jobs_running", "Jobs in a worker.", state.num_running),
        ("limner_oldest_wait_seconds", "Of the job that waits longest.", state.oldest_wait_s),
        ("limner_ready", "Whether a worker can paint.", float(state.is_ready)),
    ):
        yield GaugeMetricFamily(name, text, value)
    yield CounterMetricFamily("limner_pictures", "Pictures painted.", state.pictures)
    failures = CounterMetricFamily("limner_failures", "Jobs that failed.", labels=("cause",))
    for cause, count in state.failures.items():
        failures.add_metric((cause.value,), count)
    yield failures


def _of_workers(workers: Iterable[WorkerState]) -> Iterator[Metric]:
    labels = ("worker", "device")
    status = GaugeMetricFamily(
        "limner_worker_status", "1 for the status it has.", labels=(*labels, "status")
    )
    gauges: tuple[tuple[str, str, Callable[[WorkerState], float]], ...] = (
        ("limner_worker_rows", "Rows in flight.", lambda w: w.num_rows),
        ("limner_worker_max_rows", "Rows that it takes.", lambda w: w.max_rows),
        ("limner_worker_memory_bytes", "Resident memory.", lambda w: w.memory_bytes),
        ("limner_device_memory_bytes", "Memory of the GPU.", lambda w: w.device_memory_bytes),
    )
    counters: tuple[tuple[str, str, Callable[[WorkerState], float]], ...] = (
        ("limner_ticks", "Denoising steps of a batch.", lambda w: w.ticks),
        ("limner_ticked_rows", "Rows in these steps.", lambda w: w.rows),
        ("limner_tick_seconds", "Seconds in these steps.", lambda w: w.ticks_s),
        ("limner_worker_restarts", "Starts after a loss.", lambda w: w.restarts),
    )
    gauge_families = [(GaugeMetricFamily(n, t, labels=labels), read) for n, t, read in gauges]
    counter_families = [(CounterMetricFamily(n, t, labels=labels), read) for n, t, read in counters]
    for number, worker in enumerate(workers):
        names = (str(number), worker.device)
        for one in WorkerStatus:
            status.add_metric((*names, one.value), float(worker.status is one))
        for family, read in gauge_families:
            family.add_metric(names, read(worker))
        for family, read in counter_families:
            family.add_metric(names, read(worker))
    yield status
    yield from (family for family, _ in gauge_families)
    yield from (family for family, _ in counter_families)
