"""The one SQLite file: a writer whose transactions run one after the other, and a few readers.

sqlite3's errors become ours here and nowhere else. What is written is the business of `jobs.py`,
`ledger.py` and the others.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import aiosqlite

from .errors import (
    CorruptDatabaseError,
    DatabaseLockedError,
    DiskError,
    DiskFullError,
    ReadOnlyFolderError,
    StorageError,
)
from .migrations import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping

    from .folder import Folder

logger = logging.getLogger(__name__)

T = TypeVar("T")

NUM_READERS = 3
BUSY_TIMEOUT_S = 60.0
"""How long another program may keep the database locked before a write gives up."""


class Rows:
    """Runs statements on one connection; what they return is fetched whole."""

    def __init__(self, connection: aiosqlite.Connection, folder: Folder) -> None:
        self._connection = connection
        self._folder = folder

    async def all(
        self, sql: str, parameters: Mapping[str, object] | tuple[object, ...] = ()
    ) -> list[sqlite3.Row]:
        with translating(self._folder):
            return list(await self._connection.execute_fetchall(sql, parameters))  # pyright: ignore[reportArgumentType] - aiosqlite's type forgets named parameters

    async def one(
        self, sql: str, parameters: Mapping[str, object] | tuple[object, ...] = ()
    ) -> sqlite3.Row | None:
        rows = await self.all(sql, parameters)
        return rows[0] if rows else None


class Transaction(Rows):
    """A write in progress: everything in it happens, or nothing."""

    async def run(
        self, sql: str, parameters: Mapping[str, object] | tuple[object, ...] = ()
    ) -> int:
        """Returns how many rows changed."""
        with translating(self._folder):
            cursor = await self._connection.execute(sql, parameters)  # pyright: ignore[reportArgumentType]
            return cursor.rowcount

    async def run_many(self, sql: str, rows: Iterable[Mapping[str, object]]) -> None:
        with translating(self._folder):
            await self._connection.executemany(sql, rows)  # pyright: ignore[reportArgumentType]


class Database:
    """Made by `open_database`; every write goes through `transaction`."""

    def __init__(
        self,
        folder: Folder,
        writer: aiosqlite.Connection,
        readers: tuple[aiosqlite.Connection, ...],
    ) -> None:
        self.folder = folder
        self._writer = writer
        self._write_lock = asyncio.Lock()
        # Unfinished writes, kept so that none is collected half-way and closing can await them.
        self._writes: set[asyncio.Task[Any]] = set()
        self._readers = readers
        self._idle_readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue(
            len(readers)
        )
        for reader in readers:
            self._idle_readers.put_nowait(reader)

    async def transaction(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Runs `body` alone in one transaction and commits it durably.

        It runs as a task of its own: if the caller is cancelled, it goes on to its end, for a
        statement that has begun can't be called back, and half of it must not stay.
        Raises what `body` raises, after rolling back; `StorageError`s of the disk and the lock.
        """
        task = asyncio.create_task(self._transact(body), name="limner write")
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_orphaned_failure)
            raise

    async def _transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._write_lock:
            transaction = Transaction(self._writer, self.folder)
            try:
                await transaction.run("BEGIN IMMEDIATE")
                result = await body(transaction)
                await transaction.run("COMMIT")
            except BaseException:
                await self._roll_back()
                raise
            return result

    async def _roll_back(self) -> None:
        # aiosqlite runs what it is given in order, so this comes after a statement whose
        # awaiter was cancelled. A full disk may have rolled back already: then nothing is open.
        try:
            await self._writer.rollback()
        except sqlite3.Error:
            logger.exception("a transaction could not be rolled back")

    async def all(
        self, sql: str, parameters: Mapping[str, object] | tuple[object, ...] = ()
    ) -> list[sqlite3.Row]:
        """One read, beside any write."""
        async with self._reader() as reader:
            return await Rows(reader, self.folder).all(sql, parameters)

    async def one(
        self, sql: str, parameters: Mapping[str, object] | tuple[object, ...] = ()
    ) -> sqlite3.Row | None:
        rows = await self.all(sql, parameters)
        return rows[0] if rows else None

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[Rows, None]:
        """Several reads of one moment. Keep it short: the write-ahead log can't shrink under it."""
        async with self._reader() as reader:
            rows = Rows(reader, self.folder)
            await rows.all("BEGIN")
            try:
                yield rows
            finally:
                await reader.rollback()

    @asynccontextmanager
    async def _reader(self) -> AsyncGenerator[aiosqlite.Connection, None]:
        reader = await self._idle_readers.get()
        try:
            yield reader
        finally:
            self._idle_readers.put_nowait(reader)

    async def shrink_log(self) -> None:
        """Moves the write-ahead log into the database and empties it, unless it is read."""
        async with self._write_lock:
            await Rows(self._writer, self.folder).all("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Waits for writes that have begun, then closes."""
        while self._writes:
            await asyncio.wait(self._writes)
        for connection in (*self._readers, self._writer):
            with translating(self.folder):
                await connection.close()


def _log_orphaned_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a write failed after its caller had left", exc_info=error)


async def open_database(folder: Folder, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """Makes or migrates the folder's database and opens it.

    Raises `NewerDatabaseError`, `CorruptDatabaseError`, `DatabaseLockedError`, and the disk's.
    """
    await asyncio.to_thread(_prepare, folder, busy_timeout_s)
    opened: list[aiosqlite.Connection] = []
    try:
        for _ in range(1 + NUM_READERS):
            opened.append(await _connect(folder, busy_timeout_s, writes=not opened))
    except BaseException:
        for connection in opened:
            await connection.close()
        raise
    return Database(folder, opened[0], tuple(opened[1:]))


def _prepare(folder: Folder, busy_timeout_s: float) -> None:
    with translating(folder):
        connection = sqlite3.connect(folder.database, timeout=busy_timeout_s, isolation_level=None)
        try:
            if folder.database.stat().st_size == 0:
                folder.database.chmod(0o600)
            # Before WAL: the mode is a property of the file, and is set once.
            migrate(connection, folder)
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()


async def _connect(folder: Folder, busy_timeout_s: float, *, writes: bool) -> aiosqlite.Connection:
    with translating(folder):
        connection = await aiosqlite.connect(
            folder.database, timeout=busy_timeout_s, isolation_level=None
        )
        connection.row_factory = sqlite3.Row
        pragmas = ["foreign_keys = ON", "temp_store = MEMORY"]
        if writes:
            # secure_delete: what a user had deleted must not linger in free pages.
            pragmas += ["synchronous = FULL", "secure_delete = ON", "journal_size_limit = 67108864"]
        else:
            pragmas += ["query_only = ON"]
        for pragma in pragmas:
            await connection.execute(f"PRAGMA {pragma}")
    return connection


@contextmanager
def translating(folder: Folder) -> Generator[None, None, None]:
    """The border: sqlite3's errors come out as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, folder) from error


def translated(error: sqlite3.Error, folder: Folder) -> Exception:
    # The extended code's low byte is the primary one: SQLITE_IOERR_WRITE is an SQLITE_IOERR.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_FULL:
            return DiskFullError(folder.path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseLockedError(folder.database)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return ReadOnlyFolderError(folder.path)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return CorruptDatabaseError(folder.database, str(error))
        case sqlite3.SQLITE_IOERR:
            return DiskError(folder.path, str(error))
        case _:
            # Ours: a constraint or a statement that can't be wrong in the field.
            return StorageError(f"The database refused a statement ({error}).")
