"""Opens a folder of jobs, credits and pictures, and holds it until it is closed.

What can be done there is said in the parts: `jobs`, `images`, `ledger`, `quotas`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .database import BUSY_TIMEOUT_S, Database, open_database
from .folder import Folder, FolderLock
from .images import Images, PictureFiles
from .jobs import Jobs
from .ledger import Ledger
from .pseudonyms import Pseudonyms
from .quota_store import Quotas
from .quotas import Rule

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path


class Storage:
    """What must survive, of one bot."""

    def __init__(
        self,
        folder: Folder,
        database: Database,
        pseudonyms: Pseudonyms,
        bot_rule: Rule,
        clock: Callable[[], float],
    ) -> None:
        files = PictureFiles(folder)
        self._folder = folder
        self._database = database
        self.quotas = Quotas(database, pseudonyms, bot_rule, clock)
        self.ledger = Ledger(database, pseudonyms)
        self.images = Images(database, files, clock)
        self.jobs = Jobs(database, files, self.quotas, clock)

    @staticmethod
    @asynccontextmanager
    async def open(
        folder: Path,
        *,
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
                yield Storage(rooms, database, Pseudonyms(row["value"]), bot_rule or Rule(), clock)
            finally:
                await database.close()
        finally:
            lock.release()

    async def require_space(self, num_bytes: int) -> None:
        """Raises `DiskFullError` unless so much fits: before painting, not after."""
        await asyncio.to_thread(self._folder.require_space, num_bytes)
