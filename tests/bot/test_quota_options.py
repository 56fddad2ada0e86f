"""What an admin writes about a quota, read and said back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.bot.cards import quota_words
from limner.bot.errors import RefusedError
from limner.bot.quota_options import Wish, amount, pixels
from limner.storage.quota_records import NO_CAP, Allowance, Rule
from limner.storage.windows import Period, Window

WEEK = Period(Window.WEEK)
ROLLING = Period(Window.ROLLING, 36 * 3600)


def test_what_takes_a_cap_away_is_no_cap() -> None:
    assert not Wish("20", at_once="not set", size=" - ", pictures="").has_caps
    assert Wish("20", at_once="unlimited").has_caps


@pytest.mark.parametrize(
    ("wish", "before", "after", "said"),
    [
        (Wish("20"), None, Rule(Allowance(20_000)), "20 credits a day"),
        (
            Wish("0.5 credits", Window.WEEK),
            None,
            Rule(Allowance(500, WEEK)),
            "0.5 credits a week",
        ),
        (
            Wish("1,5", hours=36),
            None,
            Rule(Allowance(1500, ROLLING)),
            "1.5 credits in any 36 hours",
        ),
        (
            Wish("3", Window.ROLLING, 48),
            None,
            Rule(Allowance(3000, Period(Window.ROLLING, 48 * 3600))),
            "3 credits in any 2 days",
        ),
        (Wish("Unlimited"), None, Rule(Allowance(None)), "unlimited credits"),
        (Wish("0"), None, Rule(Allowance(0)), "0 credits a day"),
        # The rest stays as it is.
        (
            Wish("5"),
            Rule(Allowance(1000, WEEK), max_unfinished=2),
            Rule(Allowance(5000, WEEK), max_unfinished=2),
            "5 credits a week, 2 jobs at once",
        ),
        (
            Wish(window=Window.HOUR),
            Rule(Allowance(1000, WEEK)),
            Rule(Allowance(1000, Period(Window.HOUR))),
            "1 credit an hour",
        ),
        (
            Wish("7", Window.ROLLING),
            Rule(Allowance(1000, ROLLING)),
            Rule(Allowance(7000, ROLLING)),
            "7 credits in any 36 hours",
        ),
        (
            Wish(at_once="1", size="512x768", pictures="2"),
            None,
            Rule(None, 1, 512 * 768, 2),
            "1 job at once, pictures up to 627 × 627, 2 pictures a job",
        ),
        (
            Wish(at_once="any", size="unlimited", pictures="no limit"),
            Rule(max_unfinished=1),
            Rule(None, NO_CAP, NO_CAP, NO_CAP),
            "any number of jobs at once, pictures of any size, any number of pictures a job",
        ),
        (
            Wish("not set", at_once="unset"),
            Rule(Allowance(1000), 3, 64 * 64),
            Rule(None, None, 64 * 64),
            "pictures up to 64 × 64",
        ),
        (Wish("not set"), Rule(Allowance(1000)), Rule(), "no rule"),
    ],
)
def test_a_wish_makes_a_rule_that_is_said_back(
    wish: Wish, before: Rule | None, after: Rule, said: str
) -> None:
    assert wish.apply(before) == after
    assert quota_words.rule(after) == said
    # Said twice it changes nothing more.
    assert wish.apply(after) == after or wish.amount == "not set"


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (Wish("many"), "20 or 0.5"),
        (Wish("-3"), "20 or 0.5"),
        (Wish("1,000"), "20 or 0.5"),
        (Wish("0.0001"), "20 or 0.5"),
        (Wish("1e9"), "20 or 0.5"),
        (Wish("1000001"), "At most 1,000,000"),
        (Wish("5", Window.ROLLING), "how many hours"),
        (Wish("5", Window.DAY, 12), "rolling window"),
        (Wish("5", hours=745), "31 days"),
        (Wish("5", hours=0), "needs a length"),
        (Wish("not set", Window.DAY), "goes with an amount"),
        (Wish(at_once="0"), "amount of 0"),
        (Wish(at_once="1.5"), "from 1 to 1,000"),
        (Wish(pictures="lots"), "from 1 to 1,000"),
        (Wish(size="1"), "512 or 512x768"),
        (Wish(size="99999"), "16,384"),
        (Wish(size="512x"), "512 or 512x768"),
    ],
)
def test_what_makes_no_rule_is_refused_in_one_sentence(wish: Wish, why: str) -> None:
    with pytest.raises(RefusedError, match=why) as refusal:
        wish.check()
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_a_window_needs_an_amount_to_go_with() -> None:
    with pytest.raises(RefusedError, match="how many credits"):
        Wish(window=Window.WEEK).apply(None)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_whatever_is_written_gives_a_rule_or_a_sentence(
    amount: str, at_once: str, size: str, pictures: str
) -> None:
    try:
        rule = Wish(amount, at_once=at_once, size=size, pictures=pictures).apply(None)
    except RefusedError:
        return
    assert quota_words.rule(rule)


@given(st.integers(0, 10**9))
def test_an_amount_that_is_said_is_read_again(milli: int) -> None:
    assert amount(f"{milli / 1000:.3f}") == milli


@given(st.integers(10, 16384), st.integers(10, 16384))
def test_a_size_is_an_area(width: int, height: int) -> None:
    assert pixels(f"{width}x{height}") == pixels(f"{height} × {width}px") == width * height
