"""`limner backup` and `limner restore`: the data folder as one file, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from ..storage.backup import restore_backup, write_backup

if TYPE_CHECKING:
    from pathlib import Path

    from .settings import Settings


def back_up(settings: Settings, file: Path) -> None:
    """Raises `StorageError`."""
    written = write_backup(settings.storage.folder, file)
    Console().print(
        f"{file} holds the database and {written.num_pictures} pictures,"
        f" {written.num_bytes / 2**20:,.1f} MiB.",
        highlight=False,
    )


def put_back(settings: Settings, file: Path, *, is_replacing: bool) -> None:
    """Raises `StorageError`: also while a bot uses the folder."""
    restore_backup(settings.storage.folder, file, replace=is_replacing)
    Console().print(f"{settings.storage.folder} is as {file} has it.", highlight=False)
