"""Looks whether the folder is sound, and changes nothing; it may look while a bot is running.

Mending is `retention.py`'s sweep; what the ledger's rules are, `sql/ledger.sql` says.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .database import BUSY_TIMEOUT_S, translating
from .folder import Folder
from .images import PictureFiles
from .migrations import version_of
from .queries import load

if TYPE_CHECKING:
    from pathlib import Path

_SQL = load("checkup")
_LEDGER_SQL = load("ledger")


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong; all empty when nothing is."""

    damage: tuple[str, ...] = ()
    """What SQLite's own check says."""
    unbalanced_jobs: tuple[int, ...] = ()
    """Jobs whose ledger lines don't fit their state."""
    overdrawn_grants: tuple[int, ...] = ()
    num_wrong_tallies: int = 0
    missing_files: tuple[str, ...] = ()
    orphan_files: tuple[str, ...] = ()
    altered_files: tuple[str, ...] = ()
    """Files whose content is not what their name says; looked for on request."""

    @property
    def is_sound(self) -> bool:
        return self == Findings()

    def sentences(self) -> list[str]:
        """One for each thing that is wrong, and what to do about it."""
        told: list[str] = []
        if self.damage:
            told.append(f"The database is damaged ({self.damage[0]}); restore a backup.")
        if self.unbalanced_jobs or self.overdrawn_grants or self.num_wrong_tallies:
            told.append(
                f"The ledger does not add up ({len(self.unbalanced_jobs)} jobs, "
                f"{len(self.overdrawn_grants)} grants, {self.num_wrong_tallies} tallies); "
                "please report this with the log."
            )
        if self.missing_files:
            told.append(
                f"{len(self.missing_files)} picture files are missing; the next start marks "
                "their pictures as deleted, unless you put them back from a backup."
            )
        if self.orphan_files:
            told.append(
                f"{len(self.orphan_files)} picture files belong to nothing; they are removed "
                "at the next start."
            )
        if self.altered_files:
            told.append(
                f"{len(self.altered_files)} picture files were altered or damaged; put them "
                "back from a backup, or delete them."
            )
        return told


def check(path: Path, *, rehash: bool = False) -> Findings:
    """Looks at everything; with `rehash` reads every picture, which takes its time. Blocks.

    Raises `CorruptDatabaseError`, `NewerDatabaseError`, and the disk's.
    """
    folder = Folder(path)
    files = PictureFiles(folder)
    with translating(folder), closing(connect_to_read(folder)) as connection:
        version_of(connection, folder.database)
        connection.execute("BEGIN")
        there = {file.name for file in files.all()}
        named = {sha256 for (sha256,) in connection.execute(_SQL["named_files"])}
        needed = {sha256 for (sha256,) in connection.execute(_SQL["needed_files"])}
        damage = [text for (text,) in connection.execute("PRAGMA quick_check(10)") if text != "ok"]
        damage += [
            f"a row of {table} refers to nothing"
            for table, *_ in connection.execute("PRAGMA foreign_key_check")
        ]
        unbalanced = [job for (job,) in connection.execute(_LEDGER_SQL["unbalanced"])]
        overdrawn = [grant for (grant,) in connection.execute(_LEDGER_SQL["overdrawn_grants"])]
        tallies = connection.execute(_LEDGER_SQL["wrong_tallies"]).fetchall()
    altered = [name for name in sorted(there) if rehash and not _is_itself(files.path(name))]
    return Findings(
        damage=tuple(damage),
        unbalanced_jobs=tuple(unbalanced),
        overdrawn_grants=tuple(overdrawn),
        num_wrong_tallies=len(tallies),
        missing_files=tuple(sorted(named - there)),
        orphan_files=tuple(sorted(there - needed)),
        altered_files=tuple(altered),
    )


def connect_to_read(folder: Folder) -> sqlite3.Connection:
    """A connection that can't write, beside a bot or without one."""
    return sqlite3.connect(
        f"{folder.database.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
    )


def _is_itself(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == path.name
    except FileNotFoundError:
        return True
