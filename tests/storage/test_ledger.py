"""The ledger: what each end of a job leaves in it, and that nothing in it ever changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from limner.storage import Allowance, JobStatus, QuotaRefusedError, Rule, Storage
from limner.storage.ledger import EntryKind
from limner.storage.quota_rules import Scope

from .makers import ADMIN, GUILD, USER, Clock, ask, bring_to, painted

if TYPE_CHECKING:
    from pathlib import Path


async def lines(storage: Storage, job_id: int) -> list[tuple[EntryKind, int, int]]:
    return [(one.kind, one.amount, one.granted) for one in await storage.ledger.of_job(job_id)]


async def left(storage: Storage, user_id: int = USER) -> int | None:
    """What may still be spent, as the refusal of something dear tells it."""
    with pytest.raises(QuotaRefusedError) as refusal:
        await storage.jobs.accept(ask(user_id, cost=10**9))
    return refusal.value.refused.left


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (JobStatus.RUNNING, []),
        (JobStatus.STORED, [(EntryKind.SETTLE, 1000, 0)]),
        (JobStatus.FAILED, [(EntryKind.RELEASE, 1000, 0)]),
        (JobStatus.CANCELLED, [(EntryKind.RELEASE, 1000, 0)]),
    ],
)
async def test_a_hold_is_settled_or_released_at_the_end(
    storage: Storage, status: JobStatus, expected: list[tuple[EntryKind, int, int]]
) -> None:
    job = await bring_to(storage, status)
    assert await lines(storage, job.id) == [(EntryKind.HOLD, 1000, 0), *expected]


async def test_a_cancelled_job_may_cost_a_part(storage: Storage) -> None:
    job = await bring_to(storage, JobStatus.RUNNING)
    await storage.jobs.cancel(job.id, settle=300)
    ends = [(EntryKind.SETTLE, 300, 0), (EntryKind.RELEASE, 700, 0)]
    assert (await lines(storage, job.id))[1:] == ends
    assert await storage.ledger.used(GUILD, USER) == 300


async def test_a_job_that_costs_nothing_still_has_an_end(storage: Storage) -> None:
    job = await storage.jobs.accept(ask(cost=0))
    await storage.jobs.start(job.id)
    await storage.jobs.store(job.id, [painted()])
    assert [line[0] for line in await lines(storage, job.id)] == [EntryKind.HOLD, EntryKind.RELEASE]


async def test_more_than_was_held_is_never_settled(storage: Storage) -> None:
    job = await bring_to(storage, JobStatus.RUNNING)
    with pytest.raises(AssertionError):
        await storage.jobs.store(job.id, [painted()], settle=1001)
    assert (await storage.jobs.get(job.id)).status is JobStatus.RUNNING


async def test_a_grant_pays_what_the_allowance_does_not_and_gets_it_back_first(
    storage: Storage,
) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(600)), by=ADMIN)
    await storage.rules.grant(GUILD, USER, 500, by=ADMIN, reason="thanks")
    job = await storage.jobs.accept(ask(cost=1000))
    assert (await lines(storage, job.id)) == [(EntryKind.HOLD, 1000, 400)]
    assert await left(storage) == 100
    await storage.jobs.start(job.id)
    await storage.jobs.cancel(job.id, settle=700)
    # 600 of the 700 come from the allowance, 100 from the grant, which gets 300 back.
    assert (await lines(storage, job.id))[1:] == [
        (EntryKind.SETTLE, 700, 100),
        (EntryKind.RELEASE, 300, 300),
    ]
    assert await left(storage) == 400


async def test_what_comes_back_goes_to_the_grant_that_lives_longest(
    storage: Storage, clock: Clock
) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(0)), by=ADMIN)
    await storage.rules.grant(GUILD, USER, 100, by=ADMIN, expires_at=clock.now + 10)
    await storage.rules.grant(GUILD, USER, 100, by=ADMIN)
    await storage.rules.grant(GUILD, USER, 100, by=ADMIN, expires_at=clock.now + 20)
    job = await storage.jobs.accept(ask(cost=250))
    await storage.jobs.start(job.id)
    await storage.jobs.cancel(job.id, settle=100)
    clock.now += 15
    # They paid 100, 50 and 100. The first, which is over now, paid what stays spent.
    assert await left(storage) == 100 + 100


async def test_an_expired_grant_is_gone(storage: Storage, clock: Clock) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(0)), by=ADMIN)
    await storage.rules.grant(GUILD, USER, 500, by=ADMIN, expires_at=clock.now + 10)
    clock.now += 9.9
    assert await left(storage) == 500
    clock.now += 0.1
    assert await left(storage) == 0


async def test_a_reset_lets_a_member_begin_anew_and_a_late_refund_gives_no_more(
    storage: Storage, clock: Clock
) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(1500)), by=ADMIN)
    job = await storage.jobs.accept(ask(cost=1000))
    clock.now += 1
    await storage.rules.reset(GUILD, USER, by=ADMIN)
    assert await left(storage) == 1500
    await storage.jobs.fail(job.id, "It failed.")
    assert await left(storage) == 1500


async def test_everybody_can_be_reset_at_once(storage: Storage, clock: Clock) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(1500)), by=ADMIN)
    for user in (1, 2):
        await storage.jobs.accept(ask(user))
    clock.now += 1
    await storage.rules.reset(GUILD, by=ADMIN)
    assert [await left(storage, user) for user in (1, 2)] == [1500, 1500]


async def test_servers_do_not_share_a_quota(storage: Storage) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(1000)), by=ADMIN)
    await storage.jobs.accept(ask(guild_id=GUILD + 1))
    await storage.jobs.accept(ask(guild_id=GUILD + 1))
    assert await left(storage) == 1000


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger",
        "UPDATE ledger SET amount = 0",
        "UPDATE ledger SET user_id = 12",
        "UPDATE ledger SET reason = 'other'",
        "DELETE FROM grant_draws",
        "UPDATE grant_draws SET amount = 1",
        "DELETE FROM audit_log",
        "UPDATE audit_log SET actor_id = 5",
        "UPDATE audit_log SET action = 'nothing'",
        "INSERT INTO ledger (kind, job_id, guild_id, user_id, amount, at, counts_at) "
        "VALUES ('hold', 1, 8, 7, 5, 1, 1)",
        "INSERT INTO ledger (kind, job_id, guild_id, user_id, amount, at, counts_at) "
        "VALUES ('release', 1, 8, 7, 1001, 1, 1)",
        "INSERT INTO ledger (kind, job_id, guild_id, user_id, amount, at, counts_at) "
        "VALUES ('settle', 77, 8, 7, 1, 1, 1)",
        "INSERT INTO ledger (kind, guild_id, user_id, amount, at, counts_at) "
        "VALUES ('grant', 8, 7, -1, 1, 1)",
    ],
)
async def test_the_database_itself_refuses_to_rewrite_what_happened(
    storage: Storage, tmp_path: Path, statement: str
) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(0)), by=ADMIN)
    await storage.rules.grant(GUILD, USER, 5000, by=ADMIN)
    await storage.jobs.accept(ask())
    with (
        closing(sqlite3.connect(tmp_path / "data" / "limner.db")) as connection,
        pytest.raises(sqlite3.IntegrityError),
    ):
        connection.execute(statement)
