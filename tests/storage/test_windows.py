"""Windows: where they begin and end, whatever the zone and its clock changes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from limner.storage.errors import InvalidSettingError
from limner.storage.windows import MAX_ROLLING_S, Period, Window, zone_named

# Half and quarter hours, both hemispheres, midnights that are skipped (Sao Paulo, Santiago,
# Beirut), repeated (Havana, and with the evening before it Saint John's), and a day that never
# was (Apia, 30 December 2011).
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Sao_Paulo",
        "America/St_Johns",
        "America/Santiago",
        "America/Havana",
        "Asia/Beirut",
        "Asia/Kathmandu",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Pacific/Chatham",
    )
]
zones = st.sampled_from(ZONES)
moments = st.floats(
    datetime(2005, 1, 1, tzinfo=UTC).timestamp(), datetime(2037, 1, 1, tzinfo=UTC).timestamp()
)
calendars = st.sampled_from([Window.HOUR, Window.DAY, Window.WEEK, Window.MONTH])
LONGEST_S = {
    Window.HOUR: 3600,
    Window.DAY: 26 * 3600,
    Window.WEEK: (7 * 24 + 2) * 3600,
    Window.MONTH: (31 * 24 + 2) * 3600,
}


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


ST_JOHNS = ZoneInfo("America/St_Johns")
# Within the hour after 00:01 of 2 November 2008 there, which was 23:01 of the 1st again.
REPEATED_EVENING = datetime(2008, 11, 2, 2, 50, tzinfo=UTC).timestamp()


@settings(deadline=None)
@given(moments, zones, calendars)
@example(REPEATED_EVENING, ST_JOHNS, Window.DAY)
def test_a_moment_lies_in_its_window_and_the_next_begins_where_it_ends(
    now: float, zone: ZoneInfo, window: Window
) -> None:
    start, end = Period(window).bounds(now, zone)
    assert start <= now < end
    assert 0 < end - start <= LONGEST_S[window]
    following, _ = Period(window).bounds(end, zone)
    assert following == end


@settings(deadline=None)
@given(moments, zones, calendars, st.floats(0, 1))
def test_all_moments_of_a_window_agree_on_it(
    now: float, zone: ZoneInfo, window: Window, share: float
) -> None:
    period = Period(window)
    start, end = period.bounds(now, zone)
    other = min(start + share * (end - start), end - 1)
    assert period.bounds(other, zone) == (start, end)


@pytest.mark.parametrize(
    ("window", "now", "start", "end"),
    [
        (Window.HOUR, "2026-05-05T14:25", "2026-05-05T14:00", "2026-05-05T15:00"),
        (Window.DAY, "2026-05-05T14:25", "2026-05-05T00:00", "2026-05-06T00:00"),
        (Window.WEEK, "2026-05-05T14:25", "2026-05-04T00:00", "2026-05-11T00:00"),
        (Window.WEEK, "2026-05-04T00:00", "2026-05-04T00:00", "2026-05-11T00:00"),
        (Window.MONTH, "2026-12-31T23:59", "2026-12-01T00:00", "2027-01-01T00:00"),
        (Window.MONTH, "2028-02-29T12:00", "2028-02-01T00:00", "2028-03-01T00:00"),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Chatham"])
def test_windows_begin_where_the_calendar_says(
    window: Window, now: str, start: str, end: str, zone: str
) -> None:
    if window is Window.HOUR:
        zone = "UTC"
    bounds = Period(window).bounds(at(now, zone), ZoneInfo(zone))
    assert bounds == (at(start, zone), at(end, zone))


def test_a_day_has_twenty_three_hours_when_clocks_go_forward() -> None:
    zone = ZoneInfo("Europe/Berlin")
    start, end = Period(Window.DAY).bounds(at("2026-03-29T12:00", "Europe/Berlin"), zone)
    assert end - start == 23 * 3600


@settings(deadline=None)
@given(moments, st.floats(1, MAX_ROLLING_S))
def test_in_a_rolling_window_something_counts_until_its_length_has_passed(
    spent_at: float, length: float
) -> None:
    period = Period(Window.ROLLING, length)
    free = spent_at + length
    assert period.is_counted(spent_at, spent_at, UTC)
    assert period.is_counted(spent_at, free - 0.001, UTC)
    assert not period.is_counted(spent_at, free, UTC)
    # The clock set back a little refills nothing; one that was years ahead costs nothing now.
    assert period.is_counted(spent_at, spent_at - length * 0.9, UTC)
    assert not period.is_counted(spent_at, spent_at - length * 1.1 - 1, UTC)


@pytest.mark.parametrize(
    ("window", "length"), [(Window.ROLLING, 0.0), (Window.DAY, 5.0), (Window.ROLLING, 1e9)]
)
def test_a_length_without_sense_is_refused(window: Window, length: float) -> None:
    with pytest.raises(InvalidSettingError):
        Period(window, length)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe"])
def test_a_zone_that_is_none_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(InvalidSettingError, match="not a time zone"):
        zone_named(name)
