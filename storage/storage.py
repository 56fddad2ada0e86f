"""Opens a folder of jobs, credits and pictures, and holds it until it is closed.

What can be done there is said in the parts: `jobs`, `images`, `ledger`, `quotas`, and so on.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .audit import Audit
from .backup import restore_backup, write_backup
from .checkup import check
from .database import BUSY_TIMEOUT_S, Database, open_database
from .folder import SPARE_BYTES, Folder, FolderLock
from .guilds import Guilds
from .images import Images, PictureFiles
from .jobs import Jobs
from .ledger import Ledger
from .moderation import Moderation
from .privacy import Privacy
from .pseudonyms import Pseudonyms
from .quota_rules import QuotaRules
from .quota_store import Quotas
from .quotas import Rule
from .retention import Retention, Sweeper
from .usage import UsageReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection
    from pathlib import Path

    from .backup import BackedUp
    from .checkup import Findings
    from .privacy import Forgotten, UserExport
    from .retention import Swept


class Storage:
    """What must survive, of one bot."""

    def __init__(
        self,
        folder: Folder,
        database: Database,
        pseudonyms: Pseudonyms,
        retention: Retention,
        bot_rule: Rule,
        clock: Callable[[], float],
    ) -> None:
        files = PictureFiles(folder)
        self._folder = folder
        self._sweeper = Sweeper(folder, database, files, retention, clock)
        self._privacy = Privacy(database, files, self._sweeper, pseudonyms, clock)
        self.quotas = Quotas(database, pseudonyms, bot_rule, clock)
        self.rules = QuotaRules(database, pseudonyms, clock)
        self.usage = UsageReader(database, pseudonyms)
        self.ledger = Ledger(database, pseudonyms)
        self.images = Images(database, files, clock)
        self.jobs = Jobs(database, files, self.quotas, clock)
        self.guilds = Guilds(database, clock)
        self.moderation = Moderation(database, pseudonyms, clock)
        self.audit = Audit(database, clock)

    @staticmethod
    @asynccontextmanager
    async def open(
        folder: Path,
        *,
        retention: Retention | None = None,
        bot_rule: Rule | None = None,
        clock: Callable[[], float] = time.time,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> AsyncGenerator[Storage, None]:
        """Takes the folder's lock, migrates its database, and closes both at the end.

        `bot_rule` is the quota where a server set none. Raises `FolderInUseError`,
        `ReadOnlyFolderError`, `NewerDatabaseError`, `CorruptDatabaseError`, `DiskFullError`.
        """
        rooms = Folder(folder)
        await asyncio.to_thread(rooms.make)
        lock = FolderLock(rooms)
        try:
            database = await open_database(rooms, busy_timeout_s=busy_timeout_s)
            try:
                row = await database.one("SELECT value FROM secrets WHERE name = 'pseudonym'")
                assert row is not None, "the first migration writes it"
                yield Storage(
                    rooms,
                    database,
                    Pseudonyms(row["value"]),
                    retention or Retention(),
                    bot_rule or Rule(),
                    clock,
                )
            finally:
                await database.close()
        finally:
            lock.release()

    async def require_space(self, num_bytes: int, *, spare_bytes: int = SPARE_BYTES) -> None:
        """Raises `DiskFullError` unless so much fits: before painting, not after."""
        await asyncio.to_thread(self._folder.require_space, num_bytes, spare_bytes)

    async def sweep(self, *, grace_s: float = 3600.0) -> Swept:
        """Applies retention and mends files, in small steps beside everything else.

        `grace_s` 0 is right at a start, before anything is accepted; later the default.
        """
        return await self._sweeper.sweep(grace_s=grace_s)

    async def check(self, *, rehash: bool = False) -> Findings:
        """Looks whether all is sound and changes nothing."""
        return await asyncio.to_thread(check, self._folder.path, rehash=rehash)

    async def backup(self, target: Path) -> BackedUp:
        """Writes everything into one file, beside everything else."""
        return await asyncio.to_thread(write_backup, self._folder.path, target)

    @staticmethod
    async def restore(folder: Path, source: Path, *, replace: bool = False) -> None:
        """Puts a backup in a folder that no bot uses. Raises as `backup.restore_backup`."""
        await asyncio.to_thread(restore_backup, folder, source, replace=replace)

    async def export_user(self, user_id: int) -> UserExport:
        """All that is kept about a user."""
        return await self._privacy.export_user(user_id)

    async def forget_user(self, user_id: int) -> Forgotten:
        """Deletes all that is kept about a user, see `privacy.py` for what must stay."""
        return await self._privacy.forget_user(user_id)

    async def unneeded_files(self) -> list[str]:
        """Hashes of what no picture and no job needs, or not yet."""
        return await self._sweeper.unneeded()

    async def remove_unneeded(self, hashes: Collection[str]) -> int:
        """Removes those of them that are still not needed, and tells how many."""
        return await self._sweeper.remove_unneeded(hashes)
