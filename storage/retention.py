"""Decides what is kept how long, and mends what a crash or a hand has left in the folder.

Deleting one user's data is `privacy.py`'s; only looking is `checkup.py`'s.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .folder import translated
from .images import INPUTS_KEPT_S, is_needed
from .queries import load

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from .database import Database, Transaction
    from .folder import Folder
    from .images import PictureFiles

_SQL = load("retention")

BATCH = 200
"""Rows or files a transaction: somebody who submits meanwhile waits for one batch at most."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What the bot's owner wants kept; None: for ever, or as much as fits. Favourites stay."""

    pictures_days: float | None = None
    jobs_days: float | None = None
    """Of jobs without a picture: their prompts, and who asked."""
    budget_bytes: int | None = None
    """Of all picture files; above it the oldest go first."""
    copies_days: float = 30.0
    """Of databases copied before a migration or a restore."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did."""

    num_expired: int
    """Pictures past their age or over the budget."""
    num_jobs_dropped: int
    num_orphans: int
    """Files that nobody needed."""
    num_missing: int
    """Files that a picture named and that were not there; their rows now say so."""
    num_bytes_freed: int
    num_bytes_kept: int


class Sweeper:
    """Works in small batches beside everything else."""

    def __init__(
        self,
        folder: Folder,
        database: Database,
        files: PictureFiles,
        retention: Retention,
        clock: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._database = database
        self._files = files
        self._retention = retention
        self._clock = clock

    async def sweep(self, *, grace_s: float = 3600.0) -> Swept:
        """Applies retention, removes orphans, marks missing files.

        A file put within the last `grace_s` stays: its job may not be accepted yet. At a start,
        before anything is accepted, 0 is right.
        """
        num_expired = await self._repeat("expire_by_age", self._retention.pictures_days)
        num_dropped = 0
        if self._retention.jobs_days is not None:
            num_dropped = await self._repeat("drop_old_jobs", self._retention.jobs_days)
        await self._repeat("forget_pseudonyms", None)
        await self._once("drop_tokens")

        sizes = await asyncio.to_thread(self._sizes)
        num_missing = await self._mark_missing(sizes)
        num_bytes = sum(sizes.values())
        gone = await self._remove_unneeded(sizes, grace_s)
        left = num_bytes - sum(sizes[path] for path in gone)
        expired, over = await self._shrink_to_budget(left)
        await asyncio.to_thread(self._clear_old_files, grace_s)
        freed = num_bytes - left + over
        return Swept(
            num_expired=num_expired + expired,
            num_jobs_dropped=num_dropped,
            num_orphans=len(gone),
            num_missing=num_missing,
            num_bytes_freed=freed,
            num_bytes_kept=num_bytes - freed,
        )

    async def remove_unneeded(self, hashes: Collection[str]) -> int:
        """Removes those files that nobody needs any more, and returns how many."""
        paths = [self._files.path(sha256) for sha256 in hashes]
        return len(await self._remove(paths, unless_since=float("inf")))

    async def _once(self, statement: str) -> None:
        def body(transaction: Transaction) -> None:
            transaction.run(_SQL[statement], {"now": self._clock()})

        await self._database.transaction(body)

    async def _repeat(self, statement: str, days: float | None) -> int:
        total = 0
        while True:
            now = self._clock()

            def body(transaction: Transaction, now: float = now) -> int:
                parameters = {"now": now, "limit": BATCH, "pictures_days": days, "jobs_days": days}
                return transaction.run(_SQL[statement], parameters)

            changed = await self._database.transaction(body)
            total += changed
            if changed < BATCH:
                return total

    def _sizes(self) -> dict[Path, int]:
        sizes: dict[Path, int] = {}
        for path in self._files.all():
            try:
                sizes[path] = path.stat().st_size
            except FileNotFoundError:
                continue
        return sizes

    async def _mark_missing(self, sizes: Collection[Path]) -> int:
        there = {path.name for path in sizes}
        rows = await self._database.all(_SQL["live_files"])
        suspects = [row["sha256"] for row in rows if row["sha256"] not in there]
        num_missing = 0
        for sha256 in suspects:
            # Written since the folder was listed?
            if await asyncio.to_thread(self._files.path(sha256).exists):
                continue
            now = self._clock()

            def body(transaction: Transaction, sha256: str = sha256, now: float = now) -> int:
                return transaction.run(_SQL["mark_missing"], {"sha256": sha256, "now": now})

            num_missing += await self._database.transaction(body)
        return num_missing

    async def unneeded(self) -> list[str]:
        """Files that neither a picture nor a job needs, or not yet: what is being asked for."""
        paths = await asyncio.to_thread(lambda: list(self._files.all()))
        return [path.name for path in await self._unneeded(paths)]

    async def _remove_unneeded(self, sizes: Collection[Path], grace_s: float) -> list[Path]:
        # Compared with the files' own dates, so it is the machine's clock.
        unless_since = time.time() - grace_s
        return await self._remove(await self._unneeded(sizes), unless_since=unless_since)

    async def _unneeded(self, paths: Collection[Path]) -> list[Path]:
        needed: set[str] = set()
        parameters = {"inputs_since": self._clock() - INPUTS_KEPT_S}
        for statement in ("live_files", "input_files"):
            found = await self._database.all(_SQL[statement], parameters)
            needed.update(row["sha256"] for row in found)
        return [path for path in paths if path.name not in needed]

    async def _remove(self, paths: Sequence[Path], *, unless_since: float) -> list[Path]:
        removed: list[Path] = []
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]

            # In a transaction, so that no job can begin to need a file while it is removed.
            def body(transaction: Transaction, batch: Sequence[Path] = batch) -> list[Path]:
                gone: list[Path] = []
                for path in batch:
                    if is_needed(transaction, path.name, self._clock()):
                        continue
                    if self._files.remove(path, unless_since=unless_since):
                        gone.append(path)
                return gone

            removed += await self._database.transaction(body)
        return removed

    async def _shrink_to_budget(self, num_bytes: int) -> tuple[int, int]:
        """How many pictures went, and how many bytes."""
        budget = self._retention.budget_bytes
        if budget is None:
            return 0, 0
        num_expired = freed = 0
        while num_bytes - freed > budget:
            rows = await self._database.all(_SQL["oldest"], {"limit": BATCH})
            if not rows:
                break
            excess = num_bytes - freed - budget
            chosen: dict[int, str] = {}
            sizes: dict[str, int] = {}
            for row in rows:
                if sum(sizes.values()) >= excess:
                    break
                chosen[row["id"]] = row["sha256"]
                sizes[row["sha256"]] = row["num_bytes"]
            now = self._clock()

            def body(
                transaction: Transaction, ids: Sequence[int] = tuple(chosen), now: float = now
            ) -> int:
                return sum(
                    [
                        transaction.run(_SQL["expire"], {"picture_id": each, "now": now})
                        for each in ids
                    ]
                )

            num_expired += await self._database.transaction(body)
            paths = [self._files.path(sha256) for sha256 in sizes]
            gone = await self._remove(paths, unless_since=float("inf"))
            freed += sum(sizes[path.name] for path in gone)
        return num_expired, freed

    def _clear_old_files(self, grace_s: float) -> None:
        """Half-written pictures, and copies of databases past their days."""
        now = time.time()
        try:
            for path in self._folder.incoming.iterdir():
                if path.stat().st_mtime < now - grace_s:
                    path.unlink(missing_ok=True)
            for path in self._folder.copies.glob("*.db"):
                if path.stat().st_mtime < now - self._retention.copies_days * 86400.0:
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise translated(error, self._folder.path) from error
