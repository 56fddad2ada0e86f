"""Reads until when something holds, as people write it: `7d`, `tomorrow`, `2026-12-01 18:00`. Pure.

Whose clock a date is meant by is the caller's to know; a server has its own time zone.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from .errors import RefusedError

if TYPE_CHECKING:
    from datetime import date, tzinfo

EXAMPLES = "7d, 12h, or 2026-12-01"
_MAX_YEARS = 10
_NEVER = frozenset(("", "never", "for ever", "forever", "for good", "no", "none", "-"))
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:\s+|t|,\s*)(\d{1,2}):(\d{2}))?")
_PART = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([a-z]+)")
_BETWEEN = re.compile(r"(?:\s|,|and\b)*")
_SECONDS = {
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 7 * 86400.0),
}
_MONTHS = {
    **dict.fromkeys(("mo", "month", "months"), 1),
    **dict.fromkeys(("y", "yr", "year", "years"), 12),
}


def moment(text: str, now: float, zone: tzinfo) -> float | None:
    """Unix seconds; None: never. A date alone means until the end of that day.

    Raises `RefusedError`.
    """
    said = " ".join(text.lower().split())
    if said in _NEVER:
        return None
    local = datetime.fromtimestamp(now, zone)
    try:
        found = _found(said, local)
    except (ValueError, OverflowError) as error:
        raise RefusedError(
            f"I don't know when that is: write {EXAMPLES}, or leave it out for no end."
        ) from error
    if found <= now:
        raise RefusedError("That moment has passed: write one that is to come.")
    if found > _later(local, 12 * _MAX_YEARS).timestamp():
        raise RefusedError(f"That is more than {_MAX_YEARS} years away: leave it out for no end.")
    return found


def _found(said: str, local: datetime) -> float:
    """Raises `ValueError`, `OverflowError`."""
    match said:
        case "today" | "tonight":
            return _end_of(local.date(), local)
        case "tomorrow":
            return _end_of(local.date() + timedelta(days=1), local)
        case _:
            pass
    match = _DATE.fullmatch(said)
    if match is None:
        return _after(said.removeprefix("in "), local)
    year, month, day = (int(match[number]) for number in (1, 2, 3))
    if match[4] is None:
        return _end_of(datetime(year, month, day, tzinfo=local.tzinfo).date(), local)
    wanted = datetime(year, month, day, int(match[4]), int(match[5]), tzinfo=local.tzinfo)
    return wanted.timestamp()


def _after(said: str, local: datetime) -> float:
    """`1w 2d`, `3 months`: months by the calendar, then the rest by the clock."""
    seconds, months, place = 0.0, 0, 0
    while place < len(said):
        part = _PART.match(said, place)
        if part is None:
            raise ValueError(said)
        count, unit = float(part[1]), part[2]
        if unit == "m":
            raise RefusedError("m may be minutes or months: write min or mo.")
        if unit in _MONTHS and count == int(count):
            months += int(count) * _MONTHS[unit]
        elif unit in _SECONDS:
            seconds += count * _SECONDS[unit]
        else:
            raise ValueError(unit)
        between = _BETWEEN.match(said, part.end())
        assert between is not None
        place = between.end()
    return (_later(local, months) if months else local).timestamp() + seconds


def _later(local: datetime, months: int) -> datetime:
    """The same day of a later month, or that month's last. Raises `ValueError`."""
    years, month = divmod(local.month - 1 + months, 12)
    year = local.year + years
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day)


def _end_of(day: date, local: datetime) -> float:
    following = datetime.combine(day + timedelta(days=1), time(), local.tzinfo)
    return following.timestamp()
