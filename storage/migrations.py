"""Brings a database to the newest schema, by numbered files and `user_version`.

Before one runs, the database is copied; opening it for use is `database.py`'s.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from .errors import CorruptDatabaseError, NewerDatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .folder import Folder

APPLICATION_ID = 0x4C494D4E
"""`LIMN` in the file's header, so that another program's database is not taken for ours."""

_FILE = re.compile(r"migration_(\d{4})\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    script: str


def known_migrations() -> tuple[Migration, ...]:
    """Every migration that this Limner brings, in order."""
    found = [
        Migration(int(match[1]), entry.read_text("utf-8"))
        for entry in (files(__name__.rpartition(".")[0]) / "sql").iterdir()
        if (match := _FILE.fullmatch(entry.name))
    ]
    return tuple(sorted(found, key=lambda migration: migration.number))


def migrate(
    connection: sqlite3.Connection,
    folder: Folder,
    migrations: tuple[Migration, ...] | None = None,
) -> None:
    """Applies what is missing, each in a transaction of its own.

    Raises `NewerDatabaseError`, `CorruptDatabaseError`; sqlite3's errors are the caller's.
    """
    migrations = known_migrations() if migrations is None else migrations
    version = version_of(connection, folder.database, newest=migrations[-1].number)
    missing = [migration for migration in migrations if migration.number > version]
    if missing and version > 0:
        copy_database(connection, folder.copies / f"before-{missing[0].number:04}.db")
    for migration in missing:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in split(migration.script):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {migration.number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def version_of(connection: sqlite3.Connection, path: Path, *, newest: int | None = None) -> int:
    """The number of the last migration that ran; 0 for a new file.

    Raises `NewerDatabaseError`, `CorruptDatabaseError` for a database that is not ours.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (num_tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (num_tables or version):
        raise CorruptDatabaseError(path, "it belongs to another program")
    known = known_migrations()[-1].number if newest is None else newest
    if version > known:
        raise NewerDatabaseError(path, version, known)
    return version


def copy_database(connection: sqlite3.Connection, target: Path) -> None:
    """Copies the database as it stands, while others may use it; an older copy is replaced."""
    target.parent.mkdir(mode=0o700, exist_ok=True)
    target.unlink(missing_ok=True)
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()


def split(script: str) -> Iterator[str]:
    """One statement after the other; a trigger's inner semicolons don't end it."""
    # sqlite3's own executescript commits first, which would tear a migration in two.
    statement = ""
    for part in script.split(";")[:-1]:
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
