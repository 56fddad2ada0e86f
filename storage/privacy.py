"""One user's data: all of it handed out, or all of it deleted.

Retention for everybody is `retention.py`'s. What stays after a deletion, and why: credits and
blocked pictures under a pseudonym (credits for 31 days, the longest window, then under nobody), so
that deleting doesn't refill a quota; a ban or rule made for the user under the same, so that it
isn't lifted; audit lines without the user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import ledger
from .queries import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .database import Database, Rows, Transaction
    from .images import PictureFiles
    from .pseudonyms import Pseudonyms
    from .retention import Sweeper

_SQL = load("privacy")

_TABLES = (
    "jobs",
    "pictures",
    "inputs",
    "ledger",
    "quota_rules",
    "bans",
    "blocked_pictures",
    "audit_log",
)


@dataclass(frozen=True, slots=True)
class UserExport:
    """Everything that is kept about a user: rows by table, and picture files by hash."""

    user_id: int
    tables: Mapping[str, tuple[Mapping[str, object], ...]]
    files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted."""

    num_jobs: int
    num_pictures: int
    num_files: int
    """Fewer than pictures, where somebody else's have the same content."""


class Privacy:
    def __init__(
        self,
        database: Database,
        files: PictureFiles,
        sweeper: Sweeper,
        pseudonyms: Pseudonyms,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._files = files
        self._sweeper = sweeper
        self._pseudonyms = pseudonyms
        self._clock = clock

    async def export_user(self, user_id: int) -> UserExport:
        names = self._pseudonyms.names(user_id)

        def body(rows: Rows) -> UserExport:
            tables = {
                name: tuple(dict(row) for row in rows.all(_SQL[f"export_{name}"], names))
                for name in _TABLES
            }
            hashes = [row["sha256"] for row in rows.all(_SQL["files_of_user"], names)]
            paths = {sha256: self._files.path(sha256) for sha256 in hashes}
            return UserExport(user_id, tables, paths)

        return await self._database.read(body)

    async def forget_user(self, user_id: int) -> Forgotten:
        """Deletes the user's jobs, pictures and names; unfinished jobs are cancelled first.

        The caller stops painting them; what it stores later is refused with `NoSuchJobError`.
        Copies of the database and backups keep what they have until they are removed.
        """
        names = self._pseudonyms.names(user_id)
        hashes: list[str] = []

        def body(transaction: Transaction) -> tuple[int, int]:
            for row in transaction.all(_SQL["unfinished_of_user"], names):
                ledger.end(transaction, row["id"], 0, self._clock())
            hashes.extend(row[0] for row in transaction.all(_SQL["files_of_user"], names))
            count = transaction.all(_SQL["num_pictures_of_user"], names)
            num_jobs = transaction.run(_SQL["delete_jobs"], names)
            for statement in _SQL:
                if statement.startswith("forget_"):
                    transaction.run(_SQL[statement], names)
            return num_jobs, count[0]["num_pictures"]

        num_jobs, num_pictures = await self._database.transaction(body)
        num_files = await self._sweeper.remove_unneeded(hashes)
        await self._database.shrink_log()
        return Forgotten(num_jobs, num_pictures, num_files)
