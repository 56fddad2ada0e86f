"""Keeps what a server forbids: bans, the blocklist, and the hashes of pictures that were blocked.

Judging prompts and pictures is the bot's and the worker's; one server's rows are never read for
another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .audit import Trail
from .guild_records import Ban, BlockedPicture, BlockEntry
from .ledger import LAST_ID
from .queries import load

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from .database import Database, Transaction
    from .pseudonyms import Pseudonyms

_SQL = load("admin")


class Moderation:
    """Every change names its actor (`by`) and goes to the audit log with it."""

    def __init__(
        self, database: Database, pseudonyms: Pseudonyms, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._trail = Trail(clock)

    async def ban(
        self, guild_id: int, user_id: int, *, by: int, reason: str = "", until: float | None = None
    ) -> None:
        """From painting, not from the server; None: for good."""

        def body(transaction: Transaction) -> None:
            now = self._clock()
            names = {"guild_id": guild_id, **self._pseudonyms.names(user_id), "now": now}
            before = transaction.one(_SQL["ban_of"], names)
            transaction.run(_SQL["drop_ban"], names)
            transaction.run(
                _SQL["put_ban"], {**names, "reason": reason, "by_user_id": by, "until": until}
            )
            after = Ban(user_id, reason, by, now, until)
            self._trail.add(
                transaction,
                guild_id,
                "ban.set",
                by,
                "user",
                user_id,
                before and _ban(before),
                after,
                reason,
            )

        await self._database.transaction(body)

    async def unban(self, guild_id: int, user_id: int, *, by: int, reason: str = "") -> bool:
        """Whether there was a ban."""

        def body(transaction: Transaction) -> bool:
            names = {"guild_id": guild_id, **self._pseudonyms.names(user_id), "now": self._clock()}
            before = transaction.one(_SQL["ban_of"], names)
            transaction.run(_SQL["drop_ban"], names)
            if before is None:
                return False
            self._trail.add(
                transaction, guild_id, "ban.drop", by, "user", user_id, _ban(before), None, reason
            )
            return True

        return await self._database.transaction(body)

    async def ban_of(self, guild_id: int, user_id: int) -> Ban | None:
        """A ban that holds now."""
        names = {"guild_id": guild_id, **self._pseudonyms.names(user_id), "now": self._clock()}
        row = await self._database.one(_SQL["ban_of"], names)
        return None if row is None else _ban(row)

    def ids_of(self, user_id: int) -> tuple[int, int]:
        """The ids under which `bans` may list a user: their own, and what outlives their data."""
        return user_id, self._pseudonyms.of(user_id)

    async def bans(self, guild_id: int) -> list[Ban]:
        """Those that hold now, the newest first."""
        rows = await self._database.all(_SQL["bans"], {"guild_id": guild_id, "now": self._clock()})
        return [_ban(row) for row in rows]

    async def blocklist(self, guild_id: int) -> list[BlockEntry]:
        rows = await self._database.all(_SQL["blocklist"], {"guild_id": guild_id})
        return [_block(row) for row in rows]

    async def find_in_blocklist(
        self, guild_id: int, wanted: str, *, limit: int = 25
    ) -> list[BlockEntry]:
        """Those whose number or pattern holds a text, the newest first."""
        rows = await self._database.all(
            _SQL["find_blocks"], {"guild_id": guild_id, "wanted": wanted, "limit": limit}
        )
        return [_block(row) for row in rows]

    async def add_to_blocklist(
        self, guild_id: int, patterns: Sequence[str], *, is_regex: bool, by: int, reason: str = ""
    ) -> int:
        """Adds those that are not there yet, and returns how many; one line in the audit log."""

        def body(transaction: Transaction) -> int:
            now = self._clock()
            added: list[str] = []
            for pattern in patterns:
                parameters = {
                    "guild_id": guild_id,
                    "pattern": pattern,
                    "is_regex": int(is_regex),
                    "by_user_id": by,
                    "now": now,
                }
                if transaction.run(_SQL["insert_block"], parameters):
                    added.append(pattern)
            if added:
                self._trail.add(
                    transaction,
                    guild_id,
                    "blocklist.add",
                    by,
                    "guild",
                    guild_id,
                    None,
                    {"patterns": added, "is_regex": is_regex},
                    reason,
                )
            return len(added)

        return await self._database.transaction(body)

    async def drop_from_blocklist(
        self, guild_id: int, entry_id: int, *, by: int, reason: str = ""
    ) -> bool:
        """Whether there was such an entry."""

        def body(transaction: Transaction) -> bool:
            key = {"guild_id": guild_id, "id": entry_id}
            before = transaction.one(_SQL["block"], key)
            if before is None:
                return False
            transaction.run(_SQL["drop_block"], key)
            self._trail.add(
                transaction,
                guild_id,
                "blocklist.drop",
                by,
                "guild",
                guild_id,
                _block(before),
                None,
                reason,
            )
            return True

        return await self._database.transaction(body)

    async def blocked(
        self, guild_id: int, *, limit: int = 25, before_id: int = LAST_ID
    ) -> list[BlockedPicture]:
        """The newest first."""
        rows = await self._database.all(
            _SQL["blocked"], {"guild_id": guild_id, "limit": limit, "before_id": before_id}
        )
        return [
            BlockedPicture(
                id=row["id"],
                user_id=row["user_id"],
                job_id=row["job_id"],
                sha256=row["sha256"],
                checker=row["checker"],
                verdict=row["verdict"],
                at=row["at"],
            )
            for row in rows
        ]


def _ban(row: sqlite3.Row) -> Ban:
    return Ban(row["user_id"], row["reason"], row["by_user_id"], row["at"], row["until"])


def _block(row: sqlite3.Row) -> BlockEntry:
    return BlockEntry(
        row["id"], row["pattern"], bool(row["is_regex"]), row["by_user_id"], row["at"]
    )
