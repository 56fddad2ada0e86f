"""The usage chart's pixels and figures: few bars, in proportion, readable on a phone."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor

from limner.bot import usage_chart
from limner.bot.usage_chart import MAX_BARS, Bar, brief, ranked, upright
from limner.bot.usage_report import MAX_DAYS, by_days, span
from limner.storage.usage import DayUsage

GROUND = np.array(ImageColor.getrgb("#1d1e2c"))
FIRST = date(2026, 11, 14)


def pixels(png: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    assert image.width == usage_chart.WIDTH_PX
    return np.asarray(image.convert("RGBA"), dtype=np.int16)


def violet(png: bytes) -> np.ndarray:
    """Where a bar is, and nothing else: more blue than red and green by far."""
    found = pixels(png)
    return (found[..., 2] - found[..., 1] > 70) & (found[..., 3] == 255)


def test_lying_bars_are_as_long_as_what_they_stand_for() -> None:
    amounts = (40_000, 20_000, 10_000, 5000)
    png = ranked("By member", 75_000, [Bar(str(n), each) for n, each in enumerate(amounts, 1)])
    # Beside the badges, which are of the same colour.
    rows = violet(png)[:, 160:].sum(axis=1)
    starts = np.flatnonzero((rows[1:] > 0) & (rows[:-1] == 0))
    ends = np.flatnonzero((rows[1:] == 0) & (rows[:-1] > 0))
    longest = [int(rows[a : b + 1].max()) for a, b in zip(starts, ends, strict=True)]
    assert len(longest) == 4
    for length, amount in zip(longest, amounts, strict=True):
        assert length / longest[0] == pytest.approx(amount / amounts[0], abs=0.02)


def test_standing_bars_are_as_high_as_what_they_stand_for() -> None:
    amounts = (8000, 0, 32_000, 16_000)
    png = upright("By day", 56_000, [Bar("Mon", each, "1") for each in amounts])
    columns = violet(png).sum(axis=0)
    quarter = (usage_chart.WIDTH_PX - 112) // 4
    heights = [
        int(columns[56 + place * quarter : 56 + (place + 1) * quarter].max()) for place in range(4)
    ]
    assert heights[1] == 0
    for height, amount in zip(heights, amounts, strict=True):
        assert height / heights[2] == pytest.approx(amount / amounts[2], abs=0.02)


def test_a_little_beside_a_lot_is_still_seen_and_nothing_is_not() -> None:
    shown = violet(ranked("", 1, [Bar("1", 10**9), Bar("2", 1), Bar("3", 0)]))[:, 160:]
    # Rows of the second and the third bar.
    head, row = 212, 104
    assert shown[head + row : head + 2 * row].any()
    assert not shown[head + 2 * row : head + 3 * row].any()


@pytest.mark.parametrize(
    ("num_bars", "amount"), [(1, 9_999_000), (7, 250), (10, 9_999_000), (10, 999_999_000)]
)
def test_no_figure_runs_into_another_or_over_the_edge(num_bars: int, amount: int) -> None:
    lying = pixels(ranked("x", amount, [Bar(str(n % 10), amount) for n in range(num_bars)]))
    # Between the longest bar's end and its figure, all the way down.
    assert (lying[212:, 842:852, :3] == GROUND).all()
    assert (lying[60:-60, -24:, :3] == GROUND).all()
    standing = pixels(upright("x", amount, [Bar("Wed", amount, "Nov") for _ in range(num_bars)]))
    slot = (usage_chart.WIDTH_PX - 112) / num_bars
    for place in range(1, num_bars):
        edge = round(56 + place * slot)
        figures = standing[220:280, edge - 1 : edge + 1, :3]
        assert (figures == GROUND).all(), f"two figures meet at {edge}"


def test_its_text_is_large_enough_for_a_phone_and_stands_out_from_its_ground() -> None:
    png = ranked("By member", 1000, [Bar("1", 1000)])
    found = pixels(png)
    bright = (found[..., :3].min(axis=2) > 220) & (found[..., 3] == 255)
    rows = np.flatnonzero(bright[212:, 900:].any(axis=1))
    # Capital height; shown at 360 pixels a figure is a third of this.
    assert rows.max() - rows.min() >= 30
    ink, ground = (luminance(ImageColor.getrgb(each)) for each in ("#a9abc4", "#1d1e2c"))
    assert (ink + 0.05) / (ground + 0.05) > 7, "even the paler ink has the contrast of WCAG AAA"


def luminance(colour: tuple[int, ...]) -> float:
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4
        for each in (value / 255 for value in colour[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_it_is_a_card_of_its_own_on_any_theme() -> None:
    found = pixels(upright("x", 1, [Bar("Mon", 1, "1")]))
    corners = found[[0, 0, -1, -1], [0, -1, 0, -1], 3]
    assert (corners == 0).all()
    assert (found[60:-60, 60:-60, 3] == 255).all()


def test_nothing_at_all_is_drawn_too() -> None:
    for png in (ranked("x", 0, []), upright("x", 0, [Bar("Mon", 0, "1")])):
        assert not violet(png).any()


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0, "0"),
        (250, "0.25"),
        (1000, "1"),
        (9_990, "9.99"),
        (9_999, "10"),
        (12_500, "12.5"),
        (99_940, "99.9"),
        (99_960, "100"),
        (340_400, "340"),
        (9_999_400, "9999"),
        (12_345_000, "12k"),
        (999_400_000, "999k"),
        (999_600_000, "1M"),
        (23_400_000_000, "23.4M"),
    ],
)
def test_a_figure_is_brief(amount: int, said: str) -> None:
    assert brief(amount) == said


@given(
    st.integers(1, MAX_DAYS),
    st.lists(
        st.tuples(st.integers(0, MAX_DAYS - 1), st.integers(0, 5), st.integers(0, 99)), max_size=40
    ),
)
def test_days_become_a_few_bars_that_add_up(
    num_days: int, used: list[tuple[int, int, int]]
) -> None:
    found = {
        FIRST + timedelta(days=day % num_days): DayUsage(
            FIRST + timedelta(days=day % num_days), jobs, amount
        )
        for day, jobs, amount in used
    }
    lines = by_days(sorted(found.values(), key=lambda each: each.day), FIRST, num_days)
    assert 1 <= len(lines) <= MAX_BARS
    assert len(lines) == num_days or num_days > MAX_BARS
    assert sum(line.bar.amount for line in lines) == sum(each.amount for each in found.values())
    assert sum(line.num_jobs for line in lines) == sum(each.num_jobs for each in found.values())


def test_bars_are_named_by_the_day_they_begin_with() -> None:
    week = by_days([], FIRST, 7)
    assert [(line.bar.label, line.bar.below) for line in week[:3]] == [
        ("Sat", "14"),
        ("Sun", "15"),
        ("Mon", "16"),
    ]
    month = by_days([DayUsage(FIRST + timedelta(days=29), 1, 5)], FIRST, 30)
    assert [(line.bar.label, line.bar.below) for line in month[-5:]] == [
        ("29", "Nov"),
        ("2", "Dec"),
        ("5", "Dec"),
        ("8", "Dec"),
        ("11", "Dec"),
    ]
    assert month[-1].num_jobs == 1


def test_today_is_the_servers_own() -> None:
    now = datetime(2026, 11, 20, 23, 30, tzinfo=UTC).timestamp()
    assert span(now, UTC, 7) == (date(2026, 11, 14), date(2026, 11, 21))
    assert span(now, ZoneInfo("Europe/Berlin"), 1) == (date(2026, 11, 21), date(2026, 11, 22))
