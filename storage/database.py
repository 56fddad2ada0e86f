"""The one SQLite file: a writer whose transactions run one after the other, and a few readers.

sqlite3's errors become ours here and nowhere else. What is written is the business of `jobs.py`,
`ledger.py` and the others.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

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
    from collections.abc import Callable, Generator, Iterable, Mapping

    from .folder import Folder

logger = logging.getLogger(__name__)

T = TypeVar("T")

NUM_READERS = 3
BUSY_TIMEOUT_S = 60.0
"""How long another program may keep the database locked before a write gives up."""


class Rows:
    """Runs statements on one connection, in its thread; what they return is fetched whole."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(
        self, sql: str, parameters: Mapping[str, object] | tuple[object, ...] = ()
    ) -> list[sqlite3.Row]:
        return self._connection.execute(sql, parameters).fetchall()

    def one(
        self, sql: str, parameters: Mapping[str, object] | tuple[object, ...] = ()
    ) -> sqlite3.Row | None:
        rows = self.all(sql, parameters)
        return rows[0] if rows else None


class Transaction(Rows):
    """A write in progress: everything in it happens, or nothing."""

    def run(self, sql: str, parameters: Mapping[str, object] | tuple[object, ...] = ()) -> int:
        """Returns how many rows changed."""
        return self._connection.execute(sql, parameters).rowcount

    def run_many(self, sql: str, rows: Iterable[Mapping[str, object]]) -> None:
        self._connection.executemany(sql, rows)


class _Thread(aiosqlite.Connection):
    """aiosqlite's connection in a thread of its own, which here runs whole functions.

    A call a statement would keep a write open over a dozen turns of the event loop, and on a busy
    machine each turn waits: submitting took ten times as long.
    """

    async def call(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Runs it after what was asked before it; a caller who is cancelled doesn't stop it."""
        call = _Call(function)
        try:
            # Untyped there, and protected: for whoever extends the class.
            return await self._execute(call.run, self._conn)  # pyright: ignore[reportUnknownMemberType]
        except asyncio.CancelledError:
            call.is_awaited = False
            raise


class _Call(Generic[T]):
    """A function on its way through a thread, and whether anybody still waits for it."""

    def __init__(self, function: Callable[[sqlite3.Connection], T]) -> None:
        self._function = function
        self.is_awaited = True

    def run(self, connection: sqlite3.Connection) -> T:
        try:
            return self._function(connection)
        except Exception:
            if not self.is_awaited:
                logger.exception("a database call failed after its caller had left")
            raise


class Database:
    """Made by `open_database`; every write goes through `transaction`."""

    def __init__(self, folder: Folder, writer: _Thread, readers: tuple[_Thread, ...]) -> None:
        self.folder = folder
        self._writer = writer
        self._readers = readers
        self._idle_readers: asyncio.LifoQueue[_Thread] = asyncio.LifoQueue(len(readers))
        for reader in readers:
            self._idle_readers.put_nowait(reader)

    async def transaction(self, body: Callable[[Transaction], T]) -> T:
        """Runs `body` alone in one transaction, in the writer's thread, and commits it durably.

        If the caller is cancelled, it still happens whole: nothing is lost and nothing half done.
        Raises what `body` raises, after rolling back; `StorageError`s of the disk and the lock.
        """
        with translating(self.folder):
            return await self._writer.call(lambda connection: _transact(connection, body))

    async def read(self, body: Callable[[Rows], T]) -> T:
        """Runs several reads of one moment, beside any write."""
        reader = await self._idle_readers.get()
        try:
            with translating(self.folder):
                return await reader.call(lambda connection: _read(connection, body))
        finally:
            self._idle_readers.put_nowait(reader)

    async def all(
        self, sql: str, parameters: Mapping[str, object] | tuple[object, ...] = ()
    ) -> list[sqlite3.Row]:
        """One read, beside any write."""
        return await self.read(lambda rows: rows.all(sql, parameters))

    async def one(
        self, sql: str, parameters: Mapping[str, object] | tuple[object, ...] = ()
    ) -> sqlite3.Row | None:
        return await self.read(lambda rows: rows.one(sql, parameters))

    async def shrink_log(self) -> None:
        """Moves the write-ahead log into the database and empties it, unless it is being read."""
        with translating(self.folder):
            await self._writer.call(
                lambda connection: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            )

    async def close(self) -> None:
        """Lets what was asked happen, then closes."""
        for connection in (*self._readers, self._writer):
            with translating(self.folder):
                await connection.close()


def _transact(connection: sqlite3.Connection, body: Callable[[Transaction], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = body(Transaction(connection))
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled back already; then nothing is open.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _read(connection: sqlite3.Connection, body: Callable[[Rows], T]) -> T:
    connection.execute("BEGIN")
    try:
        return body(Rows(connection))
    finally:
        connection.execute("ROLLBACK")


async def open_database(folder: Folder, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """Makes or migrates the folder's database and opens it.

    Raises `NewerDatabaseError`, `CorruptDatabaseError`, `DatabaseLockedError`, and the disk's.
    """
    await asyncio.to_thread(_prepare, folder, busy_timeout_s)
    opened: list[_Thread] = []
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


async def _connect(folder: Folder, busy_timeout_s: float, *, writes: bool) -> _Thread:
    pragmas = ["foreign_keys = ON", "temp_store = MEMORY"]
    if writes:
        # secure_delete: what a user had deleted must not linger in free pages.
        # autocheckpoint: a submit writes a dozen pages, so the usual 1,000 would make one in
        # eighty wait until they are all moved; at 4,000 it is less than one in three hundred.
        pragmas += [
            "synchronous = FULL",
            "secure_delete = ON",
            "wal_autocheckpoint = 4000",
            "journal_size_limit = 67108864",
        ]
    else:
        pragmas += ["query_only = ON"]

    def connector() -> sqlite3.Connection:
        connection = sqlite3.connect(folder.database, timeout=busy_timeout_s, isolation_level=None)
        connection.row_factory = sqlite3.Row
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    with translating(folder):
        thread = _Thread(connector, iter_chunk_size=64)
        await thread
        return thread


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
