"""The spans of time over which a quota counts: clock hours, local days, weeks, months, or rolling.

What counts against them is `quotas.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from .errors import InvalidSettingError

HOUR_S = 3600.0
MAX_ROLLING_S = 31 * 24 * HOUR_S
"""No window is longer than a month: so long, at most, must a forgotten user's use be kept."""


class Window(StrEnum):
    HOUR = "hour"
    """Clock hours of UTC: no change of clocks makes one longer or shorter."""
    DAY = "day"
    """From local midnight."""
    WEEK = "week"
    """From local midnight before Monday."""
    MONTH = "month"
    """From local midnight before the first."""
    ROLLING = "rolling"
    """The last so many seconds, at every moment."""


@dataclass(frozen=True, slots=True)
class Period:
    """Which span: two rules with equal periods share a tally."""

    window: Window = Window.DAY
    rolling_s: float = 0.0
    """Of a rolling window only."""

    def __post_init__(self) -> None:
        if (self.window is Window.ROLLING) != (self.rolling_s > 0):
            raise InvalidSettingError("A rolling window needs a length, and no other takes one.")
        if self.rolling_s > MAX_ROLLING_S:
            raise InvalidSettingError("A rolling window is at most 31 days long.")

    def bounds(self, now: float, zone: tzinfo) -> tuple[float, float]:
        """The moments between which what was spent counts now.

        A calendar window's own first moment and the next one's. What lies after `now` counts
        too, for the clock may have been set back: in a rolling window up to its length ahead.
        """
        match self.window:
            case Window.ROLLING:
                return now - self.rolling_s, now + self.rolling_s
            case Window.HOUR:
                start = now // HOUR_S * HOUR_S
                return start, start + HOUR_S
            case _:
                first, following = self._dates(datetime.fromtimestamp(now, zone).date())
                if _midnight(following, zone) <= now:
                    # Clocks went back over midnight, and it is yesterday again: the new window
                    # has begun and goes on.
                    first, following = self._dates(following)
                return _midnight(first, zone), _midnight(following, zone)

    def is_counted(self, at: float, now: float, zone: tzinfo) -> bool:
        """Whether something spent at a moment counts now."""
        start, end = self.bounds(now, zone)
        if self.window is Window.ROLLING:
            # Added, not subtracted: at the very moment `at + rolling_s` it must be free again.
            return at + self.rolling_s > now and at <= end
        return start <= at < end

    def _dates(self, today: date) -> tuple[date, date]:
        match self.window:
            case Window.DAY:
                return today, today + timedelta(days=1)
            case Window.WEEK:
                monday = today - timedelta(days=today.weekday())
                return monday, monday + timedelta(days=7)
            case Window.MONTH:
                first = today.replace(day=1)
                return first, (first + timedelta(days=31)).replace(day=1)
            case Window.HOUR | Window.ROLLING:
                raise AssertionError(f"{self.window} has no dates")


def _midnight(day: date, zone: tzinfo) -> float:
    # One that clocks skip becomes the moment of the jump, which is that day's first; of one that
    # comes twice it is the first.
    return datetime.combine(day, time(), zone).timestamp()


def zone_named(name: str) -> tzinfo:
    """A time zone by its IANA name. Raises `InvalidSettingError`."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidSettingError(
            f"{name!r} is not a time zone; write one like Europe/Berlin or UTC."
        ) from error
