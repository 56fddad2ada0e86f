"""The life of a job: which steps are legal, and what each leaves behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from limner.storage import Allowance, JobStatus, QuotaRefusedError, Refused, Rule, Storage
from limner.storage.errors import IllegalTransitionError, NoSuchJobError
from limner.storage.quota_rules import Scope
from limner.storage.quotas import Reason

from .makers import ADMIN, GUILD, NOON, USER, Clock, ask, bring_to, painted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

STEPS: dict[str, Callable[[Storage, int], Awaitable[object]]] = {
    "start": lambda storage, job_id: storage.jobs.start(job_id),
    "store": lambda storage, job_id: storage.jobs.store(job_id, [painted()]),
    "fail": lambda storage, job_id: storage.jobs.fail(job_id, "It failed."),
    "cancel": lambda storage, job_id: storage.jobs.cancel(job_id),
    "told": lambda storage, job_id: storage.jobs.told(job_id),
}
LEGAL = {
    ("start", JobStatus.QUEUED): JobStatus.RUNNING,
    ("start", JobStatus.RUNNING): JobStatus.RUNNING,
    ("store", JobStatus.QUEUED): JobStatus.STORED,
    ("store", JobStatus.RUNNING): JobStatus.STORED,
    ("fail", JobStatus.QUEUED): JobStatus.FAILED,
    ("fail", JobStatus.RUNNING): JobStatus.FAILED,
    ("cancel", JobStatus.QUEUED): JobStatus.CANCELLED,
    ("cancel", JobStatus.RUNNING): JobStatus.CANCELLED,
    ("told", JobStatus.STORED): JobStatus.DELIVERED,
    ("told", JobStatus.FAILED): JobStatus.FAILED,
    ("told", JobStatus.CANCELLED): JobStatus.CANCELLED,
    # Telling twice is what a crash between the message and its row leads to.
    ("told", JobStatus.DELIVERED): JobStatus.DELIVERED,
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_is_taken_from_the_legal_states_and_refused_from_all_others(
    storage: Storage, step: str
) -> None:
    for status in JobStatus:
        before = await bring_to(storage, status)
        wanted = LEGAL.get((step, status))
        if wanted is None:
            with pytest.raises(IllegalTransitionError) as refusal:
                await STEPS[step](storage, before.id)
            assert refusal.value.found is status
            assert await storage.jobs.get(before.id) == before
        else:
            await STEPS[step](storage, before.id)
            assert (await storage.jobs.get(before.id)).status is wanted


@pytest.mark.parametrize("step", STEPS)
async def test_a_job_that_does_not_exist_is_said_to_be_gone(storage: Storage, step: str) -> None:
    with pytest.raises(NoSuchJobError):
        await STEPS[step](storage, 404)


async def test_an_accepted_job_comes_back_as_it_was_asked(storage: Storage) -> None:
    inputs = (await storage.images.put(b"to vary"), await storage.images.put(b"its mask"))
    new = ask(inputs=inputs, seed=2**64 - 1)
    accepted = await storage.jobs.accept(new)
    assert accepted.new == new
    assert accepted.status is JobStatus.QUEUED
    assert accepted.accepted_at == NOON
    assert await storage.jobs.get(accepted.id) == accepted


async def test_each_phase_leaves_its_time(storage: Storage, clock: Clock) -> None:
    job = await storage.jobs.accept(ask())
    clock.now += 1
    await storage.jobs.start(job.id)
    clock.now += 1
    await storage.jobs.store(job.id, [painted()])
    clock.now += 1
    await storage.jobs.told(job.id, message_id=11, channel_id=12)
    job = await storage.jobs.get(job.id)
    times = (job.accepted_at, job.started_at, job.stored_at, job.ended_at, job.told_at)
    assert times == (NOON, NOON + 1, NOON + 2, NOON + 2, NOON + 3)
    assert (job.new.origin.message_id, job.new.origin.channel_id) == (11, 12)


async def test_a_job_whose_owner_was_told_has_forgotten_the_token(storage: Storage) -> None:
    told = await bring_to(storage, JobStatus.DELIVERED)
    assert told.new.origin.interaction_token == ""


async def test_neither_prompt_nor_token_is_in_a_repr(storage: Storage) -> None:
    shown = repr(await storage.jobs.accept(ask(prompt="secret wish")))
    assert "secret wish" not in shown
    assert "the-token" not in shown


async def test_after_a_crash_running_jobs_wait_again_and_stored_ones_are_still_to_be_told(
    tmp_path: Path,
) -> None:
    async with Storage.open(tmp_path) as storage:
        ids = {status: (await bring_to(storage, status)).id for status in JobStatus}
    async with Storage.open(tmp_path) as storage:
        recovered = await storage.jobs.recover()
        assert [job.id for job in recovered] == [ids[JobStatus.QUEUED], ids[JobStatus.RUNNING]]
        assert {job.status for job in recovered} == {JobStatus.QUEUED}
        assert [job.attempts for job in recovered] == [0, 1]
        assert {job.new.seed for job in recovered} == {41}
        untold = [job.id for job in await storage.jobs.untold()]
        assert untold == [
            ids[status] for status in (JobStatus.STORED, JobStatus.FAILED, JobStatus.CANCELLED)
        ]


async def test_telling_is_tried_again_until_it_is_given_up_and_the_reason_stays(
    storage: Storage,
) -> None:
    job = await bring_to(storage, JobStatus.STORED)
    await storage.jobs.delivery_failed(job.id, "the channel is gone")
    assert [job.id for job in await storage.jobs.untold()] == [job.id]
    await storage.jobs.delivery_failed(job.id, "and so is its owner", is_final=True)
    assert await storage.jobs.untold() == []
    job = await storage.jobs.get(job.id)
    assert job.status is JobStatus.STORED
    assert (job.num_told_attempts, job.delivery_error) == (2, "and so is its owner")
    assert job.gave_up_at == NOON
    assert len(await storage.images.of_job(job.id)) == 1


async def test_the_history_of_a_member_is_read_in_pages_and_only_in_its_server(
    storage: Storage,
) -> None:
    mine = [await storage.jobs.accept(ask()) for _ in range(5)]
    await storage.jobs.accept(ask(guild_id=GUILD + 1))
    await storage.jobs.accept(ask(user_id=USER + 1))
    first = await storage.jobs.by_user(USER, GUILD, 3)
    second = await storage.jobs.by_user(USER, GUILD, 3, before_id=first[-1].id)
    assert first + second == list(reversed(mine))


async def test_a_message_leads_to_its_newest_job(storage: Storage) -> None:
    for _ in range(2):
        job = await bring_to(storage, JobStatus.STORED)
        await storage.jobs.told(job.id, channel_id=3, message_id=1234)
    found = await storage.jobs.by_message(1234)
    assert found is not None
    assert found.id == job.id
    await storage.jobs.accept(ask())
    assert await storage.jobs.by_message(0) is None


async def test_of_many_who_submit_at_once_only_as_many_pass_as_the_quota_allows(
    storage: Storage,
) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(3500)), by=ADMIN)
    outcomes = await asyncio.gather(
        *(storage.jobs.accept(ask(cost=1000)) for _ in range(20)), return_exceptions=True
    )
    refused = [each.refused for each in outcomes if isinstance(each, QuotaRefusedError)]
    assert len(refused) == 17
    assert {(each.reason, each.left, each.cost) for each in refused} == {(Reason.QUOTA, 500, 1000)}
    assert len(await storage.jobs.unfinished()) == 3


async def test_a_cancelled_submit_is_accepted_whole_or_not_at_all(storage: Storage) -> None:
    tasks = [asyncio.create_task(storage.jobs.accept(ask())) for _ in range(30)]
    for number, task in enumerate(tasks):
        if number % 3:
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # This one waits for its turn behind whatever was begun.
    await storage.jobs.accept(ask())
    jobs = await storage.jobs.unfinished()
    balance = await storage.ledger.balance(GUILD, USER)
    assert balance.held == 1000 * len(jobs)


async def test_a_cancelled_write_leaves_nothing_open_and_the_next_one_goes_on(
    storage: Storage,
) -> None:
    job = await bring_to(storage, JobStatus.RUNNING)
    storing = asyncio.create_task(storage.jobs.store(job.id, [painted()]))
    await asyncio.sleep(0)
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    others = await asyncio.gather(*(storage.jobs.accept(ask()) for _ in range(5)))
    assert len({other.id for other in others}) == 5


async def test_of_a_cancel_and_a_result_that_meet_exactly_one_wins(storage: Storage) -> None:
    for _ in range(10):
        job = await bring_to(storage, JobStatus.RUNNING)
        outcomes = await asyncio.gather(
            storage.jobs.cancel(job.id),
            storage.jobs.store(job.id, [painted()]),
            return_exceptions=True,
        )
        lost = [each for each in outcomes if isinstance(each, IllegalTransitionError)]
        assert len(lost) == 1
        status = (await storage.jobs.get(job.id)).status
        assert lost[0].found is status
        expected = 0 if status is JobStatus.CANCELLED else 1
        assert len(await storage.images.of_job(job.id)) == expected


async def test_a_refusal_writes_nothing(storage: Storage) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(max_pictures=3), by=ADMIN)
    with pytest.raises(QuotaRefusedError) as refusal:
        await storage.jobs.accept(ask(num_pictures=4))
    assert refusal.value.refused == Refused(Reason.TOO_MANY_PICTURES, 1000, None, cap=3)
    assert await storage.jobs.unfinished() == []
    assert (await storage.ledger.balance(GUILD, USER)).held == 0
