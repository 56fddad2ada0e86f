"""Decides what a member may do, why not, and when again: one pure function, `decide`.

Reading what it needs, and holding what it allows, is `quota_store.py`'s and `ledger.py`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .purse import Purse, draws_on
from .quota_records import (
    NO_CAP,
    Allowance,
    Allowed,
    Ask,
    Decision,
    Draw,
    Grant,
    Reason,
    Refused,
    Rule,
    Rules,
    Spent,
    Standing,
    Terms,
)
from .windows import Period, Window

if TYPE_CHECKING:
    from collections.abc import Callable

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
    "ranks_of",
    "terms_of",
]


def ranks_of(rules: Rules) -> tuple[tuple[tuple[int, Rule], ...], ...]:
    """Who outranks whom, see `Rules`: user, roles, default, bot; each rule with its role's id."""
    return (
        ((0, rules.user),),
        rules.roles,
        ((0, rules.default),),
        ((0, rules.bot),),
    )


def terms_of(rules: Rules) -> Terms:
    """What of the rules counts for the member."""
    ranks = ranks_of(rules)
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
    purse = Purse(terms, standing)
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
        draws=() if room is None else draws_on(ask.cost - room, standing.grants, now),
        role_id=role_id,
    )
