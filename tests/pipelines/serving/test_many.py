"""A queue of thousands: its costs grow with it, not with its square."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from limner.pipelines.serving.config import Limits, PoolConfig
from limner.pipelines.serving.pool import WorkerPool
from limner.pipelines.serving.updates import Update, Waiting, Withdrawn

from .conftest import Ear, ticket

if TYPE_CHECKING:
    from limner.pipelines.checkpoint import Checkpoint


async def restored_s(model: Checkpoint, number: int) -> float:
    """Processor time until so many tickets of an earlier life wait again."""
    config = PoolConfig((model,), devices=(), limits=Limits(waiting=10))
    tickets = [ticket(str(i), tenant=f"tenant {i % 100}") for i in range(number)]
    async with WorkerPool(config, lambda _: None) as pool:
        began = time.process_time()
        pool.restore(tickets)
        for _ in range(3):
            # What it does as soon as it can.
            await asyncio.sleep(0)
        took_s = time.process_time() - began
        assert pool.state.num_waiting == number
    return took_s


async def test_twice_as_many_jobs_are_taken_up_again_in_about_twice_the_time(
    model: Checkpoint,
) -> None:
    await restored_s(model, 200)
    half_s = min([await restored_s(model, 2000) for _ in range(2)])
    whole_s = min([await restored_s(model, 4000) for _ in range(2)])
    assert whole_s < 3 * half_s


async def test_all_of_a_long_queue_hear_where_they_wait_and_may_leave_it(
    model: Checkpoint,
) -> None:
    ear = Ear()
    config = PoolConfig((model,), devices=(), limits=Limits(waiting=10))
    async with WorkerPool(config, ear) as pool:
        pool.restore([ticket(str(i), tenant="one") for i in range(300)])
        told: dict[str, Waiting] = {}

        def is_the_last(update: Update) -> bool:
            if isinstance(update, Waiting):
                told[update.key] = update
            return len(told) == 300

        await ear.until(is_the_last)
        assert [told[str(i)].place for i in range(300)] == list(range(1, 301))
        assert pool.cancel("299")
        assert await ear.end("299") == Withdrawn("299")
        with pytest.raises(Exception, match="queue is full"):
            pool.submit(ticket("new"))
