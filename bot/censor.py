"""What a prompt may not say: the owner's words, the list that Limner brings, and the server's own.

Which of them hold in a server is `guild_rules`'; how words are compared is `blocklist`'s.
"""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ..pipelines.prompt import words_alone
from .blocklist import WordList, folded, shipped_words, visible, words_of
from .errors import RefusedError
from .expressions import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .guild_rules import RuleBook, Rules


class Source(StrEnum):
    """Whose entry it is."""

    OWNER = "owner"
    """Of `[safety] blocked_words`."""
    SHIPPED = "shipped"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that a text holds, as it was written down."""

    source: Source
    entry: str
    is_regex: bool = False


class Censor:
    def __init__(self, owners_words: Collection[str], rule_book: RuleBook) -> None:
        self._owners = WordList(owners_words)
        self._shipped = WordList(shipped_words())
        self._rule_book = rule_book
        # Not the pool that everybody shares: an interaction waits for this unanswered, and must
        # not stand behind pictures that are being read.
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="limner-censor")

    def close(self) -> None:
        """Forgets what waits; what is being searched ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def require_clean(self, texts: Collection[str], guild_id: int, rules: Rules) -> None:
        """Raises `RefusedError`: also where that could not be found out in time."""
        outcome = Outcome()
        if next(self._words_in(texts, rules), None) is None:
            if not rules.expressions:
                return
            search, forms = rules.expressions.search, _forms(texts)
            outcome = await asyncio.get_running_loop().run_in_executor(
                self._threads, search, *forms
            )
            if not outcome.hit and not outcome.too_slow:
                return
        if outcome.too_slow:
            await self._rule_book.note_slow(guild_id, outcome.too_slow)
            raise RefusedError(
                "Your prompt could not be checked in time, so it is not painted: say it in other"
                " words, or tell this server's admins that their blocklist has a slow expression."
            )
        # Which word it is, is not said: the answer could be shown around, and tried against.
        raise RefusedError("That prompt has a word that is not painted here.")

    async def hits(self, text: str, rules: Rules) -> list[Hit]:
        """Everything that stands against a text, for those who keep the list."""
        found = list(dict.fromkeys(self._words_in((text,), rules)))
        patterns = await asyncio.get_running_loop().run_in_executor(
            self._threads, rules.expressions.all_in, *_forms((text,))
        )
        return [*found, *(Hit(Source.SERVER, each, is_regex=True) for each in patterns)]

    @property
    def num_shipped(self) -> int:
        return len(self._shipped)

    def _words_in(self, texts: Collection[str], rules: Rules) -> Iterator[Hit]:
        lists = [(Source.OWNER, self._owners), (Source.SERVER, rules.words)]
        if rules.settings.blocks_shipped_words:
            lists.append((Source.SHIPPED, self._shipped))
        for text in dict.fromkeys((*_readings(texts), *map(_without_dashes, _readings(texts)))):
            words = words_of(text)
            for source, entries in lists:
                for entry in entries.found_in(words):
                    yield Hit(source, entry)


def _readings(texts: Collection[str]) -> tuple[str, ...]:
    """As typed, and as an encoder gets it: without brackets and weights, which words hide behind.

    What stood on both sides of a bracket can be one word to it or two, by the weights.
    """
    readings: dict[str, None] = {}
    for text in texts:
        parts = words_alone(text)
        for reading in (text, "".join(parts), " ".join(parts)):
            readings[reading] = None
    return tuple(readings)


def _without_dashes(text: str) -> str:
    """What dashes join may be a phrase."""
    if "-" not in text and text.isascii():
        return text
    return "".join(" " if unicodedata.category(letter) == "Pd" else letter for letter in text)


def _forms(texts: Collection[str]) -> tuple[str, ...]:
    """As typed, and without accents, in which letters can hide; without doubles."""
    forms: dict[str, None] = {}
    for text in _readings(texts):
        seen, plain = visible(text), folded(text)
        # Expressions ignore case by themselves.
        forms[plain] = None
        if seen.casefold() != plain:
            forms[seen] = None
    return tuple(forms)
