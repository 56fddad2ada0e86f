"""Forgetting one person: what is painted for them stops, what is kept of them goes, others stay."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest
import pytest_asyncio

from limner.bot.ask import Ask
from limner.bot.attendance import Attendance
from limner.bot.errors import RefusedError
from limner.bot.member import Member
from limner.storage.records import JobStatus, Origin
from tests.pipelines.models import make_house_like

from .test_studio import ANN, BOB, BOBS, HERE, RED_HEART, Listener, open_with_listener, settings_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from limner.bot.studio import Studio

SHARED = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forgetting")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(folder: Path) -> AsyncIterator[tuple[Studio, Listener]]:
    settings = settings_for(make_house_like(folder / "house"), folder / "data")
    async with open_with_listener(settings) as both:
        yield both


@SHARED
async def test_whatever_stage_a_job_is_in_it_stops_and_nothing_of_it_stays(
    opened: tuple[Studio, Listener], folder: Path
) -> None:
    studio, listener = opened
    kept = replace(RED_HEART, seed=4)
    _, (bobs,) = await listener.end_of(await studio.submit(kept, BOBS, BOB))
    _, (anns,) = await listener.end_of(await studio.submit(RED_HEART, HERE, ANN))
    running = await studio.submit(Ask("a cat", steps=100), HERE, ANN)
    await listener.moved_on(running)
    studio.pool.pause()
    waiting = await studio.submit(RED_HEART, HERE, ANN)
    bobs_own = await studio.submit(kept, BOBS, BOB)

    forgotten = await studio.forget(ANN.user_id)

    assert (forgotten.num_jobs, forgotten.num_pictures, forgotten.num_files) == (3, 1, 1)
    for job in running, waiting:
        told, _ = listener.ends[job.id]
        assert told.status is JobStatus.CANCELLED
    export = await studio.storage.export_user(ANN.user_id)
    assert not export.tables["jobs"]
    assert not export.files
    assert not list((folder / "data").rglob(f"{anns.sha256}*"))
    # What is another's goes on.
    assert await studio.storage.images.read(bobs.sha256)
    studio.pool.resume()
    told, (again,) = await listener.end_of(bobs_own)
    assert told.status is JobStatus.STORED
    assert again.sha256 == bobs.sha256
    # Deleting does not refill a quota, and what was not painted was not paid.
    balance = await studio.storage.ledger.balance(5, ANN.user_id)
    assert (balance.held, balance.settled) == (0, RED_HEART_COSTS)
    assert (await studio.storage.check()).is_sound


RED_HEART_COSTS = 1000


@SHARED
async def test_who_was_forgotten_may_come_back(opened: tuple[Studio, Listener]) -> None:
    studio, listener = opened
    carl, here = Member(31, 5), Origin(user_id=31, guild_id=5, channel_id=7)
    assert (await studio.forget(31)).num_jobs == 0
    told, _ = await listener.end_of(await studio.submit(RED_HEART, here, carl))
    assert told.status is JobStatus.STORED
    assert (await studio.forget(31)).num_jobs == 1


@SHARED
async def test_what_is_asked_for_while_it_is_under_way_is_refused_or_forgotten_too(
    opened: tuple[Studio, Listener],
) -> None:
    studio, listener = opened
    dora, here = Member(32, 5), Origin(user_id=32, guild_id=5, channel_id=7)
    job = await studio.submit(Ask("a cat", steps=100), here, dora)
    await listener.moved_on(job)
    accepting = asyncio.create_task(studio.submit(RED_HEART, here, dora))
    forgetting = asyncio.create_task(studio.forget(32))
    late = asyncio.create_task(studio.submit(RED_HEART, here, dora))
    twice = asyncio.create_task(studio.forget(32))
    outcomes = await asyncio.gather(accepting, forgetting, late, twice, return_exceptions=True)
    assert isinstance(outcomes[2], RefusedError)
    assert "being deleted" in str(outcomes[2])
    assert isinstance(outcomes[3], RefusedError)
    assert not await studio.storage.jobs.by_user(32, 5)
    assert (await studio.storage.ledger.balance(5, 32)).held == 0
    assert (await studio.storage.check()).is_sound


@SHARED
async def test_a_worker_that_is_killed_meanwhile_paints_nothing_for_the_forgotten(
    opened: tuple[Studio, Listener],
) -> None:
    studio, listener = opened
    emil, here = Member(33, 5), Origin(user_id=33, guild_id=5, channel_id=7)
    job = await studio.submit(Ask("a cat", steps=100), here, emil)
    await listener.moved_on(job)
    forgetting = asyncio.create_task(studio.forget(33))
    (worker,) = studio.pool.state.workers
    assert worker.pid is not None
    psutil.Process(worker.pid).kill()
    assert (await forgetting).num_jobs == 1
    told, _ = listener.ends[job.id]
    assert told.status is JobStatus.CANCELLED
    assert not await studio.storage.jobs.by_user(33, 5)


async def test_absence_is_waited_for_until_the_last_has_left() -> None:
    attendance = Attendance()
    await attendance.absent(1)
    attendance.came(1)
    with attendance.of(1):
        waiting = asyncio.ensure_future(attendance.absent(1))
        await asyncio.wait_for(attendance.absent(2), 60)
    assert not waiting.done()
    attendance.left(1)
    await asyncio.wait_for(waiting, 60)
