"""Workers that are killed, hang, run out of memory, cannot start: nothing accepted is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import psutil
import pytest
from PIL import Image

from limner.pipelines.checkpoint import describe
from limner.pipelines.errors import WorkerError
from limner.pipelines.serving.config import Patience, PoolConfig
from limner.pipelines.serving.pool import WorkerPool
from limner.pipelines.serving.state import WorkerStatus
from limner.pipelines.serving.updates import (
    Began,
    Broke,
    Cause,
    Done,
    Moved,
    Update,
    Waiting,
    Withdrawn,
)

from .conftest import PATIENCE_S, Ear, strike, ticket

if TYPE_CHECKING:
    from pathlib import Path

    from limner.pipelines.checkpoint import Checkpoint
    from limner.pipelines.serving.tickets import Ticket

QUICK = Patience(restart_s=0.01, tick_s=30.0)


def config(model: Checkpoint, **changes: object) -> PoolConfig:
    plain = PoolConfig(
        (model,), devices=("cpu",), dtype="float32", patience=QUICK, max_rows=8, fixed_bucket=8
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def pixels(ear: Ear, key: str) -> dict[int, bytes]:
    return {i: Image.open(BytesIO(png)).tobytes() for i, png in ear.painted(key).items()}


@pytest.mark.skipif(os.name != "posix", reason="signals")
async def test_a_killed_worker_loses_no_ticket_and_only_the_guilty_one_fails(
    model: Checkpoint,
) -> None:
    """Whatever is in the worker with "guilty" goes again; "guilty" takes it down alone, twice."""
    ear = Ear()
    crowd: list[Ticket] = [
        ticket("two", seeds=(5, 6), steps=12),
        ticket("guilty", steps=30),
        ticket("one", seeds=(9,), steps=10),
        ticket("cancelled", steps=100),
    ]
    async with WorkerPool(config(model, max_rows=16), ear) as pool:
        await pool.ready()
        pool.pause()
        for one in crowd:
            pool.submit(one)
        pool.resume()

        def act(update: Update) -> None:
            if update.key == "guilty" and isinstance(update, Moved):
                strike(pool)

        ear.acts.append(act)
        await ear.until(lambda u: u == Waiting("cancelled", 0, None))
        assert pool.cancel("cancelled")
        await ear.ends("two", "guilty", "one", "cancelled")
        assert pool.state.workers[0].restarts == 3
        # Undisturbed, for comparison.
        ear.acts.clear()
        for one in crowd[0], crowd[2]:
            pool.submit(replace(one, key=one.key + " again"))
        await ear.ends("two again", "one again")
    guilty = await ear.end("guilty")
    assert isinstance(guilty, Broke)
    assert guilty.cause is Cause.WORKER
    assert await ear.end("two") == Done("two")
    assert await ear.end("one") == Done("one")
    assert await ear.end("cancelled") == Withdrawn("cancelled")
    assert pixels(ear, "two") == pixels(ear, "two again")
    assert pixels(ear, "one") == pixels(ear, "one again")
    assert sum(update == Began("one") for update in ear.updates) == 1


@pytest.mark.skipif(os.name != "posix", reason="signals")
async def test_a_worker_that_hangs_is_stopped_and_its_tickets_go_again(model: Checkpoint) -> None:
    ear = Ear()
    patience = replace(QUICK, tick_s=1.0, hang_factor=5.0)
    async with WorkerPool(config(model, patience=patience), ear) as pool:
        await pool.ready()
        pool.submit(ticket("a", steps=60))
        await ear.until(lambda u: isinstance(u, Moved))
        strike(pool, signal.SIGSTOP)
        lost = await ear.until(lambda u: isinstance(u, Waiting))
        assert lost == Waiting("a", 0, None)
        worker = pool.state.workers[0]
        assert worker.status is WorkerStatus.RESTARTING
        assert "said nothing" in worker.reason
        assert await ear.end("a") == Done("a")


async def test_a_worker_that_cannot_start_is_said_broken_and_breaks_who_waits(
    model: Checkpoint,
) -> None:
    ear = Ear()
    patience = replace(QUICK, give_up_after=1)
    async with WorkerPool(config(model, devices=("cuda:99",), patience=patience), ear) as pool:
        pool.submit(ticket("early"))
        with pytest.raises(WorkerError):
            await pool.ready()
        assert pool.state.workers[0].status is WorkerStatus.BROKEN
        assert "cuda:99" in pool.state.workers[0].reason
        early = await ear.end("early")
        assert isinstance(early, Broke)
        assert early.cause is Cause.WORKER
        with pytest.raises(WorkerError, match="out of order"):
            pool.submit(ticket("late"))


async def test_one_worker_broken_and_the_other_without_a_model_is_nobody_ready(
    model: Checkpoint, tmp_path: Path
) -> None:
    folder = tmp_path / "torn"
    shutil.copytree(model.path, folder)
    torn = describe(folder, name="torn")
    weights = next((folder / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:2000])
    patience = replace(QUICK, give_up_after=1)
    broken = config(torn, devices=("cpu", "cuda:99"), patience=patience)
    async with WorkerPool(broken, Ear()) as pool:
        with pytest.raises(WorkerError):
            await asyncio.wait_for(pool.ready(), PATIENCE_S)


@pytest.mark.skipif(os.name != "posix", reason="signals")
async def test_a_worker_killed_again_and_again_before_it_is_ready_keeps_people_waiting(
    model: Checkpoint,
) -> None:
    ear = Ear()
    patience = replace(QUICK, give_up_after=2, give_up_after_kills=10, restart_most_s=0.02)
    async with WorkerPool(config(model, patience=patience), ear) as pool:
        pool.submit(ticket("patient"))
        for _ in range(4):
            await asyncio.wait_for(killed_child(pool, ear), PATIENCE_S)
        assert await ear.end("patient") == Done("patient")
        assert pool.state.workers[0].restarts == 4


async def killed_child(pool: WorkerPool, ear: Ear) -> None:
    """Kills the worker that is being started, before it can say anything."""
    before = pool.state.workers[0].restarts
    while pool.state.workers[0].restarts == before:
        for child in psutil.Process().children():
            # The worker's alone: multiprocessing may have a process of its own.
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if any("serving.worker" in word for word in child.cmdline()):
                    child.kill()
        await ear.moment()


HOST = """
import asyncio, sys
from pathlib import Path
from limner.pipelines.checkpoint import describe
from limner.pipelines.serving.config import PoolConfig
from limner.pipelines.serving.pool import WorkerPool

async def main():
    model = describe(Path(sys.argv[1]), sampler="ddim")
    async with WorkerPool(PoolConfig((model,), devices=("cpu",)), print) as pool:
        while pool.state.workers[0].pid is None:
            await asyncio.sleep(0.01)
        print(pool.state.workers[0].pid, flush=True)
        await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
async def test_a_worker_is_gone_when_its_host_is_killed_and_ctrl_c_is_the_hosts(
    model: Checkpoint,
) -> None:
    """The host is an unguarded script, which a spawned multiprocessing child would run again."""
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOST, str(model.path), stdout=subprocess.PIPE
    )
    assert host.stdout is not None
    pid = int(await asyncio.wait_for(host.stdout.readline(), PATIENCE_S))
    worker = psutil.Process(pid)
    for number in (signal.SIGINT, signal.SIGTERM):
        worker.send_signal(number)
    assert os.getpgid(pid) != os.getpgid(host.pid)
    host.kill()
    await host.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, [worker], PATIENCE_S)
    assert (len(gone), alive) == (1, [])
