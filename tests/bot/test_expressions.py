"""Regular expressions by strangers: bounded in time and memory, whatever they are."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.bot.errors import RefusedError
from limner.bot.expressions import MAX_LENGTH, Expressions, Outcome, require_sound

SLOW = "(?:a?){900}b"
"""Refused when it is added; here as if an earlier version had taken it."""
LONG = "a" * 6000


@pytest.mark.parametrize(
    "pattern", [r"n[a4]ked", r"\bkid\w*\W+(?:\w+\W+){0,4}nude\b", "(a+)+$", "(x+x+)+y", "ß.x"]
)
def test_a_sound_one_is_taken(pattern: str) -> None:
    require_sound(pattern)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(a", "missing )"),
        ("a**", "no expression"),
        (r"(?=a)b", "no expression"),
        (r"(a)\1", "no expression"),
        ("\ud800", "broken characters"),
        ("a*", "empty prompt"),
        ("", "empty prompt"),
        ("(?:(?:(?:x?){1000}){1000}){1000}", "no expression"),
        (SLOW, "too long"),
        ("a" * (MAX_LENGTH + 1), "shorten"),
    ],
)
def test_any_other_is_refused_with_one_sentence(pattern: str, words: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(words)) as refusal:
        require_sound(pattern)
    assert str(refusal.value).endswith(".")


def test_a_catastrophe_of_other_libraries_takes_no_time() -> None:
    began = time.thread_time()
    assert Expressions([r"(a+)+$", r"(\w+\s?)*!", r"(x+x+)+y"]).search(LONG + "!").hit
    assert time.thread_time() - began < 0.05


def test_case_is_ignored_and_the_first_that_matches_is_named() -> None:
    expressions = Expressions(["blue", r"n[a4]ked", "RED"])
    assert expressions.search("a Red heart, N4KED") == Outcome(hit=r"n[a4]ked")
    assert expressions.search("green", "two forms of blue") == Outcome(hit="blue")
    assert expressions.search("a green star") == Outcome()
    assert expressions.all_in("a red and blue star") == ["blue", "RED"]


def test_those_that_run_out_of_time_together_close_the_door_and_the_slowest_is_named() -> None:
    expressions = Expressions(["green", *[f"{SLOW}{n}" for n in range(20)], "yellow"])
    began = time.thread_time()
    outcome = expressions.search(LONG)
    # The budget, and at most the one that was under way.
    assert time.thread_time() - began < 2
    assert outcome.too_slow.startswith(SLOW)
    assert not outcome.hit


def test_one_that_is_not_understood_any_more_closes_the_door() -> None:
    expressions = Expressions(["blue", "(a"])
    assert expressions.broken == ("(a",)
    assert expressions.search("anything") == Outcome(too_slow="(a")
    assert len(expressions) == 2


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ab(|)*+?{1}0,[^]\\wd.$ß"), max_size=24))
def test_whatever_is_typed_is_refused_or_searches_in_bounded_time(pattern: str) -> None:
    began = time.thread_time()
    try:
        require_sound(pattern)
    except RefusedError:
        assert time.thread_time() - began < 3
        return
    Expressions([pattern]).search(LONG)
    assert time.thread_time() - began < 3
