"""Two workers on one machine: they share the queue, survive each other, and do not slow each other
down as spinning OpenMP threads would."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
import pytest
import pytest_asyncio

from limner.pipelines.checkpoint import Checkpoint, describe
from limner.pipelines.serving.config import Patience, PoolConfig
from limner.pipelines.serving.pool import WorkerPool
from limner.pipelines.serving.state import WorkerStatus
from limner.pipelines.serving.updates import Began, Done, Painted

from .conftest import Ear, strike, ticket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(model: Checkpoint) -> AsyncGenerator[tuple[WorkerPool, Ear]]:
    ear = Ear()
    roomy = describe(model.path, name="roomy", size_px=96, steps=4, sampler="ddim")
    config = PoolConfig(
        (roomy,),
        devices=("cpu", "cpu"),
        dtype="float32",
        # All cores for each, as two bots on one machine would have it.
        threads=os.cpu_count(),
        max_rows=2,
        patience=Patience(restart_s=0.01),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_DISCORD__TOKEN", "secret")
        patch.setenv("DISCORD_TOKEN", "secret")
        patch.delenv("GOMP_SPINCOUNT", raising=False)
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        async with WorkerPool(config, ear) as pool:
            await pool.ready()
            while [w.status for w in pool.state.workers] != [WorkerStatus.READY] * 2:
                await ear.moment()
            yield pool, ear


async def test_a_workers_environment_is_offline_does_not_spin_and_holds_no_secret(
    pool: WorkerPool,
) -> None:
    for worker in pool.state.workers:
        environment = psutil.Process(worker.pid).environ()
        assert environment["GOMP_SPINCOUNT"] == "1000"
        assert environment["HF_HUB_OFFLINE"] == "1"
        assert "secret" not in environment.values()


async def test_neither_of_two_workers_is_four_times_slower_than_alone(
    pool: WorkerPool, ear: Ear
) -> None:
    """Spinning threads made both over twenty times slower."""

    async def denoised_s(*keys: str) -> list[float]:
        for key in keys:
            pool.submit(ticket(key, steps=12))
        await ear.ends(*keys)
        return [
            next(u.timings.denoised_s for u in ear.of(key) if isinstance(u, Painted))
            for key in keys
        ]

    # Around it, so that what else the machine does weighs on both alike.
    before = await denoised_s("before")
    together = await denoised_s("one", "two")
    after = await denoised_s("after")
    assert max(together) < 4 * max(before + after)


async def test_two_workers_share_tickets_and_one_lost_is_not_both(
    pool: WorkerPool, ear: Ear
) -> None:
    keys = [str(i) for i in range(4)]
    for key in keys:
        pool.submit(ticket(key, steps=12))
    await ear.until(lambda u: u == Began("0"))
    await ear.until(lambda u: u == Began("1"))
    assert [worker.num_running for worker in pool.state.workers] == [1, 1]
    strike(pool, worker=0)
    ends = await ear.ends(*keys)
    assert ends == [Done(key) for key in keys]
    assert [worker.restarts for worker in pool.state.workers] == [1, 0]
    assert all(len(ear.painted(key)) == 1 for key in keys)
