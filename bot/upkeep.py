"""`limner backup` and `limner restore`: the data folder as one file, and back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.console import Console

from ..storage import backup

if TYPE_CHECKING:
    from pathlib import Path

    from .settings import Settings


def back_up(settings: Settings, file: Path) -> None:
    """Raises `StorageError`."""
    asyncio.run(backup.write(settings.storage.folder, file))
    Console().print(f"{file} holds the database and the pictures.", highlight=False)


def put_back(settings: Settings, file: Path) -> None:
    """Raises `StorageError`: also while a bot uses the folder."""
    asyncio.run(backup.restore(file, settings.storage.folder))
    Console().print(f"{settings.storage.folder} is as {file} has it.", highlight=False)
