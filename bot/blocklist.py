"""Whether a text holds words that are not painted: folded, then compared as whole words. Pure.

Expressions are `expressions`'s; which lists hold in which server, `guild_rules` knows.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_ENTRIES = 10_000
"""Of one server; so many are checked in well under a millisecond."""
MAX_ENTRY_LENGTH = 200
MAX_ENTRY_WORDS = 10
"""A prompt that repeats the beginning of an entry is compared once for each of its words."""
_MAX_ENTRY_TOKENS = 40
"""Where each letter counts as a word, an entry may be longer."""

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
"""Scripts that put no spaces between words: there an entry counts wherever it stands."""
_INDIC = "\u0900-\u0963\u0966-\u0dff"
"""Whose vowel signs are no letters to `re`, but belong to their word."""
_TOKEN = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]+|[{_INDIC}])+|[^\w\s]")
_UNSPACED_LETTER = re.compile(f"[{_UNSPACED}]")
_ORDINARY = re.compile(r"[ -~]*", re.DOTALL)
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
"""Letters and marks that show nothing, so that they can hide between letters."""


def folded(text: str) -> str:
    """Without case, width, accents, and what can't be seen: `Ｇöré` and `gore` become one."""
    if _ORDINARY.fullmatch(text):
        return text.casefold()
    text = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(filter(_is_kept, unicodedata.normalize("NFKD", text)))
    return unicodedata.normalize("NFC", kept)


def visible(text: str) -> str:
    """Without what can't be seen, and one form for each letter; accents and case stay."""
    if _ORDINARY.fullmatch(text):
        return text
    return "".join(filter(_is_seen, unicodedata.normalize("NFKC", text)))


def words_of(text: str) -> tuple[str, ...]:
    """Words and signs in their order; spaces and underscores part words and are gone."""
    return tuple(_TOKEN.findall(folded(text)))


def is_short(entry: str) -> bool:
    """Whether a prompt can be compared with it in no time, whatever the prompt is."""
    words = words_of(entry)
    num_spaced = sum(_UNSPACED_LETTER.match(word) is None for word in words)
    return num_spaced <= MAX_ENTRY_WORDS and len(words) <= _MAX_ENTRY_TOKENS


@dataclass(slots=True)
class _Node:
    """Where the entries that begin with the same words go on."""

    entry: str | None = None
    following: dict[str, _Node] = field(default_factory=dict[str, "_Node"])


class WordList:
    """Words and phrases, each as somebody wrote it down. Not changed once it is made."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._root = _Node()
        self._num_entries = 0
        for entry in entries:
            node = self._root
            for word in words_of(entry):
                node = node.following.setdefault(word, _Node())
            if node is not self._root and node.entry is None:
                node.entry = entry
                self._num_entries += 1

    def __len__(self) -> int:
        return self._num_entries

    def __contains__(self, entry: str) -> bool:
        """Whether there is an entry that means the same."""
        node: _Node | None = self._root
        for word in words_of(entry):
            node = node.following.get(word)
            if node is None:
                return False
        return node.entry is not None

    def found_in(self, words: Sequence[str]) -> Iterator[str]:
        """Each entry that the words of a text hold, as it was written down, where it stands."""
        for start, first in enumerate(words):
            node = self._root.following.get(first)
            place = start
            while node is not None:
                if node.entry is not None:
                    yield node.entry
                place += 1
                node = node.following.get(words[place]) if place < len(words) else None


def shipped_words() -> tuple[str, ...]:
    """The list that Limner brings. Reads a file."""
    text = files(__package__ or "").joinpath("blocklist_default.txt").read_text("utf-8")
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _is_kept(letter: str) -> bool:
    return _is_seen(letter) and not _is_accent(letter)


def _is_accent(letter: str) -> bool:
    """Marks above, below and through letters, and the optional points of Hebrew and Arabic.

    Not the signs that spell another syllable, as in Indian scripts and kana.
    """
    place = unicodedata.combining(letter)
    return place == 1 or 10 <= place <= 35 or place >= 200


def _is_seen(letter: str) -> bool:
    if unicodedata.category(letter) == "Cf" or letter in _FILLERS:
        return False
    # Variation selectors.
    return not ("\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef")
