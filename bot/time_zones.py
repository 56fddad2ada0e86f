"""Names of time zones that fit what somebody types."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

_USUAL = ("UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles")
_MOST = 25


def suggested(current: str) -> list[str]:
    """The usual ones first, then those in which the typed words occur."""
    wanted = "_".join(current.casefold().split())
    if not wanted:
        return list(_USUAL)
    hits = [name for name in _names() if wanted in name.casefold()]
    hits.sort(key=lambda name: (wanted not in name.casefold().split("/")[-1], name))
    return hits[:_MOST]


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))
