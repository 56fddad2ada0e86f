"""What is offered while an admin types: all of it is understood when it is sent."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from limner.bot import quota_suggestions as suggestions
from limner.bot.errors import RefusedError
from limner.bot.moments import moment
from limner.bot.quota_options import Wish

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()


def test_before_anything_is_typed_the_usual_is_offered_and_all_of_it_is_understood() -> None:
    for _, value in suggestions.amounts(""):
        Wish(value).check()
    for _, value in suggestions.counts("", "job"):
        Wish(at_once=value).check()
    for _, value in suggestions.counts("", "picture"):
        Wish(pictures=value).check()
    for _, value in suggestions.sizes("", [512, 1024]):
        Wish(size=value).check()
    for _, value in suggestions.expiries("", NOW, "Europe/Berlin"):
        moment(value, NOW, UTC)


def test_what_is_typed_is_offered_first_and_named() -> None:
    assert suggestions.amounts("15")[0] == ("15 credits", "15")
    assert suggestions.amounts("20") == [("20 credits", "20")]
    assert suggestions.amounts("un")[0] == ("unlimited", "unlimited")
    assert suggestions.counts("7", "job")[0] == ("7 jobs", "7")
    assert suggestions.sizes("512x768", [512])[0] == ("512x768", "512x768")
    assert ("640 × 640", "640") not in suggestions.sizes("", [512])
    assert suggestions.expiries("7d", NOW, "UTC") == [
        ("7d: until Fri 27 Nov 2026, 12:00 (UTC)", "7d")
    ]
    assert suggestions.expiries("soon", NOW, "UTC") == []


@given(st.text(max_size=120))
def test_discord_takes_whatever_is_offered(typed: str) -> None:
    for offers in (
        suggestions.amounts(typed),
        suggestions.counts(typed, "job"),
        suggestions.sizes(typed, range(256, 4096, 64)),
        suggestions.expiries(typed, NOW, "UTC"),
    ):
        assert len(offers) <= 25
        values = [value for _, value in offers]
        assert len(set(values)) == len(values)
        assert all(1 <= len(text) <= 100 for offer in offers for text in offer)


@given(st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3})?", fullmatch=True))
def test_a_figure_that_is_offered_is_understood(typed: str) -> None:
    (_, value), *_ = suggestions.amounts(typed)
    try:
        Wish(value).check()
    except RefusedError as error:
        raise AssertionError(value) from error
