"""What a member is told of their account is what a decision would find, whatever the rules."""

from __future__ import annotations

from hypothesis import given, settings

from limner.storage import Allowance, Ask, JobStatus, Period, Rule, Storage, Window
from limner.storage.quota_account import Rank, Source, account_of
from limner.storage.quota_records import NO_CAP, Allowed, Grant, Reason, Refused, Standing
from limner.storage.quota_rules import Changed, Scope
from limner.storage.quotas import decide

from .makers import ADMIN, GUILD, NOON, USER, Clock, ask, bring_to
from .test_quotas import NOW, may_spend, standings


@settings(max_examples=200, deadline=None)
@given(standings())
def test_what_is_told_is_what_is_decided(standing: Standing) -> None:
    account = account_of(standing, NOW)
    member, server = may_spend(standing, NOW)
    assert account.left == (None if min(member, server) == float("inf") else min(member, server))
    caps = (account.max_pixels, account.max_pictures, account.max_unfinished)
    ask = Ask(
        account.left or 0,
        num_pictures=min(1, account.max_pictures.most),
        num_pixels=0,
    )
    may_begin = standing.num_unfinished < account.max_unfinished.most
    decision = decide(ask, standing, NOW)
    if may_begin:
        assert isinstance(decision, Allowed)
    else:
        assert isinstance(decision, Refused)
        assert decision.reason is Reason.TOO_MANY_UNFINISHED
    if account.left is not None and may_begin:
        more = decide(Ask(account.left + 1, ask.num_pictures), standing, NOW)
        assert isinstance(more, Refused)
        assert more.again_at == account.more_at
    assert all((cap.most == NO_CAP) or cap.source is not None for cap in caps)
    for share in (account.share, account.budget):
        if share is None or share.left is None:
            continue
        assert 0 <= share.left <= (share.allowance.amount or 0)
        if share.left == share.allowance.amount:
            assert share.more_at is None
            assert share.full_at is None
        elif share.more_at is not None and share.full_at is not None:
            assert NOW < share.more_at <= share.full_at


async def test_each_term_names_the_rule_that_it_comes_from(storage: Storage, clock: Clock) -> None:
    half_day = Period(Window.ROLLING, 12 * 3600.0)
    rules = storage.rules
    await rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(9000), 7, 100, 4), by=ADMIN)
    await rules.set(GUILD, Scope.ROLE, 50, Rule(Allowance(2000, half_day), 2), by=ADMIN)
    await rules.set(GUILD, Scope.ROLE, 51, Rule(Allowance(3000), 3), by=ADMIN)
    await rules.set(GUILD, Scope.USER, USER, Rule(max_pictures=1), by=ADMIN)
    await rules.set(GUILD, Scope.BUDGET, 0, Rule(Allowance(10_000)), by=ADMIN)
    await storage.jobs.accept(ask(cost=500), role_ids=(50, 51))
    clock.now += 60
    await bring_to(storage, JobStatus.DELIVERED, ask(9, cost=8500))
    account = await storage.quotas.account(GUILD, USER, (50, 51, 52))
    assert account.share is not None
    assert account.share.source == Source(Rank.ROLE, 51)
    assert (account.share.left, account.num_shares) == (2500, 2)
    assert account.left == 1000, "the server's budget leaves no more"
    assert account.budget is not None
    assert account.budget.left == 1000
    assert account.num_unfinished == 1
    assert (account.max_unfinished.most, account.max_unfinished.source) == (
        3,
        Source(Rank.ROLE, 51),
    )
    assert (account.max_pixels.most, account.max_pixels.source) == (100, Source(Rank.DEFAULT))
    assert (account.max_pictures.most, account.max_pictures.source) == (1, Source(Rank.USER))
    # With the other role alone it is a rolling one: the moment at which it comes back is known.
    account = await storage.quotas.account(GUILD, USER, (50,))
    assert account.share is not None
    assert account.share.left == 1500
    assert account.share.more_at == account.share.full_at == NOON + 12 * 3600


async def test_grants_are_told_with_their_reasons_also_to_who_has_no_limit(
    storage: Storage, clock: Clock
) -> None:
    await storage.rules.set(GUILD, Scope.USER, USER, Rule(Allowance(None)), by=ADMIN)
    await storage.rules.grant(GUILD, USER, 5, by=ADMIN, reason="thanks", expires_at=NOON + 5)
    await storage.rules.grant(GUILD, USER, 6, by=ADMIN)
    account = await storage.quotas.account(GUILD, USER)
    assert account.left is None
    assert [(each.left, each.reason) for each in account.grants] == [(5, "thanks"), (6, "")]
    clock.now += 6
    account = await storage.quotas.account(GUILD, USER)
    assert [each.left for each in account.grants] == [6]
    assert account.grants == (Grant(account.grants[0].id, 6),)


async def test_a_rule_is_changed_from_what_it_was_and_only_changes_are_logged(
    storage: Storage,
) -> None:
    def more(before: Rule | None) -> Rule:
        return Rule(before.allowance if before else Allowance(1), max_pictures=2)

    for wanted in (Changed(None, Rule(Allowance(1), max_pictures=2)), None):
        changed = await storage.rules.change(GUILD, Scope.ROLE, 5, more, by=ADMIN)
        assert changed == (wanted or Changed(changed.before, changed.before))
    assert len(await storage.audit.entries(GUILD)) == 1
    # A rule that says nothing is none.
    await storage.rules.set(GUILD, Scope.ROLE, 5, Rule(), by=ADMIN)
    assert await storage.rules.find(GUILD, Scope.ROLE, 5) is None
    assert [each.action for each in await storage.audit.entries(GUILD)] == [
        "quota.drop",
        "quota.set",
    ]
    await storage.rules.set(GUILD, Scope.ROLE, 5, None, by=ADMIN)
    assert len(await storage.audit.entries(GUILD)) == 2


async def test_a_rule_for_somebody_forgotten_is_found_and_changed_when_they_are_back(
    storage: Storage,
) -> None:
    await storage.rules.set(GUILD, Scope.USER, USER, Rule(Allowance(5), max_pictures=1), by=ADMIN)
    await storage.forget_user(USER)
    assert await storage.rules.find(GUILD, Scope.USER, USER) == Rule(Allowance(5), max_pictures=1)

    def raised(before: Rule | None) -> Rule:
        assert before is not None
        return Rule(Allowance(9), max_pictures=before.max_pictures)

    await storage.rules.change(GUILD, Scope.USER, USER, raised, by=ADMIN)
    (rule,) = await storage.rules.of_guild(GUILD)
    assert (rule.subject_id, rule.rule) == (USER, Rule(Allowance(9), max_pictures=1))


async def test_a_change_that_is_refused_changes_nothing(storage: Storage) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(5)), by=ADMIN)

    def refuse(before: Rule | None) -> Rule:
        raise ValueError(before)

    try:
        await storage.rules.change(GUILD, Scope.DEFAULT, 0, refuse, by=ADMIN)
    except ValueError:
        pass
    else:
        raise AssertionError("it was swallowed")
    assert await storage.rules.find(GUILD, Scope.DEFAULT, 0) == Rule(Allowance(5))
    assert len(await storage.audit.entries(GUILD)) == 1


async def test_the_lines_after_one_are_the_nearest_newest_first(storage: Storage) -> None:
    for number in range(1, 7):
        await storage.rules.grant(GUILD, USER, number, by=ADMIN)
    await storage.rules.grant(GUILD + 1, USER, 99, by=ADMIN)
    all_ids = [each.id for each in await storage.audit.entries(GUILD)]
    after = await storage.audit.entries_after(GUILD, all_ids[-2], limit=3, action="quota.")
    assert [each.id for each in after] == all_ids[1:4]
    assert await storage.audit.entries_after(GUILD, all_ids[0]) == []
    assert await storage.audit.entries_after(GUILD, 0, action="ban.") == []
