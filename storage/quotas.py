"""Decides what a member may do, why not, and when again: one pure function, `decide`.

Reading what it needs, and holding what it allows, is `quota_store.py`'s and `ledger.py`'s.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING

from .errors import InvalidSettingError
from .windows import Period, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "NO_CAP",
    "Allowance",
    "Allowed",
    "Ask",
    "Decision",
    "Draw",
    "Grant",
    "Period",
    "Reason",
    "Refused",
    "Rule",
    "Rules",
    "Spent",
    "Standing",
    "Terms",
    "Window",
    "decide",
    "terms_of",
]

NO_CAP = 2**31 - 1
"""A cap that lifts a lower-ranking one."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many milli-credits a period; None: unlimited."""

    amount: int | None
    period: Period = field(default_factory=Period)

    def __post_init__(self) -> None:
        if self.amount is not None and self.amount < 0:
            raise InvalidSettingError("An allowance can't be below 0.")


@dataclass(frozen=True, slots=True)
class Rule:
    """What an owner set for somebody; a None says nothing, so that the next rule counts."""

    allowance: Allowance | None = None
    max_unfinished: int | None = None
    """Jobs of one member that wait or run at once."""
    max_pixels: int | None = None
    """Of one picture."""
    max_pictures: int | None = None
    """Of one job."""

    def __post_init__(self) -> None:
        for cap in (self.max_unfinished, self.max_pixels, self.max_pictures):
            if cap is not None and not 0 <= cap <= NO_CAP:
                raise InvalidSettingError(f"A cap lies between 0 and {NO_CAP}.")


@dataclass(frozen=True, slots=True)
class Rules:
    """Every rule that concerns one member of one server.

    For each of a rule's four subjects: the member's own counts; else the best of the roles';
    else the server's default; else the bot's.
    """

    user: Rule = field(default_factory=Rule)
    roles: tuple[tuple[int, Rule], ...] = ()
    """Only the roles that the member has, with their ids."""
    default: Rule = field(default_factory=Rule)
    bot: Rule = field(default_factory=Rule)
    budget: Allowance | None = None
    """What the whole server may spend."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Milli-credits that count from a moment on; what stops counting at once may be summed."""

    at: float
    amount: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What is left of credits given beside the rules."""

    id: int
    left: int
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a decision depends on, beside the ask and the time."""

    rules: Rules = field(default_factory=Rules)
    zone: tzinfo = UTC
    spent: Mapping[Period, tuple[Spent, ...]] = field(
        default_factory=dict[Period, tuple[Spent, ...]]
    )
    """By the member, without what grants paid; at least what counts now."""
    budget_spent: tuple[Spent, ...] = ()
    """By the whole server, with what grants paid."""
    grants: tuple[Grant, ...] = ()
    num_unfinished: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """What a member wants: its price and its size."""

    cost: int
    num_pictures: int = 1
    num_pixels: int = 0
    """Of one picture."""


class Reason(StrEnum):
    """Why a job is refused."""

    TOO_MANY_PIXELS = "too many pixels"
    TOO_MANY_PICTURES = "too many pictures"
    TOO_MANY_UNFINISHED = "too many unfinished jobs"
    QUOTA = "the member's quota"
    BUDGET = "the server's budget"


@dataclass(frozen=True, slots=True)
class Draw:
    """A part of a cost that a grant pays."""

    grant_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class Allowed:
    left: int | None
    """Milli-credits that the member may still spend after this; None: unlimited."""
    draws: tuple[Draw, ...] = ()
    role_id: int = 0
    """Whose rule allowed it; 0: not a role's."""


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Reason
    cost: int
    left: int | None
    """Milli-credits that the member may spend now; None: unlimited."""
    again_at: float | None = None
    """When the same would be allowed, if nothing else were spent; None: not by waiting."""
    cap: int | None = None
    """The cap that it is over, where it is a cap."""


Decision = Allowed | Refused


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules boiled down to what counts for one member."""

    allowances: tuple[tuple[int, Allowance], ...]
    """With the role's id, or 0. The one that leaves most counts; none at all: unlimited."""
    max_unfinished: int
    max_pixels: int
    max_pictures: int


def terms_of(rules: Rules) -> Terms:
    """Who outranks whom, see `Rules`."""
    ranks = (
        ((0, rules.user),),
        rules.roles,
        ((0, rules.default),),
        ((0, rules.bot),),
    )
    allowances: tuple[tuple[int, Allowance], ...] = ()
    for rank in ranks:
        allowances = tuple(
            (role_id, rule.allowance) for role_id, rule in rank if rule.allowance is not None
        )
        if allowances:
            break

    def cap(named: Callable[[Rule], int | None]) -> int:
        for rank in ranks:
            said = [value for _, rule in rank if (value := named(rule)) is not None]
            if said:
                return max(said)
        return NO_CAP

    return Terms(
        allowances=allowances,
        max_unfinished=cap(lambda rule: rule.max_unfinished),
        max_pixels=cap(lambda rule: rule.max_pixels),
        max_pictures=cap(lambda rule: rule.max_pictures),
    )


def decide(ask: Ask, standing: Standing, now: float) -> Decision:
    """What a member may do, and why not, and when again.

    The allowance pays first, then the grants, the one that expires first before the others;
    the server's budget bounds both.
    """
    terms = terms_of(standing.rules)
    purse = _Purse(terms, standing)
    left = purse.left(now)
    for reason, wanted, cap in (
        (Reason.TOO_MANY_PIXELS, ask.num_pixels, terms.max_pixels),
        (Reason.TOO_MANY_PICTURES, ask.num_pictures, terms.max_pictures),
        (Reason.TOO_MANY_UNFINISHED, standing.num_unfinished + 1, terms.max_unfinished),
    ):
        if wanted > cap:
            return Refused(reason, ask.cost, left, cap=cap)

    if left is not None and ask.cost > left:
        members_left = purse.members_left(now)
        by_member = members_left is not None and ask.cost > members_left
        return Refused(
            Reason.QUOTA if by_member else Reason.BUDGET,
            ask.cost,
            left,
            again_at=purse.first_time(ask.cost, now),
        )
    role_id, room = purse.best_room(now)
    return Allowed(
        left=None if left is None else left - ask.cost,
        draws=() if room is None else _draws(ask.cost - room, standing.grants, now),
        role_id=role_id,
    )


class _Meter:
    """What one allowance leaves at a moment, found by bisection in what was spent."""

    def __init__(self, allowance: Allowance, spent: Iterable[Spent], zone: tzinfo) -> None:
        self._amount = allowance.amount
        self._period = allowance.period
        self._zone = zone
        ordered = sorted(spent, key=lambda one: one.at)
        self._ats = [one.at for one in ordered]
        # Added as `Period.is_counted` adds, so that both round alike.
        self._frees = [one.at + self._period.rolling_s for one in ordered]
        self._sums = list(accumulate((one.amount for one in ordered), initial=0))

    def room(self, now: float) -> int | None:
        """Milli-credits; None: unlimited."""
        if self._amount is None:
            return None
        start, end = self._period.bounds(now, self._zone)
        if self._period.window is Window.ROLLING:
            first, last = bisect_right(self._frees, now), bisect_right(self._ats, end)
        else:
            first, last = bisect_left(self._ats, start), bisect_left(self._ats, end)
        return max(0, self._amount - (self._sums[last] - self._sums[first]))

    def changes(self, now: float) -> Iterable[float]:
        """When there may be more room than now."""
        if self._period.window is Window.ROLLING:
            return self._frees[bisect_right(self._frees, now) :]
        return (self._period.bounds(now, self._zone)[1],)


class _Purse:
    """The member's meters, the server's, and the grants."""

    def __init__(self, terms: Terms, standing: Standing) -> None:
        self._grants = standing.grants
        self._meters = [
            (role_id, _Meter(allowance, standing.spent.get(allowance.period, ()), standing.zone))
            for role_id, allowance in terms.allowances
        ]
        budget = standing.rules.budget
        self._budget = (
            None if budget is None else _Meter(budget, standing.budget_spent, standing.zone)
        )

    def best_room(self, now: float) -> tuple[int, int | None]:
        """The rule that leaves most, by its role's id."""
        rooms = [(role_id, meter.room(now)) for role_id, meter in self._meters]
        return max(
            rooms,
            key=lambda one: math.inf if one[1] is None else one[1],
            default=(0, None),
        )

    def members_left(self, now: float) -> int | None:
        _, room = self.best_room(now)
        return None if room is None else room + sum(g.left for g in _live(self._grants, now))

    def left(self, now: float) -> int | None:
        """What the member may spend; None: unlimited."""
        budget = None if self._budget is None else self._budget.room(now)
        bounds = [left for left in (self.members_left(now), budget) if left is not None]
        return min(bounds, default=None)

    def first_time(self, cost: int, now: float) -> float | None:
        """The first moment at which so much is left; None: never by waiting alone."""
        meters = [meter for _, meter in self._meters]
        if self._budget is not None:
            meters.append(self._budget)
        for moment in sorted({change for meter in meters for change in meter.changes(now)}):
            left = self.left(moment)
            if left is None or left >= cost:
                return moment
        return None


def _live(grants: Iterable[Grant], now: float) -> list[Grant]:
    return [grant for grant in grants if grant.expires_at is None or grant.expires_at > now]


def _draws(amount: int, grants: Iterable[Grant], now: float) -> tuple[Draw, ...]:
    """Takes an amount from the grants, those that expire first before the others."""
    draws: list[Draw] = []
    live = _live(grants, now)
    for grant in sorted(live, key=lambda one: (one.expires_at or math.inf, one.id)):
        if amount <= 0:
            break
        taken = min(amount, grant.left)
        if taken > 0:
            draws.append(Draw(grant.id, taken))
            amount -= taken
    return tuple(draws)
