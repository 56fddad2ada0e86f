"""Passes on what becomes of jobs to whoever tells their owners, while there is somebody.

How it is told is the `Teller`'s: Discord's is `delivery`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from ..storage.records import JobStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..pipelines.serving.updates import Update
    from ..storage.records import Job, Picture
    from ..storage.storage import Storage

_TELLERS_AT_ONCE = 8
"""Deliveries under way at one time: what piled up while the bot was gone must not flood Discord."""


class Teller(Protocol):
    """Tells owners how their jobs go."""

    def moved(self, job: Job, update: Update) -> None:
        """Often, on the event loop; to be coalesced."""
        ...

    async def ended(self, job: Job, pictures: Sequence[Picture]) -> None:
        """Once the job is stored, failed or cancelled; marks it as told when it was."""
        ...


class Herald:
    """One teller at a time, or none: then the database remembers who is still to be told."""

    def __init__(self, storage: Storage) -> None:
        self.teller: Teller | None = None
        self._storage = storage
        self._telling = asyncio.Semaphore(_TELLERS_AT_ONCE)

    def moved(self, job: Job, update: Update) -> None:
        if self.teller is not None:
            self.teller.moved(job, update)

    async def tell(self, job: Job) -> None:
        """The end of a job, if it has one."""
        teller = self.teller
        if teller is None or job.status in (JobStatus.QUEUED, JobStatus.RUNNING):
            return
        pictures: Sequence[Picture] = ()
        if job.status is JobStatus.STORED:
            pictures = await self._storage.images.of_job(job.id)
        async with self._telling:
            await teller.ended(job, pictures)
