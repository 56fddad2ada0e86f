"""Deletes what is kept about one user, once nothing of theirs is under way any more.

Which rows and files those are is storage's.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .attendance import Attendance
from .drafts import forget_drafts
from .errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..storage.privacy import Forgotten
    from ..storage.storage import Storage
    from .runs import Runs

log = logging.getLogger(__name__)

_LAST_WORDS_S = 20.0
"""For the cancelled jobs of one who is forgotten to end and be told."""


class Forgetting:
    """Nothing of a user who is being forgotten is accepted, and nothing half accepted is missed."""

    def __init__(self, storage: Storage, runs: Runs) -> None:
        self._storage = storage
        self._runs = runs
        self._accepting = Attendance()
        self._leaving: set[int] = set()

    @contextmanager
    def held_off(self, user_id: int) -> Generator[None]:
        """While the block runs, forgetting the user waits. Raises `RefusedError` if it goes on."""
        with self._accepting.of(user_id):
            if user_id in self._leaving:
                raise RefusedError("Your data is just being deleted: ask again in a minute.")
            yield

    async def forget(self, user_id: int) -> Forgotten:
        """Raises `RefusedError` while it goes on already, `StorageError`; then ask again."""
        if user_id in self._leaving:
            raise RefusedError("Your data is being deleted already.")
        self._leaving.add(user_id)
        try:
            await self._accepting.absent(user_id)
            await self._stop_all_of(user_id)
            await forget_drafts(self._storage, user_id)
            return await self._storage.forget_user(user_id)
        finally:
            self._leaving.discard(user_id)

    async def _stop_all_of(self, user_id: int) -> None:
        theirs = self._runs.of_user(user_id)
        for run in theirs:
            self._runs.cancel(run.job.id)
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._runs.painting.absent(user_id)
        except TimeoutError:
            # A worker that hangs, or a Discord that does not answer, keeps nobody's data here.
            log.warning("%d jobs of a user who is forgotten have not ended", len(theirs))
            for run in theirs:
                if self._runs.drop(run):
                    self._runs.painting.left(user_id)
