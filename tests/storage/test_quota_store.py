"""What a decision is fed with: the sums that the database gives are the sums of what was spent."""

from __future__ import annotations

import asyncio
import random
import tempfile
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from limner.storage import (
    Allowance,
    Ask,
    JobStatus,
    Period,
    QuotaRefusedError,
    Refused,
    Rule,
    Storage,
    Window,
)
from limner.storage.errors import InvalidSettingError
from limner.storage.quota_rules import Scope, SetRule
from limner.storage.quotas import Reason

from .makers import ADMIN, GUILD, NOON, USER, Clock, ask, bring_to

PERIODS = [
    *(Period(window) for window in Window if window is not Window.ROLLING),
    Period(Window.ROLLING, 700.0),
    Period(Window.ROLLING, 100_000.0),
]


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(0, 2**32))
def test_whatever_was_spent_when_every_window_sums_it_right(seed: int) -> None:
    asyncio.run(spend_and_compare(random.Random(seed)))


async def spend_and_compare(chance: random.Random) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        async with Storage.open(Path(folder), clock=clock) as storage:
            spent: list[tuple[int, float, int]] = []
            for _ in range(40):
                clock.now = NOON + chance.choice((-1, 1)) * chance.expovariate(1 / 40_000)
                user, cost = chance.choice((1, 2)), chance.choice((0, 1, 300, 1000))
                status = chance.choice(list(JobStatus))
                at = clock.now
                await bring_to(storage, status, ask(user, cost=cost))
                if status not in (JobStatus.FAILED, JobStatus.CANCELLED):
                    spent.append((user, at, cost))
            clock.now = NOON
            for period in PERIODS:
                rule = Rule(Allowance(10**9, period))
                await storage.rules.set(GUILD, Scope.DEFAULT, 0, rule, by=ADMIN)
                await storage.rules.set(GUILD, Scope.BUDGET, 0, rule, by=ADMIN)
                for user in (1, 2):
                    standing = await storage.quotas.standing(GUILD, user)
                    mine = [(at, cost) for name, at, cost in spent if name == user]
                    told = [(one.at, one.amount) for one in standing.spent[period]]
                    assert counted(period, told) == counted(period, mine)
                everybody = [(at, cost) for _, at, cost in spent]
                told = [(one.at, one.amount) for one in standing.budget_spent]
                if period.window is Window.ROLLING:
                    # By quarters of an hour: what lies ahead of the clock may be rounded in.
                    ahead = [one for one in everybody if one[0] > NOON + period.rolling_s - 900]
                    past = [one for one in told if one[0] <= NOON + 900]
                    known = [one for one in everybody if one[0] <= NOON]
                    assert counted(period, known) <= counted(period, past) + sum(
                        cost for _, cost in ahead
                    )
                    assert counted(period, told) <= counted(period, everybody) + sum(
                        cost for _, cost in ahead
                    )
                else:
                    assert counted(period, told) == counted(period, everybody)


def counted(period: Period, spent: list[tuple[float, int]]) -> int:
    return sum(amount for at, amount in spent if period.is_counted(at, NOON, UTC))


async def test_a_check_beforehand_says_what_the_submit_will_say(storage: Storage) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(1500)), by=ADMIN)
    for _ in range(3):
        checked = await storage.quotas.check(GUILD, USER, Ask(1000))
        try:
            await storage.jobs.accept(ask(cost=1000))
        except QuotaRefusedError as error:
            assert checked == error.refused  # noqa: PT017
        else:
            assert not isinstance(checked, Refused)
    assert len(await storage.jobs.unfinished()) == 1


async def test_a_role_lost_or_a_rule_changed_counts_from_the_next_submit_on(
    storage: Storage,
) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(1000)), by=ADMIN)
    await storage.rules.set(GUILD, Scope.ROLE, 50, Rule(Allowance(5000)), by=ADMIN)
    for _ in range(3):
        await storage.jobs.accept(ask(), role_ids=(50, 51))
    with pytest.raises(QuotaRefusedError):
        await storage.jobs.accept(ask())
    await storage.rules.set(GUILD, Scope.ROLE, 50, Rule(Allowance(3500)), by=ADMIN)
    with pytest.raises(QuotaRefusedError) as refusal:
        await storage.jobs.accept(ask(), role_ids=(50,))
    assert refusal.value.refused.left == 500
    await storage.rules.set(GUILD, Scope.ROLE, 50, None, by=ADMIN)
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, None, by=ADMIN)
    await storage.jobs.accept(ask(cost=10**6), role_ids=(50,))


async def test_waiting_and_running_jobs_count_as_unfinished_in_their_server_alone(
    storage: Storage,
) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(max_unfinished=2), by=ADMIN)
    await bring_to(storage, JobStatus.RUNNING)
    await storage.jobs.accept(ask(guild_id=GUILD + 1))
    waiting = await storage.jobs.accept(ask())
    with pytest.raises(QuotaRefusedError) as refusal:
        await storage.jobs.accept(ask())
    assert refusal.value.refused.reason is Reason.TOO_MANY_UNFINISHED
    await storage.jobs.cancel(waiting.id)
    await storage.jobs.accept(ask())


async def test_the_servers_budget_counts_everybody(storage: Storage) -> None:
    await storage.rules.set(GUILD, Scope.BUDGET, 0, Rule(Allowance(2500)), by=ADMIN)
    await storage.jobs.accept(ask(1))
    await storage.jobs.accept(ask(2))
    with pytest.raises(QuotaRefusedError) as refusal:
        await storage.jobs.accept(ask(3))
    assert (refusal.value.refused.reason, refusal.value.refused.left) == (Reason.BUDGET, 500)


async def test_the_bots_own_rule_counts_where_a_server_set_none(
    tmp_path: Path, clock: Clock
) -> None:
    async with Storage.open(tmp_path, bot_rule=Rule(Allowance(1000)), clock=clock) as storage:
        await storage.jobs.accept(ask())
        with pytest.raises(QuotaRefusedError):
            await storage.jobs.accept(ask())
        await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(2000)), by=ADMIN)
        await storage.jobs.accept(ask())


async def test_rules_come_back_as_they_were_set(storage: Storage) -> None:
    rules = [
        SetRule(Scope.BUDGET, 0, Rule(Allowance(9, Period(Window.MONTH)))),
        SetRule(Scope.DEFAULT, 0, Rule(Allowance(None, Period(Window.HOUR)), 1, 2, 3)),
        SetRule(Scope.ROLE, 4, Rule(max_pixels=5)),
        SetRule(Scope.USER, 6, Rule(Allowance(7, Period(Window.ROLLING, 8.5)))),
    ]
    for each in rules:
        await storage.rules.set(GUILD, each.scope, each.subject_id, each.rule, by=ADMIN)
    assert await storage.rules.of_guild(GUILD) == rules
    assert await storage.rules.of_guild(GUILD + 1) == []


@pytest.mark.parametrize(
    ("scope", "subject_id"),
    [(Scope.DEFAULT, 5), (Scope.BUDGET, 5), (Scope.ROLE, 0), (Scope.USER, 0)],
)
async def test_a_rule_for_nobody_in_particular_is_refused(
    storage: Storage, scope: Scope, subject_id: int
) -> None:
    with pytest.raises(InvalidSettingError):
        await storage.rules.set(GUILD, scope, subject_id, Rule(), by=ADMIN)


@pytest.mark.parametrize("amount", [0, -5])
async def test_a_grant_of_nothing_is_refused(storage: Storage, amount: int) -> None:
    with pytest.raises(InvalidSettingError):
        await storage.rules.grant(GUILD, USER, amount, by=ADMIN)
