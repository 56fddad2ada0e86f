"""The folder that holds everything: its paths, its lock, and the room left on its disk.

What lies in the files is `database.py`'s and `images.py`'s.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import (
    DiskError,
    DiskFullError,
    FolderInUseError,
    ReadOnlyFolderError,
    StorageError,
)

if TYPE_CHECKING:
    from pathlib import Path

SPARE_BYTES = 64 * 1024 * 1024
"""Kept free beside every picture, so that the database can still end and settle jobs."""

# EFBIG: a limit on file size (ulimit -f, some quotas) looks to us like a disk without room.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@dataclass(frozen=True, slots=True)
class Folder:
    """Where things lie."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / "limner.db"

    @property
    def pictures(self) -> Path:
        return self.path / "pictures"

    @property
    def incoming(self) -> Path:
        """Half-written pictures; on the same file system, so that a rename is atomic."""
        return self.pictures / ".incoming"

    @property
    def copies(self) -> Path:
        """Databases as they were before a migration or a restore."""
        return self.path / "copies"

    def make(self) -> None:
        """Makes the folders; its owner alone may read them."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.pictures.mkdir(exist_ok=True, mode=0o700)
            self.incoming.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise translated(error, self.path) from error

    def require_space(self, num_bytes: int, spare_bytes: int = SPARE_BYTES) -> None:
        """Raises `DiskFullError` unless so many bytes fit, and the spare ones beside them."""
        try:
            free = shutil.disk_usage(self.path).free
        except OSError as error:
            raise translated(error, self.path) from error
        if free < num_bytes + spare_bytes:
            raise DiskFullError(self.path)


class FolderLock:
    """Holds a folder for one process; the system lets go of it when the process dies."""

    def __init__(self, folder: Folder) -> None:
        """Raises `FolderInUseError`, `ReadOnlyFolderError`."""
        path = folder.path / "limner.lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise translated(error, folder.path) from error
        try:
            _lock(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise FolderInUseError(folder.path) from error

    def release(self) -> None:
        os.close(self._descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def translated(error: OSError, path: Path) -> StorageError:
    """What the system said about a file, as one of ours."""
    if error.errno in _NO_ROOM:
        return DiskFullError(path)
    if error.errno in _NOT_ALLOWED:
        return ReadOnlyFolderError(path)
    return DiskError(path, error.strerror or type(error).__name__)


def sync_folder(path: Path) -> None:
    """Makes renames in a folder durable; Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
