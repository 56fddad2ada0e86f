"""Backups: whole while others write, refused when damaged, nothing replaced before it is sure."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from limner.storage import JobStatus, Storage
from limner.storage.backup import write_backup
from limner.storage.errors import BackupError, FolderInUseError, NewerDatabaseError

from .makers import GUILD, USER, ask, bring_to

if TYPE_CHECKING:
    from pathlib import Path


def everything(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(folder / "limner.db")) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
            )
        ]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


async def fill(storage: Storage) -> None:
    for status in JobStatus:
        source = await storage.images.put(f"source of {status}".encode())
        await bring_to(storage, status, ask(inputs=(source,)))


async def test_a_backup_restores_every_row_and_every_picture(tmp_path: Path) -> None:
    async with Storage.open(tmp_path / "old") as storage:
        await fill(storage)
        done = await storage.backup(tmp_path / "backup.zip")
        assert (done.num_pictures, done.num_missing) == (8, 0)
    await Storage.restore(tmp_path / "new", tmp_path / "backup.zip")
    assert everything(tmp_path / "new") == everything(tmp_path / "old")
    async with Storage.open(tmp_path / "new") as storage:
        assert (await storage.check(rehash=True)).is_sound
        assert len(await storage.jobs.recover()) == 2


async def test_a_backup_of_a_busy_bot_is_one_moment(tmp_path: Path) -> None:
    async with Storage.open(tmp_path / "old") as storage:
        has_begun, is_over = asyncio.Event(), asyncio.Event()

        async def live() -> None:
            while not is_over.is_set():
                await bring_to(storage, JobStatus.DELIVERED)
                has_begun.set()

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(live())
            await has_begun.wait()
            await storage.backup(tmp_path / "backup.zip")
            is_over.set()
    await Storage.restore(tmp_path / "new", tmp_path / "backup.zip")
    async with Storage.open(tmp_path / "new") as storage:
        assert (await storage.check(rehash=True)).is_sound
        assert await storage.jobs.by_user(USER, GUILD)


async def test_a_restore_never_replaces_unasked_nor_under_a_running_bot(tmp_path: Path) -> None:
    async with Storage.open(tmp_path / "data") as storage:
        await fill(storage)
        await storage.backup(tmp_path / "backup.zip")
        with pytest.raises(FolderInUseError):
            await Storage.restore(tmp_path / "data", tmp_path / "backup.zip", replace=True)
        await storage.jobs.accept(ask(prompt="after the backup"))
    with pytest.raises(BackupError, match="already a database"):
        await Storage.restore(tmp_path / "data", tmp_path / "backup.zip")
    await Storage.restore(tmp_path / "data", tmp_path / "backup.zip", replace=True)
    async with Storage.open(tmp_path / "data") as storage:
        assert len(await storage.jobs.by_user(USER, GUILD)) == len(JobStatus)
    kept = tmp_path / "data" / "copies" / "before-restore.db"
    with closing(sqlite3.connect(kept)) as connection:
        (num_jobs,) = connection.execute("SELECT count(*) FROM jobs").fetchone()
    assert num_jobs == len(JobStatus) + 1


def damage(source: Path, target: Path, name: str, content: bytes | None) -> None:
    """Copies a backup with one entry changed, or left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            data = old.read(entry)
            if entry.startswith(name):
                if content is None:
                    continue
                data = content
            new.writestr(entry, data)


@pytest.mark.parametrize(
    ("name", "content"),
    [("limner.db", None), ("limner.db", b"not a database" * 400), ("pictures/", b"another")],
)
async def test_a_damaged_backup_changes_nothing(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    async with Storage.open(tmp_path / "data") as storage:
        await fill(storage)
        await storage.backup(tmp_path / "backup.zip")
    before = everything(tmp_path / "data")
    damage(tmp_path / "backup.zip", tmp_path / "damaged.zip", name, content)
    whole = (tmp_path / "backup.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    for file in ("damaged.zip", "cut.zip"):
        with pytest.raises(Exception, match=r"backup|database") as refusal:
            await Storage.restore(tmp_path / "data", tmp_path / file, replace=True)
        assert type(refusal.value).__module__ == "limner.storage.errors"
    assert everything(tmp_path / "data") == before


async def test_a_name_that_leads_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    async with Storage.open(tmp_path / "data") as storage:
        await storage.backup(tmp_path / "backup.zip")
    with zipfile.ZipFile(tmp_path / "backup.zip", "a") as archive:
        archive.writestr("pictures/../../escaped", b"x")
        archive.writestr("../escaped", b"x")
    await Storage.restore(tmp_path / "new", tmp_path / "backup.zip")
    assert "escaped" not in {name for _, _, names in os.walk(tmp_path) for name in names}


async def test_a_backup_of_a_newer_limner_is_refused(tmp_path: Path) -> None:
    async with Storage.open(tmp_path / "data"):
        pass
    with closing(sqlite3.connect(tmp_path / "data" / "limner.db")) as connection:
        connection.execute("PRAGMA user_version = 9999")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database = (tmp_path / "data" / "limner.db").read_bytes()
    with zipfile.ZipFile(tmp_path / "newer.zip", "w") as archive:
        archive.writestr("limner.db", database)
    with pytest.raises(NewerDatabaseError):
        await Storage.restore(tmp_path / "new", tmp_path / "newer.zip")


def test_nothing_to_back_up_is_said(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no Limner database"):
        write_backup(tmp_path, tmp_path / "backup.zip")
    assert list(tmp_path.iterdir()) == []
