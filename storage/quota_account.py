"""What a member has, for people to read: what is left, by which rule, when there is more. Pure.

What is allowed is decided in `quotas.py`, from the same standing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from .purse import Meter, Purse, live_of
from .quota_records import NO_CAP, Allowance, Grant, Rule
from .quotas import ranks_of, terms_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .quota_records import Standing


class Rank(StrEnum):
    """Whose rule it is; the former outrank the latter."""

    USER = "user"
    ROLE = "role"
    DEFAULT = "default"
    BOT = "bot"
    """The bot's own, where a server set none."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a term comes from."""

    rank: Rank
    role_id: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """An allowance, and what of it is left."""

    allowance: Allowance
    left: int | None
    """Milli-credits; None: unlimited."""
    source: Source | None = None
    """None: the whole server's budget."""
    more_at: float | None = None
    """When more of it is left than now, if nothing else is spent."""
    full_at: float | None = None
    """When all of it is left again; None where it is so now."""


@dataclass(frozen=True, slots=True)
class Cap:
    most: int
    source: Source | None = None
    """None: nobody set one."""


@dataclass(frozen=True, slots=True)
class Account:
    """A member in a server, at a moment."""

    at: float
    left: int | None
    """All together: allowance and grants, bounded by the server's budget; None: unlimited."""
    more_at: float | None
    """When there is more than that by waiting alone."""
    share: Share | None
    """The allowance that leaves most; None: nobody set any."""
    num_shares: int
    """How many of the member's roles have one of that rank."""
    budget: Share | None
    grants: tuple[Grant, ...]
    num_unfinished: int
    max_unfinished: Cap
    max_pixels: Cap
    max_pictures: Cap


def account_of(standing: Standing, now: float) -> Account:
    """What `quotas.decide` would find, told whole."""
    rules = standing.rules
    ranks = tuple(zip(Rank, ranks_of(rules), strict=True))
    terms = terms_of(rules)
    purse = Purse(terms, standing)
    left = purse.left(now)

    def source(named: Callable[[Rule], object | None], role_id: int | None = None) -> Source | None:
        for rank, said in ranks:
            for rule_role, rule in said:
                is_meant = role_id is None or rank is not Rank.ROLE or rule_role == role_id
                if is_meant and named(rule) is not None:
                    return Source(rank, rule_role)
        return None

    def cap(named: Callable[[Rule], int | None]) -> Cap:
        for rank, said in ranks:
            found = [(value, role) for role, rule in said if (value := named(rule)) is not None]
            if found:
                most, role_id = max(found)
                return Cap(most, Source(rank, role_id))
        return Cap(NO_CAP)

    best: Share | None = None
    if terms.allowances:
        role_id, _ = purse.best_room(now)
        allowance = next(each for role, each in terms.allowances if role == role_id)
        meter = Meter(allowance, standing.spent.get(allowance.period, ()), standing.zone)
        best = _share(allowance, meter, now, source(lambda rule: rule.allowance, role_id))
    budget = rules.budget
    return Account(
        at=now,
        left=left,
        more_at=None if left is None else purse.first_time(left + 1, now),
        share=best,
        num_shares=len(terms.allowances),
        budget=(
            None
            if budget is None
            else _share(budget, Meter(budget, standing.budget_spent, standing.zone), now)
        ),
        grants=tuple(live_of(standing.grants, now)),
        num_unfinished=standing.num_unfinished,
        max_unfinished=cap(lambda rule: rule.max_unfinished),
        max_pixels=cap(lambda rule: rule.max_pixels),
        max_pictures=cap(lambda rule: rule.max_pictures),
    )


def _share(allowance: Allowance, meter: Meter, now: float, source: Source | None = None) -> Share:
    left = meter.room(now)
    is_limited = left is not None
    return Share(
        allowance,
        left,
        source,
        more_at=meter.first_more(now) if is_limited else None,
        full_at=meter.first_full(now) if is_limited else None,
    )
