"""Quotas in words: an allowance, a rule, what changed between two, whom a rule is for. Pure.

Cards and the audit log are made of these; the figures themselves are storage's.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

from ...storage.quota_records import NO_CAP
from ...storage.quota_rules import Scope
from ...storage.windows import Window
from ..pricing import credits_text

if TYPE_CHECKING:
    from ...storage.quota_records import Allowance, Rule
    from ...storage.windows import Period

NO_RULE = "no rule"
_SPANS = {
    Window.HOUR: "an hour",
    Window.DAY: "a day",
    Window.WEEK: "a week",
    Window.MONTH: "a month",
}
_HOUR_S = 3600.0


def allowance(said: Allowance) -> str:
    """`20 credits a day`, `unlimited`."""
    if said.amount is None:
        return "unlimited credits"
    return f"{credits_text(said.amount)} {span(said.period)}"


def span(period: Period) -> str:
    """`a day`, `in any 36 hours`."""
    if period.window is not Window.ROLLING:
        return _SPANS[period.window]
    return f"in any {length(period.rolling_s)}"


def length(seconds: float) -> str:
    """`36 hours`, `7 days`, `90 minutes`."""
    for unit_s, name in ((24 * _HOUR_S, "days"), (_HOUR_S, "hours")):
        count = seconds / unit_s
        if count == int(count) and count > 1:
            return f"{int(count)} {name}"
    return "hour" if seconds == _HOUR_S else f"{seconds / 60:g} minutes"


def at_once(cap: int) -> str:
    if cap >= NO_CAP:
        return "any number of jobs at once"
    return "1 job at once" if cap == 1 else f"{cap or 'no'} jobs at once"


def size(cap: int) -> str:
    """A cap is an area; people think of a square."""
    if cap >= NO_CAP:
        return "pictures of any size"
    return f"pictures up to {isqrt(cap)} × {isqrt(cap)}"


def pictures(cap: int) -> str:
    if cap >= NO_CAP:
        return "any number of pictures a job"
    return "1 picture a job" if cap == 1 else f"{cap or 'no'} pictures a job"


def parts(rule: Rule) -> list[str | None]:
    """Each of a rule's four subjects; None where it says nothing of one."""
    return [
        None if rule.allowance is None else allowance(rule.allowance),
        None if rule.max_unfinished is None else at_once(rule.max_unfinished),
        None if rule.max_pixels is None else size(rule.max_pixels),
        None if rule.max_pictures is None else pictures(rule.max_pictures),
    ]


def rule(said: Rule | None) -> str:
    """`20 credits a day, 2 jobs at once`."""
    if said is None:
        return NO_RULE
    return ", ".join(part for part in parts(said) if part is not None) or NO_RULE


def change(before: Rule | None, after: Rule | None) -> str:
    """`10 credits a day → 20 credits a day`: only what is not as it was."""
    if before is None or after is None:
        return f"{rule(before)} → {rule(after)}"
    changed = [
        f"{was or 'not said'} → {now or 'not said'}"
        for was, now in zip(parts(before), parts(after), strict=True)
        if was != now
    ]
    return ", ".join(changed) or "nothing changed"


def whom(scope: Scope, subject_id: int, guild_id: int = 0) -> str:
    """Whom a rule is for, as a mention where Discord has one; it pings nobody."""
    match scope:
        case Scope.DEFAULT:
            return "everybody (the default)"
        case Scope.BUDGET:
            return "the whole server (its budget)"
        case Scope.ROLE:
            return role(subject_id, guild_id)
        case Scope.USER:
            return person(subject_id)


def person(user_id: int) -> str:
    """Below 0 is the pseudonym of somebody who had their data deleted."""
    return f"<@{user_id}>" if user_id > 0 else "somebody forgotten"


def role(role_id: int, guild_id: int = 0) -> str:
    """Everyone's role has the server's own id, and no mention."""
    return "everyone" if role_id == guild_id else f"<@&{role_id}>"
