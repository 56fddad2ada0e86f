"""What a prompt may not say: the owner's words, the list that Limner brings, and the server's own.

Which of them hold in a server is `guild_rules`'; how words are compared is `blocklist`'s.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

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

    async def require_clean(self, texts: Collection[str], guild_id: int, rules: Rules) -> None:
        """Raises `RefusedError`: also where that could not be found out in time."""
        outcome = Outcome()
        if next(self._words_in(texts, rules), None) is None:
            if not rules.expressions:
                return
            forms = _forms(texts)
            outcome = await asyncio.to_thread(rules.expressions.search, *forms)
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
        patterns = await asyncio.to_thread(rules.expressions.all_in, *_forms((text,)))
        return [*found, *(Hit(Source.SERVER, each, is_regex=True) for each in patterns)]

    @property
    def num_shipped(self) -> int:
        return len(self._shipped)

    def _words_in(self, texts: Collection[str], rules: Rules) -> Iterator[Hit]:
        lists = [(Source.OWNER, self._owners), (Source.SERVER, rules.words)]
        if rules.settings.blocks_shipped_words:
            lists.append((Source.SHIPPED, self._shipped))
        for text in dict.fromkeys(texts):
            words = words_of(text)
            for source, entries in lists:
                for entry in entries.found_in(words):
                    yield Hit(source, entry)


def _forms(texts: Collection[str]) -> tuple[str, ...]:
    """As typed, and without accents, in which letters can hide; without doubles."""
    forms: dict[str, None] = {}
    for text in texts:
        seen, plain = visible(text), folded(text)
        # Expressions ignore case by themselves.
        forms[plain] = None
        if seen.casefold() != plain:
            forms[seen] = None
    return tuple(forms)
