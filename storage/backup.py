"""Writes the whole folder into one file while a bot may be running, and puts it back.

The file is a zip with `limner.db` and `pictures/`; what a sound folder is, `checkup.py` says.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import tempfile
import zipfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .checkup import connect_to_read
from .database import translating
from .errors import BackupError
from .folder import Folder, FolderLock, sync_folder, translated
from .images import PictureFiles
from .migrations import copy_database, version_of
from .queries import load

if TYPE_CHECKING:
    from typing import IO

_SQL = load("checkup")
_DATABASE = "limner.db"
_PICTURE = re.compile(r"pictures/([0-9a-f]{64})")
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BackedUp:
    num_pictures: int
    num_missing: int
    """Files that were named and not there: deleted meanwhile, or lost before."""
    num_bytes: int


def write_backup(path: Path, target: Path) -> BackedUp:
    """Writes a consistent moment of the folder; `target` is whole, or not there. Blocks.

    Raises `BackupError`, and the disk's.
    """
    folder = Folder(path)
    files = PictureFiles(folder)
    if not folder.database.exists():
        raise BackupError(f"There is no Limner database in {path}; nothing was backed up.")
    partial = target.with_name(target.name + ".partial")
    num_pictures = num_missing = 0
    try:
        with tempfile.TemporaryDirectory(dir=target.absolute().parent) as scratch:
            copy = Path(scratch) / _DATABASE
            with translating(folder), closing(connect_to_read(folder)) as source:
                version_of(source, folder.database)
                copy_database(source, copy)
            with closing(sqlite3.connect(copy)) as connection:
                hashes = [sha256 for (sha256,) in connection.execute(_SQL["needed_files"])]
                # The inputs of a job that has ended may have been swept: that is no loss.
                named = {sha256 for (sha256,) in connection.execute(_SQL["named_files"])}
            # Stored, not deflated: pictures don't shrink. They are read after the database was
            # copied: what it names was durable before, and is here unless somebody deleted it.
            with partial.open("wb") as file:
                with zipfile.ZipFile(file, "w") as archive:
                    archive.write(copy, _DATABASE, zipfile.ZIP_DEFLATED)
                    for sha256 in hashes:
                        try:
                            archive.write(files.path(sha256), f"pictures/{sha256}")
                            num_pictures += 1
                        except FileNotFoundError:
                            num_missing += sha256 in named
                file.flush()
                os.fsync(file.fileno())
        partial.replace(target)
        sync_folder(target.absolute().parent)
        return BackedUp(num_pictures, num_missing, target.stat().st_size)
    except OSError as error:
        raise translated(error, target) from error
    finally:
        partial.unlink(missing_ok=True)


def restore_backup(path: Path, source: Path, *, replace: bool = False) -> None:
    """Puts a backup in the folder of a bot that doesn't run. Blocks.

    Everything is unpacked and checked before anything is replaced; the database that was there is
    kept in `copies/`, its pictures stay until the next sweep finds them orphans.
    Raises `FolderInUseError`, `BackupError`, `NewerDatabaseError`, and the disk's.
    """
    if not source.is_file():
        raise BackupError(f"There is no backup {source}; nothing was changed.")
    folder = Folder(path)
    folder.make()
    lock = FolderLock(folder)
    try:
        if folder.database.exists() and not replace:
            raise BackupError(
                f"There is already a database in {path}; say that it may be replaced, "
                "or choose another folder."
            )
        _unpack(folder, source)
    except OSError as error:
        raise translated(error, path) from error
    finally:
        lock.release()


def _unpack(folder: Folder, source: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.path) as scratch:
        unpacked = Path(scratch) / _DATABASE
        files = PictureFiles(folder)
        try:
            with zipfile.ZipFile(source) as archive:
                with archive.open(_DATABASE) as entry:
                    _copy(entry, unpacked)
                _check_database(unpacked)
                for name in archive.namelist():
                    # Names are matched whole, so that none leads out of the folder.
                    if match := _PICTURE.fullmatch(name):
                        with archive.open(name) as entry:
                            _put(files, match[1], entry)
        except (zipfile.BadZipFile, KeyError, EOFError) as error:
            raise BackupError(
                f"{source} is not a whole Limner backup; nothing was changed."
            ) from error
        _swap(folder, unpacked)


def _copy(entry: IO[bytes], target: Path) -> None:
    with target.open("xb") as file:
        shutil.copyfileobj(entry, file, _CHUNK)
        file.flush()
        os.fsync(file.fileno())


def _check_database(path: Path) -> None:
    folder = Folder(path.parent)
    with translating(folder), closing(sqlite3.connect(path)) as connection:
        version_of(connection, path)
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise BackupError(f"The database in the backup is damaged ({verdict}).")


def _put(files: PictureFiles, sha256: str, entry: IO[bytes]) -> None:
    data = entry.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BackupError(f"The picture {sha256} in the backup is damaged; nothing was changed.")
    files.put(data)


def _swap(folder: Folder, unpacked: Path) -> None:
    if folder.database.exists():
        with translating(folder), closing(sqlite3.connect(folder.database)) as old:
            copy_database(old, folder.copies / "before-restore.db")
    # An old write-ahead log must never be played into the new database.
    for suffix in ("-wal", "-shm"):
        folder.database.with_name(folder.database.name + suffix).unlink(missing_ok=True)
    unpacked.replace(folder.database)
    sync_folder(folder.path)
