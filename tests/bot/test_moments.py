"""Until when something holds, as people write it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.bot.errors import RefusedError
from limner.bot.moments import moment

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=BERLIN).timestamp()


def berlin(*parts: int) -> float:
    return datetime(*parts, tzinfo=BERLIN).timestamp()  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("7d", NOW + 7 * 86400),
        ("in 7 days", NOW + 7 * 86400),
        (" 12H ", NOW + 12 * 3600),
        ("90 min", NOW + 5400),
        ("1.5h", NOW + 5400),
        ("1w 2d", NOW + 9 * 86400),
        ("1 week, 2 days and 3 hours", NOW + 9 * 86400 + 3 * 3600),
        ("1d12h", NOW + 36 * 3600),
        ("3 months", berlin(2027, 2, 20, 15, 30)),
        # The clock on the wall stays as it is, whatever summer time does.
        ("6 mo", berlin(2027, 5, 20, 15, 30)),
        ("1y", berlin(2027, 11, 20, 15, 30)),
        # To the end of that day, by the server's clock.
        ("2026-12-01", berlin(2026, 12, 2)),
        ("2026-12-31", berlin(2027, 1, 1)),
        ("today", berlin(2026, 11, 21)),
        ("tomorrow", berlin(2026, 11, 22)),
        ("2026-12-01 18:00", berlin(2026, 12, 1, 18)),
        ("2026-12-01T08:15", berlin(2026, 12, 1, 8, 15)),
    ],
)
def test_it_reads_what_people_write(text: str, until: float) -> None:
    assert moment(text, NOW, BERLIN) == until


def test_a_day_ends_at_the_servers_own_midnight() -> None:
    auckland = moment("2026-12-01", NOW, ZoneInfo("Pacific/Auckland"))
    utc = moment("2026-12-01", NOW, UTC)
    assert auckland is not None
    assert utc is not None
    assert utc - auckland == 13 * 3600


def test_a_month_that_is_too_short_ends_earlier() -> None:
    january = datetime(2027, 1, 31, 12, tzinfo=UTC).timestamp()
    assert moment("1 month", january, UTC) == datetime(2027, 2, 28, 12, tzinfo=UTC).timestamp()
    assert moment("13 months", january, UTC) == datetime(2028, 2, 29, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("text", ["", "never", "No", " for  good "])
def test_no_end_can_be_said(text: str) -> None:
    assert moment(text, NOW, BERLIN) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("soon", "7d, 12h, or 2026-12-01"),
        ("7", "7d, 12h, or 2026-12-01"),
        ("7 parsecs", "7d, 12h, or 2026-12-01"),
        ("2027-02-29", "7d, 12h, or 2026-12-01"),
        ("2027-01-01 25:00", "7d, 12h, or 2026-12-01"),
        ("01.12.2026", "7d, 12h, or 2026-12-01"),
        ("1.5 months", "7d, 12h, or 2026-12-01"),
        ("3m", "minutes or months"),
        ("2026-11-19", "has passed"),
        ("2026-11-20 15:30", "has passed"),
        ("0d", "has passed"),
        ("11 years", "more than 10 years"),
        ("9999-12-30", "more than 10 years"),
        ("999999 w", "more than 10 years"),
        ("999999 y", "7d, 12h"),
        ("-7d", "7d, 12h"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(text: str, why: str) -> None:
    with pytest.raises(RefusedError, match=why) as refusal:
        moment(text, NOW, BERLIN)
    assert str(refusal.value).endswith(".")
    assert "\n" not in str(refusal.value)


@given(
    st.text(max_size=30) | st.from_regex(r"[0-9 dhwmoiny.,:T-]{1,20}", fullmatch=True),
    st.sampled_from([UTC, BERLIN, ZoneInfo("Pacific/Apia")]),
    st.floats(0, 4e9),
)
def test_whatever_is_written_gives_a_moment_to_come_or_a_sentence(
    text: str, zone: ZoneInfo, now: float
) -> None:
    try:
        found = moment(text, now, zone)
    except RefusedError:
        return
    assert found is None or now < found < now + 11 * 366 * 86400
