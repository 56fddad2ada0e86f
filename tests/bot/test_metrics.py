from __future__ import annotations

import asyncio
import json
import re
import socket
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from limner.bot.metrics import Metrics, serve
from limner.pipelines.serving.state import PoolState, WorkerState, WorkerStatus
from limner.pipelines.serving.updates import Began, Broke, Cause, Done, Withdrawn

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = PoolState(
    workers=(
        WorkerState(
            device="cuda:0", pid=1, status=WorkerStatus.READY, reason="", models=("house",),
            broken_models={}, num_running=2, num_rows=7, max_rows=32, memory_bytes=1000,
            device_memory_bytes=2000, ticks=50, rows=400, ticks_s=2.5, rows_per_tick=8.0,
            tick_s=0.05, restarts=3,
        ),
    ),
    num_waiting=4, num_running=2, oldest_wait_s=1.5, is_paused=False, pictures=9,
    failures={Cause.MEMORY: 2},
)  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as page:
        lines = page.read().decode().splitlines()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in lines
        if not line.startswith("#")
    }


async def test_a_scrape_tells_the_pools_numbers_and_what_it_heard() -> None:
    metrics = Metrics()
    metrics.watch(lambda: STATE, asyncio.get_running_loop())
    for update in (Began("a", 3.0), Done("a"), Began("b", 0.05), Broke("b", "x", Cause.MEMORY),
                   Withdrawn("c")):  # fmt: skip
        metrics.heard(update)
    metrics.delivery_retried()
    async with serve(metrics, free_port()) as port:
        found = await asyncio.to_thread(scrape, port)
    assert found["limner_jobs_waiting"] == 4
    assert found["limner_ready"] == 1
    assert found["limner_pictures_total"] == 9
    assert found['limner_failures_total{cause="memory"}'] == 2
    assert found['limner_ticked_rows_total{device="cuda:0",worker="0"}'] == 400
    assert found['limner_worker_restarts_total{device="cuda:0",worker="0"}'] == 3
    assert found['limner_worker_status{device="cuda:0",status="ready",worker="0"}'] == 1
    assert found["limner_wait_seconds_count"] == 2
    assert found["limner_wait_seconds_sum"] == pytest.approx(3.05)
    assert found["limner_painting_seconds_count"] == 1
    assert found["limner_delivery_retries_total"] == 1
    assert found["limner_jobs_cancelled_total"] == 1


async def test_a_taken_port_is_said_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with serve(Metrics(), port) as served:
            assert served == 0
    assert f"port {port}" in caplog.text
    assert "metrics_port" in caplog.text


async def test_no_port_serves_nothing() -> None:
    async with serve(Metrics(), 0) as port:
        assert port == 0


async def test_two_bots_in_one_process_have_metrics_of_their_own() -> None:
    first, second = Metrics(), Metrics()
    first.delivery_retried()
    values = [m.registry.get_sample_value("limner_delivery_retries_total") for m in (first, second)]
    assert values == [1.0, 0.0]


def expressions(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "expr":
                yield inner
            else:
                yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


async def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    metrics = Metrics()
    metrics.watch(lambda: STATE, asyncio.get_running_loop())
    async with serve(metrics, free_port()) as port:
        found = {name.partition("{")[0] for name in await asyncio.to_thread(scrape, port)}
    path = Path(__file__).parents[2] / "docs" / "grafana.json"
    dashboard = json.loads(path.read_text("utf-8"))
    asked = {
        name for text in expressions(dashboard) for name in re.findall(r"limner_[a-z_]+", text)
    }
    assert len(asked) > 10
    assert asked <= found
