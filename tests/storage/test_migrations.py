"""Migrations and named statements: nothing half done, nothing unnamed, nothing unused."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import limner.storage
from limner.storage import Storage
from limner.storage.folder import Folder
from limner.storage.migrations import Migration, known_migrations, migrate, split
from limner.storage.queries import load

from .makers import ask

PACKAGE = Path(limner.storage.__file__).parent
SUBJECTS = sorted(
    path.stem for path in (PACKAGE / "sql").glob("*.sql") if not path.stem.startswith("migration_")
)


def connect(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "limner.db", isolation_level=None)


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [migration.number for migration in known_migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_migration_keeps_all_rows_and_leaves_a_copy_of_what_was(tmp_path: Path) -> None:
    async with Storage.open(tmp_path) as storage:
        await storage.jobs.accept(ask())
    newest = known_migrations()[-1].number
    following = Migration(newest + 1, "ALTER TABLE jobs ADD COLUMN mood TEXT NOT NULL DEFAULT '';")
    folder = Folder(tmp_path)
    with closing(connect(tmp_path)) as connection:
        migrate(connection, folder, (*known_migrations(), following))
        assert connection.execute("SELECT id, mood FROM jobs").fetchall() == [(1, "")]
        assert connection.execute("PRAGMA user_version").fetchone() == (newest + 1,)
    with closing(sqlite3.connect(folder.copies / f"before-{newest + 1:04}.db")) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (newest,)
        assert copy.execute("SELECT count(*) FROM jobs").fetchone() == (1,)


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    async with Storage.open(tmp_path) as storage:
        await storage.jobs.accept(ask())
    newest = known_migrations()[-1].number
    broken = Migration(
        newest + 1,
        "CREATE TABLE half (id INTEGER); UPDATE jobs SET kind = 'x'; SELECT * FROM nowhere;",
    )
    with closing(connect(tmp_path)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, Folder(tmp_path), (*known_migrations(), broken))
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
        assert "half" not in tables
        assert connection.execute("SELECT kind FROM jobs").fetchall() == [("imagine",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (newest,)
    async with Storage.open(tmp_path) as storage:
        assert len(await storage.jobs.unfinished()) == 1


async def test_a_database_that_is_up_to_date_is_not_copied(tmp_path: Path) -> None:
    for _ in range(2):
        async with Storage.open(tmp_path):
            pass
    assert not (tmp_path / "copies").exists()


def test_a_script_is_split_into_statements_and_triggers_stay_whole() -> None:
    script = "CREATE TABLE t (a);\nCREATE TRIGGER x AFTER INSERT ON t\nBEGIN\nSELECT 1;\nEND;\n"
    assert len(list(split(script))) == 2


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_statement_is_described_used_and_understood_by_sqlite(subject: str) -> None:
    text = (PACKAGE / "sql" / f"{subject}.sql").read_text()
    sources = "\n".join(path.read_text() for path in PACKAGE.glob("*.py"))
    names = re.findall(r"^-- name: (\S+)$", text, re.MULTILINE)
    statements = load(subject)
    assert list(statements) == names
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in known_migrations():
            connection.executescript(migration.script)
        for name, statement in statements.items():
            assert statement.startswith("-- "), f"{name} is not described"
            is_used = f'"{name}"' in sources or name.startswith(("export_", "forget_"))
            assert is_used, f"{name} is not used"
            parameters = dict.fromkeys(re.findall(r":([a-z_0-9]+)", statement))
            connection.execute(f"EXPLAIN {statement}", parameters)


def test_every_statement_that_is_named_in_the_code_exists() -> None:
    known = {name for subject in SUBJECTS for name in load(subject)}
    for path in PACKAGE.glob("*.py"):
        for name in re.findall(r'_?SQL\["([a-z_0-9]+)"\]', path.read_text()):
            assert name in known, f"{path.name} wants {name}"
