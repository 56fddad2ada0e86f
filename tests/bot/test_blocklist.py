"""Words that are not painted: found however they are written, and in no word that only holds them.

The reference walks over the letters with `unicodedata` alone and compares every entry everywhere.
"""

from __future__ import annotations

import random
import statistics
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from limner.bot.blocklist import (
    MAX_ENTRIES,
    WordList,
    folded,
    is_short,
    shipped_words,
    visible,
    words_of,
)


def holds(text: str, *entries: str) -> bool:
    return any(WordList(entries).found_in(words_of(text)))


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("a GORE picture", "gore"),
        ("a picture of gore", "Gore"),
        ("gore, gory", "gore"),
        ("(gore:1.4)", "gore"),
        ("g\u200bo\u00adr\u2060e", "gore"),
        ("göré", "gore"),
        ("gore", "göré"),
        ("g̶o̶r̶e̶", "gore"),
        ("ｇｏｒｅ", "gore"),
        ("𝓰𝓸𝓻𝓮", "gore"),
        ("STRASSE", "straße"),
        ("ΛΌΓΟΣ", "λογος"),
        ("my_old  neighbour\nsings", "old neighbour"),
        ("old neighbour's house", "old neighbour"),
        ("c++ code", "C++"),
        ("美しい裸体の絵", "裸体"),
        ("ภาพเปลือยสวย", "เปลือย"),
        ("हिंसा की तस्वीर", "हिंसा"),
        ("a 🔞 sign", "🔞"),
        ("a 🔞\ufe0f sign", "🔞"),
    ],
)
def test_it_is_found(text: str, entry: str) -> None:
    assert holds(text, entry)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("gorey and gorette", "gore"),
        ("an old, kind neighbour", "old neighbour"),
        ("neighbour old", "old neighbour"),
        ("ecgore", "gore"),
        ("gore2", "gore"),
        ("हिंसात्मक", "हिंसा"),
        ("が", "か"),
        ("a picture", ""),
        ("a picture", "\u200b _"),
        ("", "gore"),
    ],
)
def test_it_is_not_found(text: str, entry: str) -> None:
    assert not holds(text, entry)


def letters(text: str) -> list[str]:
    """What of a text can be read, letter by letter; the reference's own folding."""
    kept: list[str] = []
    for letter in unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()):
        if unicodedata.category(letter) in ("Cf", "Mn"):
            continue
        kept.append(" " if letter == "_" else letter)
    return kept


def is_boundary(text: list[str], place: int) -> bool:
    """Between two letters of a word there is none."""
    if place in (0, len(text)):
        return True
    return not (text[place - 1].isalnum() and text[place].isalnum())


def reference(text: str, entry: str) -> bool:
    """Each entry at each place, spaces skipped where no word ends or begins in two letters."""
    wanted, found = letters(entry), letters(text)
    while wanted and wanted[0].isspace():
        wanted.pop(0)
    while wanted and wanted[-1].isspace():
        wanted.pop()
    if not wanted:
        return False
    return any(fits(found, start, wanted) for start in range(len(found)))


def fits(found: list[str], start: int, wanted: list[str]) -> bool:
    if not is_boundary(found, start) or found[start].isspace():
        return False
    place, index = start, 0
    while index < len(wanted):
        gap = index
        while wanted[gap].isspace():
            gap += 1
        skipped = place
        while skipped < len(found) and found[skipped].isspace():
            skipped += 1
        needs_gap = gap > index and wanted[index - 1].isalnum() and wanted[gap].isalnum()
        is_inside = index > 0 and wanted[gap - 1].isalnum() and wanted[gap].isalnum()
        if skipped >= len(found) or found[skipped] != wanted[gap]:
            return False
        if needs_gap and skipped == place:
            return False
        if is_inside and skipped != place:
            return False
        place, index = skipped + 1, gap + 1
    return is_boundary(found, place)


TEXTS = st.text(st.sampled_from("abÄäß \n_-+.'\u200b\u0301eＢé1"), max_size=14)


@given(TEXTS, st.lists(TEXTS, max_size=4))
@example("a b", ["a  b"])
@example("ab", ["a b"])
@example("-a", ["- a"])
@example("a_b", ["a b"])
def test_it_finds_what_a_plain_reference_finds(text: str, entries: list[str]) -> None:
    found = set(WordList(entries).found_in(words_of(text)))
    expected = {entry for entry in entries if reference(text, entry)}
    # Of entries that mean the same, the first is named.
    assert {words_of(entry) for entry in found} == {words_of(entry) for entry in expected}
    assert found <= expected


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert words_of(folded(text)) == words_of(text)
    assert visible(visible(text)) == visible(text)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x3000), max_size=20))
def test_an_entry_is_found_in_itself_and_among_other_words(entry: str) -> None:
    if words_of(entry):
        assert holds(entry, entry)
        assert entry in WordList([entry])
        assert holds(f"some {entry} here", entry)


def test_ten_thousand_entries_are_checked_within_five_milliseconds() -> None:
    chance = random.Random(7)
    alphabet = "bcdfghjklmnpqrstvwxzçñý"
    words = ["".join(chance.choices(alphabet, k=chance.randint(3, 12))) for _ in range(20_000)]
    entries = [*words[: MAX_ENTRIES - 2000]]
    entries += [" ".join(chance.choices(words, k=3)) for _ in range(2000)]
    listed = WordList(entries)
    assert len(listed) > 9_900
    known = set(map(folded, entries))
    text = " ".join(each for each in words[MAX_ENTRIES:] if folded(each) not in known)[:1500]
    took_s: list[float] = []
    for _ in range(9):
        began = time.thread_time()
        hits = list(listed.found_in(words_of(text)))
        took_s.append(time.thread_time() - began)
        assert not hits
    assert statistics.median(took_s) < 0.005
    last = entries[-1]
    assert list(listed.found_in(words_of(f"a {last.upper()} there"))).count(last) == 1


def test_entries_that_repeat_one_sign_take_no_long_time() -> None:
    listed = WordList("裸" * length for length in range(1, 200))
    began = time.thread_time()
    assert sum(1 for _ in listed.found_in(words_of("裸" * 1500))) > 200_000
    assert time.thread_time() - began < 2


def test_an_entry_that_makes_every_prompt_slow_is_too_long() -> None:
    assert not is_short("a " * 99 + "b")
    assert not is_short("裸" * 100)
    assert is_short("ten words are as many as an entry can have")
    assert is_short("ภาพเปลือยสวยงามมาก")
    assert all(map(is_short, shipped_words()))


def test_the_shipped_list_is_short_plain_and_without_doubles() -> None:
    words = shipped_words()
    assert 20 < len(words) < 150
    assert len(WordList(words)) == len(words)
    for word in words:
        assert word == folded(word)
        assert all(each.isalpha() or each == " " for each in word)
    listed = WordList(words)
    for innocent in (
        "children playing in a park",
        "a sexy car, a naked mole rat, a nude statue",
        "a young girl with a red balloon",
        "rape seed field",
        "a lollipop and a lolly",
    ):
        assert not any(listed.found_in(words_of(innocent)))
