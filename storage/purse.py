"""Finds what a member may spend at any moment, and when that changes; pure, by bisection.

Which rules count, and what is answered, is `quotas.py`'s.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from .quota_records import Allowance, Draw, Grant, Spent, Standing, Terms
from .windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo


class Meter:
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

    def first_more(self, now: float) -> float | None:
        """The first moment with more room than now, if nothing else is spent."""
        return self._first(now, (self.room(now) or 0) + 1)

    def first_full(self, now: float) -> float | None:
        """The first moment at which nothing counts any more; None where nothing does now."""
        if self._amount is None or (self.room(now) or 0) >= self._amount:
            return None
        return self._first(now, self._amount)

    def _first(self, now: float, wanted: int) -> float | None:
        for moment in self.changes(now):
            room = self.room(moment)
            if room is None or room >= wanted:
                return moment
        return None

    def changes(self, now: float) -> Iterable[float]:
        """When there may be more room than now."""
        if self._period.window is Window.ROLLING:
            return self._frees[bisect_right(self._frees, now) :]
        return (self._period.bounds(now, self._zone)[1],)


class Purse:
    """The member's meters, the server's, and the grants."""

    def __init__(self, terms: Terms, standing: Standing) -> None:
        self._grants = standing.grants
        self._meters = [
            (role_id, Meter(allowance, standing.spent.get(allowance.period, ()), standing.zone))
            for role_id, allowance in terms.allowances
        ]
        budget = standing.rules.budget
        self._budget = (
            None if budget is None else Meter(budget, standing.budget_spent, standing.zone)
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
        return None if room is None else room + sum(g.left for g in live_of(self._grants, now))

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


def live_of(grants: Iterable[Grant], now: float) -> list[Grant]:
    return [grant for grant in grants if grant.expires_at is None or grant.expires_at > now]


def draws_on(amount: int, grants: Iterable[Grant], now: float) -> tuple[Draw, ...]:
    """Takes an amount from the grants, those that expire first before the others."""
    draws: list[Draw] = []
    live = live_of(grants, now)
    for grant in sorted(live, key=lambda one: (one.expires_at or math.inf, one.id)):
        if amount <= 0:
            break
        taken = min(amount, grant.left)
        if taken > 0:
            draws.append(Draw(grant.id, taken))
            amount -= taken
    return tuple(draws)
