"""The quota decision against a plain reference, and the cases that a person would ask about."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.storage.quotas import (
    NO_CAP,
    Allowance,
    Allowed,
    Ask,
    Draw,
    Grant,
    Period,
    Reason,
    Refused,
    Rule,
    Rules,
    Spent,
    Standing,
    Window,
    decide,
)

from .makers import NOON

NOW = NOON
DAY = Period(Window.DAY)
ROLLING = Period(Window.ROLLING, 600.0)


def standing(
    rules: Rules, *spent: Spent, period: Period = DAY, grants: tuple[Grant, ...] = ()
) -> Standing:
    return Standing(rules, spent={period: spent}, grants=grants)


# --- the reference -------------------------------------------------------------------------------
# Written to be read, from the words, with nothing in common with the code but the values.


def counted(period: Period, spent: tuple[Spent, ...], now: float, zone: tzinfo) -> int:
    total = 0
    for one in spent:
        if period.window is Window.ROLLING:
            inside = one.at + period.rolling_s > now and one.at <= now + period.rolling_s
        elif period.window is Window.HOUR:
            inside = int(one.at // 3600) == int(now // 3600)
        else:
            then, today = (datetime.fromtimestamp(each, zone).date() for each in (one.at, now))
            match period.window:
                case Window.DAY:
                    inside = then == today
                case Window.WEEK:
                    inside = then.isocalendar()[:2] == today.isocalendar()[:2]
                case _:
                    inside = (then.year, then.month) == (today.year, today.month)
        total += one.amount if inside else 0
    return total


def room(allowance: Allowance, spent: tuple[Spent, ...], now: float, zone: tzinfo) -> float:
    if allowance.amount is None:
        return float("inf")
    return max(0, allowance.amount - counted(allowance.period, spent, now, zone))


def say(rules: Rules, name: str) -> list[object]:
    """What the highest rank that says anything says."""
    for rank in ([rules.user], [rule for _, rule in rules.roles], [rules.default], [rules.bot]):
        said = [getattr(rule, name) for rule in rank if getattr(rule, name) is not None]
        if said:
            return said
    return []


def may_spend(standing: Standing, now: float) -> tuple[float, float]:
    """What the member may, and what the server may."""
    allowances = say(standing.rules, "allowance")
    member = max(
        (
            room(each, standing.spent.get(each.period, ()), now, standing.zone)
            for each in allowances
            if isinstance(each, Allowance)
        ),
        default=float("inf"),
    )
    for grant in standing.grants:
        if grant.expires_at is None or now < grant.expires_at:
            member += grant.left
    budget = standing.rules.budget
    server = (
        float("inf") if budget is None else room(budget, standing.budget_spent, now, standing.zone)
    )
    return member, server


# --- strategies ----------------------------------------------------------------------------------

amounts = st.integers(0, 30)
periods = st.one_of(
    st.sampled_from([Period(each) for each in Window if each is not Window.ROLLING]),
    st.sampled_from([600.0, 5000.0, 90_000.0]).map(lambda s: Period(Window.ROLLING, s)),
)
allowances = st.builds(Allowance, st.none() | amounts, periods)
caps = st.none() | st.sampled_from([0, 1, 2, 3, NO_CAP])
some_rules = st.builds(Rule, st.none() | allowances, caps, caps, caps)
all_rules = st.builds(
    Rules,
    some_rules,
    st.lists(st.tuples(st.integers(1, 9), some_rules), max_size=3).map(tuple),
    some_rules,
    some_rules,
    st.none() | allowances,
)
# The very edges of windows and expiries, too, which a float would never hit.
edges = st.sampled_from([NOW, NOW - 600.0, NOW - 5000.0, NOW + 600.0])
moments = edges | st.floats(NOW - 40 * 86400, NOW + 2 * 86400)
some_spent = st.lists(st.builds(Spent, moments, st.integers(1, 12)), max_size=6).map(tuple)
some_grants = st.lists(
    st.tuples(st.integers(0, 10), st.none() | edges | st.floats(NOW - 100, NOW + 90_000)),
    max_size=3,
).map(lambda all_: tuple(Grant(number, *each) for number, each in enumerate(all_)))
zones = st.sampled_from(
    [UTC, ZoneInfo("America/Havana"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Pacific/Chatham")]
)


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    rules = draw(all_rules)
    spent = draw(some_spent)
    everybody = [rules.user, *(rule for _, rule in rules.roles), rules.default, rules.bot]
    return Standing(
        rules=rules,
        zone=draw(zones),
        spent={rule.allowance.period: spent for rule in everybody if rule.allowance},
        budget_spent=draw(some_spent),
        grants=draw(some_grants),
        num_unfinished=draw(st.integers(0, 4)),
    )


asks = st.builds(Ask, st.integers(0, 25), st.integers(1, 4), st.integers(0, 4))


@settings(max_examples=250, deadline=None)
@given(asks, standings())
def test_the_decision_is_the_one_of_a_plain_reference(ask: Ask, standing: Standing) -> None:
    decision = decide(ask, standing, NOW)
    member, server = may_spend(standing, NOW)
    left = min(member, server)
    told_left = None if left == float("inf") else left
    for reason, value, name in (
        (Reason.TOO_MANY_PIXELS, ask.num_pixels, "max_pixels"),
        (Reason.TOO_MANY_PICTURES, ask.num_pictures, "max_pictures"),
        (Reason.TOO_MANY_UNFINISHED, standing.num_unfinished + 1, "max_unfinished"),
    ):
        said = [each for each in say(standing.rules, name) if isinstance(each, int)]
        if said and value > max(said):
            assert decision == Refused(reason, ask.cost, told_left, cap=max(said))
            return
    if ask.cost > left:
        assert isinstance(decision, Refused)
        assert decision.reason is (Reason.QUOTA if ask.cost > member else Reason.BUDGET)
        assert (decision.cost, decision.left) == (ask.cost, told_left)
    else:
        assert isinstance(decision, Allowed)
        assert decision.left == (None if told_left is None else told_left - ask.cost)


@settings(max_examples=250, deadline=None)
@given(asks, standings())
def test_the_time_it_tells_is_the_first_at_which_the_same_is_allowed(
    ask: Ask, standing: Standing
) -> None:
    decision = decide(ask, standing, NOW)
    if not isinstance(decision, Refused) or decision.cap is not None:
        return

    def is_affordable(moment: float) -> bool:
        return ask.cost <= min(may_spend(standing, moment))

    # Room only appears where a window ends or where something leaves a rolling one.
    ends = {NOW + 40 * 86400.0}
    for period, spent in (*standing.spent.items(), *_budget_of(standing)):
        if period.window is Window.ROLLING:
            ends |= {one.at + period.rolling_s for one in spent}
        else:
            ends.add(period.bounds(NOW, standing.zone)[1])
    first = min((each for each in ends if each > NOW and is_affordable(each)), default=None)
    again = decision.again_at
    if again is None:
        assert first is None or first == NOW + 40 * 86400.0
    else:
        assert again == first
        assert isinstance(decide(ask, standing, again), Allowed)


def _budget_of(standing: Standing) -> list[tuple[Period, tuple[Spent, ...]]]:
    budget = standing.rules.budget
    return [] if budget is None else [(budget.period, standing.budget_spent)]


@settings(max_examples=150, deadline=None)
@given(asks, standings())
def test_grants_pay_exactly_what_the_allowance_lacks_and_the_soonest_to_expire_first(
    ask: Ask, standing: Standing
) -> None:
    decision = decide(ask, standing, NOW)
    if not isinstance(decision, Allowed):
        return
    allowances = [each for each in say(standing.rules, "allowance") if isinstance(each, Allowance)]
    rooms = [
        room(each, standing.spent.get(each.period, ()), NOW, standing.zone) for each in allowances
    ]
    lacking = max(0, ask.cost - max(rooms, default=float("inf")))
    assert sum(draw.amount for draw in decision.draws) == lacking
    grants = {grant.id: grant for grant in standing.grants}
    drawn = [grants[draw.grant_id] for draw in decision.draws]
    expiries = [grant.expires_at or float("inf") for grant in drawn]
    assert expiries == sorted(expiries)
    assert all(expiry > NOW for expiry in expiries)
    for draw in decision.draws:
        assert 0 < draw.amount <= grants[draw.grant_id].left
    assert all(draw.amount == grants[draw.grant_id].left for draw in decision.draws[:-1])


# --- what a person would ask ---------------------------------------------------------------------


def test_without_any_rule_everything_is_allowed() -> None:
    assert decide(Ask(10**9, 100, 10**9), Standing(), NOW) == Allowed(left=None)


def test_the_best_role_counts_even_where_the_default_is_better() -> None:
    rules = Rules(
        roles=((1, Rule(Allowance(5))), (2, Rule(Allowance(20)))),
        default=Rule(Allowance(100)),
    )
    assert decide(Ask(20), standing(rules), NOW) == Allowed(left=0, role_id=2)
    refused = decide(Ask(21), standing(rules), NOW)
    assert isinstance(refused, Refused)
    assert refused.left == 20


def test_a_members_own_rule_outranks_every_role() -> None:
    rules = Rules(user=Rule(Allowance(1)), roles=((1, Rule(Allowance(None))),))
    assert isinstance(decide(Ask(2), standing(rules), NOW), Refused)


def test_a_rule_that_says_nothing_of_credits_leaves_them_to_the_next() -> None:
    rules = Rules(user=Rule(max_pictures=1), default=Rule(Allowance(7)))
    assert decide(Ask(3), standing(rules), NOW) == Allowed(left=4)
    refused = decide(Ask(3, num_pictures=2), standing(rules), NOW)
    assert refused == Refused(Reason.TOO_MANY_PICTURES, 3, 7, cap=1)


def test_of_two_windows_the_one_that_leaves_more_now_counts() -> None:
    hourly = Allowance(4, Period(Window.HOUR))
    daily = Allowance(10, DAY)
    rules = Rules(roles=((1, Rule(hourly)), (2, Rule(daily))))
    spent = {hourly.period: (), daily.period: (Spent(NOW - 8000, 9),)}
    assert decide(Ask(4), Standing(rules, spent=spent), NOW) == Allowed(left=0, role_id=1)


def test_a_refusal_by_a_rolling_window_tells_when_enough_has_left_it() -> None:
    rules = Rules(default=Rule(Allowance(10, ROLLING)))
    spent = (Spent(NOW - 500, 4), Spent(NOW - 300, 4), Spent(NOW - 100, 2))
    refused = decide(Ask(5), standing(rules, *spent, period=ROLLING), NOW)
    assert refused == Refused(Reason.QUOTA, 5, 0, again_at=NOW + 300)


def test_what_costs_more_than_the_whole_allowance_is_never_again() -> None:
    rules = Rules(default=Rule(Allowance(10, ROLLING)))
    refused = decide(Ask(11), standing(rules, Spent(NOW - 5, 2), period=ROLLING), NOW)
    assert refused == Refused(Reason.QUOTA, 11, 8, again_at=None)


def test_the_servers_budget_bounds_even_the_unlimited_and_grants() -> None:
    rules = Rules(user=Rule(Allowance(None)), budget=Allowance(10, ROLLING))
    refused = decide(
        Ask(5),
        Standing(rules, budget_spent=(Spent(NOW - 100, 8),), grants=(Grant(1, 100),)),
        NOW,
    )
    assert refused == Refused(Reason.BUDGET, 5, 2, again_at=NOW + 500)


def test_grants_are_drawn_in_the_order_in_which_they_expire() -> None:
    grants = (Grant(1, 5), Grant(2, 5, NOW + 9), Grant(3, 5, NOW - 1), Grant(4, 5, NOW + 5))
    rules = Rules(default=Rule(Allowance(1)))
    allowed = decide(Ask(12), standing(rules, grants=grants), NOW)
    assert allowed == Allowed(left=4, draws=(Draw(4, 5), Draw(2, 5), Draw(1, 1)))


def test_a_grant_that_expires_before_the_window_ends_is_not_counted_on_afterwards() -> None:
    rules = Rules(default=Rule(Allowance(10, ROLLING)))
    spent = (Spent(NOW - 100, 10),)
    grants = (Grant(1, 3, NOW + 50),)
    refused = decide(Ask(13), standing(rules, *spent, period=ROLLING, grants=grants), NOW)
    assert isinstance(refused, Refused)
    assert (refused.left, refused.again_at) == (3, None)


@pytest.mark.parametrize("cap", [0, 1, 2])
def test_a_cap_on_unfinished_jobs_counts_the_one_that_is_asked(cap: int) -> None:
    rules = Rules(default=Rule(max_unfinished=cap))
    for unfinished in range(4):
        decision = decide(Ask(1), Standing(rules, num_unfinished=unfinished), NOW)
        assert isinstance(decision, Allowed) == (unfinished + 1 <= cap)


def test_a_clock_set_back_within_the_window_refills_nothing() -> None:
    rules = Rules(default=Rule(Allowance(10, ROLLING)))
    spent = (Spent(NOW, 10),)
    refused = decide(Ask(1), standing(rules, *spent, period=ROLLING), NOW - 400)
    assert refused == Refused(Reason.QUOTA, 1, 0, again_at=NOW + 600)


def test_a_clock_that_was_a_year_ahead_blocks_nobody_after_it_is_mended() -> None:
    for period in (ROLLING, DAY, Period(Window.MONTH)):
        rules = Rules(default=Rule(Allowance(10, period)))
        spent = (Spent(NOW + 365 * 86400, 10),)
        assert isinstance(decide(Ask(10), standing(rules, *spent, period=period), NOW), Allowed)
