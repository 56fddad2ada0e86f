"""Who used how much in the last days: read from storage, cut into few bars and lines.

How it looks is `usage_chart`'s and `cards.quota_usage`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from ..storage.windows import zone_named
from .usage_chart import MAX_BARS, Bar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from ..storage.storage import Storage
    from ..storage.usage import DayUsage

MAX_DAYS = 90
_MAX_RANKS = 6
_STEPS = (1, 2, 3, 5, 7, 10)
"""Days that one bar may stand for."""
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class By(StrEnum):
    """What the figures are sorted by; the values travel in messages, so they stay as they are."""

    USER = "user"
    ROLE = "role"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which report."""

    by: By
    num_days: int
    user_id: int = 0
    """Of one member, by day; 0: of everybody."""


@dataclass(frozen=True, slots=True)
class Line:
    """A bar's own line in the table."""

    bar: Bar
    num_jobs: int
    subject_id: int = 0
    """The member's or role's id, where the line is about one; 0: none, or by no role's rule."""


@dataclass(frozen=True, slots=True)
class Report:
    asked: Asked
    total: int
    """Milli-credits."""
    num_jobs: int
    lines: tuple[Line, ...]

    @property
    def bars(self) -> list[Bar]:
        return [line.bar for line in self.lines]


async def read_report(storage: Storage, guild_id: int, asked: Asked, now: float) -> Report:
    """Days are the server's own, today the last of them."""
    zone = zone_named((await storage.guilds.settings(guild_id)).time_zone)
    first, until = span(now, zone, asked.num_days)
    since, end = _midnight(first, zone), _midnight(until, zone)
    days = await storage.usage.by_day(
        guild_id, since=since, until=end, zone=zone, user_id=asked.user_id or None
    )
    total, num_jobs = sum(day.amount for day in days), sum(day.num_jobs for day in days)
    if asked.by is By.DAY:
        return Report(asked, total, num_jobs, tuple(by_days(days, first, asked.num_days)))
    read = storage.usage.by_user if asked.by is By.USER else storage.usage.by_role
    found = await read(guild_id, since=since, until=end, limit=_MAX_RANKS + 1)
    # The seventh may be all the rest there is; it is counted with it.
    lines = [
        Line(Bar(str(place), usage.amount), usage.num_jobs, usage.subject_id)
        for place, usage in enumerate(found[:_MAX_RANKS], 1)
    ]
    rest = num_jobs - sum(line.num_jobs for line in lines)
    if len(found) > _MAX_RANKS and rest > 0:
        left = max(0, total - sum(line.bar.amount for line in lines))
        lines.append(Line(Bar("…", left, is_rest=True), rest))
    return Report(asked, total, num_jobs, tuple(lines))


def span(now: float, zone: tzinfo, num_days: int) -> tuple[date, date]:
    """The first of the last days, and the day after today."""
    today = datetime.fromtimestamp(now, zone).date()
    return today - timedelta(days=num_days - 1), today + timedelta(days=1)


def by_days(days: Sequence[DayUsage], first: date, num_days: int) -> list[Line]:
    """A bar a day while they fit, else one for several; days without anything too."""
    step = next(each for each in _STEPS if num_days <= each * MAX_BARS)
    amounts: dict[int, int] = {}
    jobs: dict[int, int] = {}
    for usage in days:
        place = (usage.day - first).days // step
        amounts[place] = amounts.get(place, 0) + usage.amount
        jobs[place] = jobs.get(place, 0) + usage.num_jobs
    lines: list[Line] = []
    for place in range(-(-num_days // step)):
        day = first + timedelta(days=place * step)
        label, below = str(day.day), _MONTHS[day.month - 1]
        if step == 1:
            label, below = _WEEKDAYS[day.weekday()], f"{day.day}"
        lines.append(Line(Bar(label, amounts.get(place, 0), below), jobs.get(place, 0)))
    return lines


def _midnight(day: date, zone: tzinfo) -> float:
    return datetime.combine(day, time(), zone or UTC).timestamp()
