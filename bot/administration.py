"""What a server's admins do, in one place for commands, buttons and forms: change, and say so.

Each change is audited by storage and known to the next judgement. Whether somebody is an admin is
`commission.require_admin`'s, asked before any of this; nothing here knows Discord.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..storage.errors import InvalidSettingError
from .blocklist import (
    MAX_ENTRIES,
    MAX_ENTRY_LENGTH,
    MAX_ENTRY_WORDS,
    WordList,
    is_short,
    words_of,
)
from .errors import RefusedError
from .expressions import MAX_EXPRESSIONS, require_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..storage.guild_records import BlockEntry, GuildSettings, Permission
    from .studio import Studio

MAX_PERMISSIONS = 200
MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Office:
    """One admin in one server, at one interaction."""

    studio: Studio
    guild_id: int
    admin_id: int

    async def set(
        self, change: Callable[[GuildSettings], GuildSettings], *, reason: str = ""
    ) -> GuildSettings:
        """Raises `RefusedError` for what makes no sense."""
        async with self.studio.rules.changing(self.guild_id):
            try:
                return await self.studio.storage.guilds.change_settings(
                    self.guild_id, change, by=self.admin_id, reason=reason
                )
            except InvalidSettingError as error:
                raise RefusedError(str(error)) from error

    async def permit(self, permission: Permission) -> None:
        """Raises `RefusedError` where there are too many, or of a model that does not exist."""
        guilds = self.studio.storage.guilds
        if permission.model and permission.model not in self.studio.checkpoints:
            raise RefusedError("There is no such model: choose one that is suggested.")
        if len(await guilds.permissions(self.guild_id)) >= MAX_PERMISSIONS:
            raise RefusedError(
                f"There are {MAX_PERMISSIONS} rules already: clear some with /limner admin rules."
            )
        async with self.studio.rules.changing(self.guild_id):
            await guilds.set_permission(self.guild_id, permission, by=self.admin_id)

    async def clear(self, permission: Permission) -> bool:
        """Whether there was such a rule; allowing or denying does not matter."""
        async with self.studio.rules.changing(self.guild_id):
            return await self.studio.storage.guilds.drop_permission(
                self.guild_id,
                permission.subject,
                permission.subject_id,
                model=permission.model,
                by=self.admin_id,
            )

    async def ban(self, user_id: int, *, reason: str, until: float | None) -> None:
        """Raises `RefusedError` for oneself."""
        if user_id == self.admin_id:
            raise RefusedError("You can't ban yourself: ask another admin.")
        async with self.studio.rules.changing(self.guild_id):
            await self.studio.storage.moderation.ban(
                self.guild_id, user_id, by=self.admin_id, reason=reason[:MAX_REASON], until=until
            )

    async def unban(self, user_id: int) -> bool:
        """Whether there was a ban."""
        async with self.studio.rules.changing(self.guild_id):
            return await self.studio.storage.moderation.unban(
                self.guild_id, user_id, by=self.admin_id
            )

    async def block(self, lines: Sequence[str]) -> int:
        """Adds words, phrases, and expressions between slashes; gives how many were new.

        Raises `RefusedError` for the first that can't be used; then none is added.
        """
        lines = [line.strip() for line in lines if line.strip()]
        if not lines:
            raise RefusedError("Write a word, a phrase, or an expression such as `/n[a4]ked/`.")
        expressions = list(dict.fromkeys(each for line in lines if (each := expression_in(line))))
        words = [line for line in lines if not expression_in(line)]
        for word in words:
            _require_word(word)
        for expression in expressions:
            await asyncio.to_thread(require_sound, expression)
        moderation = self.studio.storage.moderation
        async with self.studio.rules.changing(self.guild_id):
            there = await moderation.blocklist(self.guild_id)
            # Some tens of milliseconds for a long list.
            added = await asyncio.to_thread(_new_in, words, there)
            num_expressions = sum(entry.is_regex for entry in there)
            if len(there) + len(added) + len(expressions) > MAX_ENTRIES:
                raise RefusedError(f"A blocklist may have {MAX_ENTRIES:,} entries: remove some.")
            if num_expressions + len(expressions) > MAX_EXPRESSIONS:
                raise RefusedError(
                    f"A blocklist may have {MAX_EXPRESSIONS} expressions: use words where you can."
                )
            num_added = 0
            for patterns, is_regex in ((added, False), (expressions, True)):
                num_added += await moderation.add_to_blocklist(
                    self.guild_id, patterns, is_regex=is_regex, by=self.admin_id
                )
        return num_added

    async def unblock(self, entry_id: int) -> bool:
        """Whether there was such an entry."""
        async with self.studio.rules.changing(self.guild_id):
            return await self.studio.storage.moderation.drop_from_blocklist(
                self.guild_id, entry_id, by=self.admin_id
            )


def expression_in(line: str) -> str:
    """What stands between slashes; empty for a word or a phrase."""
    is_expression = len(line) > 2 and line.startswith("/") and line.endswith("/")
    return line[1:-1] if is_expression else ""


def _require_word(word: str) -> None:
    if len(word) > MAX_ENTRY_LENGTH:
        raise RefusedError(f"An entry may have {MAX_ENTRY_LENGTH} characters: shorten it.")
    if not words_of(word):
        raise RefusedError("An entry needs letters or signs that can be seen.")
    if not is_short(word):
        raise RefusedError(f"An entry may have {MAX_ENTRY_WORDS} words: shorten it.")


def _new_in(words: Sequence[str], there: Sequence[BlockEntry]) -> list[str]:
    """Those that mean something else than every entry."""
    known = WordList(entry.pattern for entry in there if not entry.is_regex)
    return _without_doubles(word for word in words if word not in known)


def _without_doubles(words: Iterable[str]) -> list[str]:
    """Of those that mean the same, the first."""
    found: dict[tuple[str, ...], str] = {}
    for word in words:
        found.setdefault(words_of(word), word)
    return list(found.values())
