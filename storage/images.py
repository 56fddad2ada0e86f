"""Pictures: files named by the SHA-256 of their content, and the rows that say what they are.

A file is durable before any row names it. Which files may go is `retention.py`'s.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import threading
from typing import TYPE_CHECKING

from .errors import NoSuchPictureError
from .folder import sync_folder, translated
from .queries import load
from .records import NewPicture, Picture

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .database import Database, Transaction
    from .folder import Folder

_SQL = load("images")
_NAME = re.compile(r"[0-9a-f]{64}")


class PictureFiles:
    """The files alone; everything here blocks and belongs into a thread."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        # Between seeing that a file is there and keeping it, nobody may remove it.
        self._lock = threading.Lock()

    def path(self, sha256: str) -> Path:
        """Raises `NoSuchPictureError` for what is no hash: it must never name another file."""
        if not _NAME.fullmatch(sha256):
            raise NoSuchPictureError(sha256)
        return self._folder.pictures / sha256[:2] / sha256

    def put(self, data: bytes) -> str:
        """Keeps the bytes durably and returns their name; the same bytes are kept once."""
        sha256 = hashlib.sha256(data).hexdigest()
        target = self.path(sha256)
        try:
            if not self._freshen(target, len(data)):
                self._write(target, data)
        except OSError as error:
            raise translated(error, self._folder.path) from error
        return sha256

    def _freshen(self, target: Path, num_bytes: int) -> bool:
        # A new date keeps a file that nobody needs yet from the sweep, see `remove`.
        with self._lock:
            try:
                if target.stat().st_size != num_bytes:
                    return False
                os.utime(target)
            except FileNotFoundError:
                return False
            return True

    def _write(self, target: Path, data: bytes) -> None:
        temporary = self._folder.incoming / secrets.token_hex(16)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if not target.parent.exists():
                target.parent.mkdir(mode=0o700, exist_ok=True)
                sync_folder(target.parent.parent)
            with self._lock:
                temporary.replace(target)
            sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)

    def read(self, sha256: str) -> bytes:
        try:
            return self.path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise NoSuchPictureError(sha256) from error
        except OSError as error:
            raise translated(error, self._folder.path) from error

    def all(self) -> Iterator[Path]:
        """Every kept file."""
        for path in self._folder.pictures.glob("??/*"):
            if _NAME.fullmatch(path.name):
                yield path

    def remove(self, path: Path, *, unless_since: float) -> bool:
        """Removes a file that was not put again after a moment."""
        with self._lock:
            try:
                if path.stat().st_mtime >= unless_since:
                    return False
                path.unlink()
            except FileNotFoundError:
                return False
            except OSError as error:
                raise translated(error, self._folder.path) from error
            return True


class Images:
    """Puts and reads picture files, and the rows of painted pictures."""

    def __init__(self, database: Database, files: PictureFiles, clock: Callable[[], float]) -> None:
        self._database = database
        self._files = files
        self._clock = clock

    async def put(self, data: bytes) -> str:
        """Keeps bytes and returns their SHA-256; a sweep removes what no job needs within a day.

        Raises `DiskFullError`, `ReadOnlyFolderError`, `DiskError`.
        """
        return await asyncio.to_thread(self._files.put, data)

    async def read(self, sha256: str) -> bytes:
        """Raises `NoSuchPictureError`."""
        return await asyncio.to_thread(self._files.read, sha256)

    def path(self, sha256: str) -> Path:
        """Where the file lies, or would."""
        return self._files.path(sha256)

    async def picture(self, picture_id: int) -> Picture:
        """Raises `NoSuchPictureError`; a deleted picture is still found, and says so."""
        row = await self._database.one(_SQL["picture"], {"picture_id": picture_id})
        if row is None:
            raise NoSuchPictureError(picture_id)
        return picture_from(row)

    async def of_job(self, job_id: int) -> list[Picture]:
        rows = await self._database.all(_SQL["of_job"], {"job_id": job_id})
        return [picture_from(row) for row in rows]

    async def set_favourite(self, picture_id: int, is_favourite: bool = True) -> None:
        """A favourite outlives retention. Raises `NoSuchPictureError` for a deleted one."""

        def body(transaction: Transaction) -> None:
            parameters = {"picture_id": picture_id, "is_favourite": int(is_favourite)}
            if not transaction.run(_SQL["set_favourite"], parameters):
                raise NoSuchPictureError(picture_id)

        await self._database.transaction(body)

    async def delete(self, picture_id: int) -> None:
        """Deletes a picture and, if nobody else needs it, its file. Raises `NoSuchPictureError`."""
        now = self._clock()

        def body(transaction: Transaction) -> None:
            row = transaction.one(_SQL["picture"], {"picture_id": picture_id})
            parameters = {"picture_id": picture_id, "now": now}
            if row is None or not transaction.run(_SQL["delete_picture"], parameters):
                raise NoSuchPictureError(picture_id)
            sha256: str = row["sha256"]
            # Inside the transaction: no job can begin to need it meanwhile. A crash in between
            # leaves a row without a file, which the sweep mends into this very deletion.
            if not is_needed(transaction, sha256, now):
                self._files.remove(self._files.path(sha256), unless_since=float("inf"))

        await self._database.transaction(body)


INPUTS_KEPT_S = 24 * 3600.0
"""How long the inputs of a job without pictures are kept, so that it can be tried again."""


def is_needed(transaction: Transaction, sha256: str, now: float) -> bool:
    """Whether any picture or job still needs a file."""
    row = transaction.one(
        _SQL["is_needed"], {"sha256": sha256, "inputs_since": now - INPUTS_KEPT_S}
    )
    return row is not None and bool(row["is_needed"])


def insert_pictures(
    transaction: Transaction, job_id: int, pictures: list[tuple[NewPicture, str]], now: float
) -> list[Picture]:
    """Rows for pictures whose files, named by the hashes, are already durable."""
    stored: list[Picture] = []
    for new, sha256 in pictures:
        rows = transaction.all(
            _SQL["insert_picture"],
            {
                "job_id": job_id,
                "position": new.index,
                "sha256": sha256,
                "seed": str(new.seed),
                "width": new.width,
                "height": new.height,
                "num_bytes": len(new.png),
                "parameters_json": new.parameters_json,
                "is_unsafe": int(new.is_unsafe),
                "now": now,
            },
        )
        stored.append(picture_from(rows[0]))
    return stored


def picture_from(row: sqlite3.Row) -> Picture:
    return Picture(
        id=row["id"],
        job_id=row["job_id"],
        index=row["position"],
        sha256=row["sha256"],
        seed=int(row["seed"]),
        width=row["width"],
        height=row["height"],
        num_bytes=row["num_bytes"],
        parameters_json=row["parameters_json"],
        created_at=row["created_at"],
        is_favourite=bool(row["is_favourite"]),
        is_deleted=row["deleted_at"] is not None,
        is_unsafe=bool(row["is_unsafe"]),
    )
