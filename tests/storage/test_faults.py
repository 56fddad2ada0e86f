"""Disks and databases that fail: each has one clear answer, and nothing is lost."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from limner.storage import JobStatus, Storage
from limner.storage.database import translating
from limner.storage.errors import (
    CorruptDatabaseError,
    DatabaseLockedError,
    DiskError,
    DiskFullError,
    FolderInUseError,
    NewerDatabaseError,
    ReadOnlyFolderError,
    StorageError,
)
from limner.storage.folder import Folder, translated

from .makers import NOON, Clock, ask, bring_to, painted

if TYPE_CHECKING:
    from collections.abc import Iterator


def child(*arguments: object) -> list[str]:
    """Runs `child.py` to its end and returns what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.storage.child", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@contextmanager
def child_that_waits(what: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Runs until the end of the block, or until a line is written to it."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.storage.child", what, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process


async def test_a_second_bot_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with (
        child_that_waits("hold", tmp_path),
        pytest.raises(FolderInUseError, match="Another Limner is using"),
    ):
        async with Storage.open(tmp_path):
            pass
    async with Storage.open(tmp_path):
        with pytest.raises(FolderInUseError):
            async with Storage.open(tmp_path):
                pass


async def test_the_folder_of_a_killed_bot_is_free(tmp_path: Path) -> None:
    with child_that_waits("hold", tmp_path) as process:
        process.kill()
        process.wait()
        async with Storage.open(tmp_path) as storage:
            await storage.jobs.accept(ask())


def test_a_folder_that_cannot_be_written_is_said_to_be_so() -> None:
    # Not under `tmp_path`: root, who may write anywhere, runs this as nobody, who must get there.
    with TemporaryDirectory() as name:
        folder = Path(name)
        assert child("open", folder) == ["accepted"]
        for path in (*folder.rglob("*"), folder):
            path.chmod(0o555 if path.is_dir() else 0o444)
        kind, sentence = child("open_as_nobody", folder)
    assert kind == "ReadOnlyFolderError"
    assert sentence.endswith("give the user that runs Limner write access to it.")


async def test_a_write_waits_while_another_program_holds_the_database(tmp_path: Path) -> None:
    async with Storage.open(tmp_path) as storage:
        job = await bring_to(storage, JobStatus.RUNNING)
        with child_that_waits("lock", tmp_path) as process:
            storing = asyncio.create_task(storage.jobs.store(job.id, [painted()]))
            # Reading goes on meanwhile.
            assert (await storage.jobs.get(job.id)).status is JobStatus.RUNNING
            assert not storing.done()
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            assert len(await storing) == 1


@pytest.mark.long
async def test_a_lock_of_thirty_seconds_loses_nothing(tmp_path: Path) -> None:
    async with Storage.open(tmp_path) as storage:
        jobs = [await bring_to(storage, JobStatus.RUNNING) for _ in range(10)]
        with child_that_waits("lock", tmp_path) as process:
            writes = [asyncio.create_task(storage.jobs.store(job.id, [painted()])) for job in jobs]
            # The one wait in these tests: thirty seconds are what is promised.
            done, _ = await asyncio.wait(writes, timeout=30)
            assert not done
            process.communicate("go\n")
            await asyncio.gather(*writes)
        assert (await storage.jobs.counts())[JobStatus.STORED] == 10


async def test_a_lock_that_never_ends_is_said_and_the_job_is_as_before(tmp_path: Path) -> None:
    async with Storage.open(tmp_path, busy_timeout_s=0.05) as storage:
        job = await bring_to(storage, JobStatus.RUNNING)
        with (
            child_that_waits("lock", tmp_path),
            pytest.raises(DatabaseLockedError, match="Another program keeps"),
        ):
            await storage.jobs.store(job.id, [painted()])
        assert (await storage.jobs.get(job.id)).status is JobStatus.RUNNING
        await storage.jobs.store(job.id, [painted()])


def test_a_database_that_finds_no_room_survives_and_goes_on(tmp_path: Path) -> None:
    # Enough for the write-ahead log to begin, not for it to go on.
    first, last = child("starve", tmp_path, 300_000)
    assert "after" in first
    assert int(first.split()[-1]) > 0
    assert last == "sound True"


def test_a_picture_that_finds_no_room_leaves_its_job_running(tmp_path: Path) -> None:
    said = child("starve_pictures", tmp_path, 2_000_000)
    assert said == ["full", "running", "stored", "sound True"]


@pytest.mark.parametrize(
    ("pragma", "statement", "expected"),
    [
        ("max_page_count = 3", "INSERT INTO t VALUES (zeroblob(100000))", DiskFullError),
        ("query_only = ON", "INSERT INTO t VALUES (1)", ReadOnlyFolderError),
        ("user_version = 1", "SELECT * FROM nowhere", StorageError),
    ],
)
def test_what_sqlite_says_becomes_one_of_our_sentences(
    tmp_path: Path, pragma: str, statement: str, expected: type[Exception]
) -> None:
    with closing(sqlite3.connect(tmp_path / "limner.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (value)")
        connection.execute(f"PRAGMA {pragma}")
        with pytest.raises(expected) as refusal, translating(Folder(tmp_path)):
            connection.execute(statement)
    assert type(refusal.value) is expected
    assert isinstance(refusal.value.__cause__, sqlite3.Error)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EFBIG, DiskFullError),
        (errno.EROFS, ReadOnlyFolderError),
        (errno.EACCES, ReadOnlyFolderError),
        (errno.EIO, DiskError),
    ],
)
def test_what_the_system_says_of_a_file_becomes_one_of_our_sentences(
    number: int, expected: type[Exception]
) -> None:
    error = translated(OSError(number, os.strerror(number)), Path("/data"))
    assert type(error) is expected
    assert str(error).count(".") == 1


async def test_too_little_room_is_said_before_anything_is_painted(storage: Storage) -> None:
    await storage.require_space(1)
    with pytest.raises(DiskFullError, match="full"):
        await storage.require_space(10**18)


async def test_a_database_of_a_newer_limner_is_left_alone(tmp_path: Path) -> None:
    async with Storage.open(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "limner.db")) as connection:
        connection.execute("PRAGMA user_version = 9999")
    before = (tmp_path / "limner.db").read_bytes()
    with pytest.raises(NewerDatabaseError, match="newer Limner"):
        async with Storage.open(tmp_path):
            pass
    assert (tmp_path / "limner.db").read_bytes() == before


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "limner.db")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(CorruptDatabaseError, match="another program"):
        async with Storage.open(tmp_path):
            pass


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "limner.db").write_bytes(b"a shopping list\n" * 500)
    with pytest.raises(CorruptDatabaseError, match="restore a backup"):
        async with Storage.open(tmp_path):
            pass


async def test_a_damaged_database_is_found(tmp_path: Path) -> None:
    async with Storage.open(tmp_path) as storage:
        for _ in range(50):
            await storage.jobs.accept(ask(prompt="a long wish " * 50))
    path = tmp_path / "limner.db"
    data = bytearray(path.read_bytes())
    # Everything behind the schema's pages; the header and the tables' names stay.
    for offset in range(60 * 4096, len(data), 4096):
        data[offset : offset + 512] = b"\xff" * 512
    path.write_bytes(bytes(data))
    async with Storage.open(tmp_path) as storage:
        try:
            findings = await storage.check()
        except CorruptDatabaseError as error:
            assert "restore a backup" in str(error)  # noqa: PT017
        else:
            assert findings.damage
            assert "restore a backup" in findings.sentences()[0]


async def test_a_clock_set_back_loses_no_job_and_keeps_their_order(tmp_path: Path) -> None:
    clock = Clock()
    async with Storage.open(tmp_path, clock=clock) as storage:
        first = await bring_to(storage, JobStatus.RUNNING)
        clock.now -= 400 * 86400.0
        second = await storage.jobs.accept(ask())
        await storage.jobs.store(first.id, [painted()])
        await storage.jobs.told(first.id)
        await storage.sweep(grace_s=0)
        assert [job.id for job in await storage.jobs.recover()] == [second.id]
        clock.now = NOON
        await storage.sweep(grace_s=0)
        assert [job.id for job in await storage.jobs.by_user(7, 8)] == [second.id, first.id]
        assert (await storage.check()).is_sound
