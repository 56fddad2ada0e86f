"""Takes up what an earlier life left open: ends that nobody was told, jobs that had none."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from .ask import Ask
from .errors import RefusedError
from .exposure import shows_unsafe
from .inputs import inputs_of
from .runs import OpenJob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..pipelines.checkpoint import Checkpoint
    from ..storage.records import Job
    from ..storage.storage import Storage
    from .errands import Errands
    from .herald import Herald
    from .runs import Runs

log = logging.getLogger(__name__)

_AT_ONCE = 50
"""Jobs that are queued again before anything else on the event loop has its turn."""


class Recovery:
    """Once a life: later, what runs in the database runs here too."""

    def __init__(
        self,
        storage: Storage,
        checkpoints: Mapping[str, Checkpoint],
        runs: Runs,
        herald: Herald,
        errands: Errands,
    ) -> None:
        self._storage = storage
        self._checkpoints = checkpoints
        self._runs = runs
        self._herald = herald
        self._errands = errands
        self._has_recovered = False

    async def recover(self) -> None:
        """Tells what is untold, each time; queues what had not ended, once."""
        for job in await self._storage.jobs.untold():
            self._tell_soon(job)
        if self._has_recovered:
            return
        self._has_recovered = True
        jobs = [job for job in await self._storage.jobs.recover() if job.id not in self._runs]
        policies: dict[tuple[int, bool], bool] = {}
        for first in range(0, len(jobs), _AT_ONCE):
            some = jobs[first : first + _AT_ONCE]
            self._runs.restore([o for job in some if (o := await self._open(job, policies))])
            # What came meanwhile has its turn.
            await asyncio.sleep(0)
        if jobs:
            log.info("%d jobs go on where the last run stopped", len(jobs))

    async def _open(self, job: Job, policies: dict[tuple[int, bool], bool]) -> OpenJob | None:
        """What it takes to paint it, with its own seed; None: it can't go on, and that is told."""
        try:
            ask = Ask.from_json(job.new.request_json)
            if ask.model not in self._checkpoints:
                raise RefusedError(f"The model {ask.model!r} is not configured any more.")
            inputs = inputs_of(self._storage, ask)
        except RefusedError as error:
            log.warning("it can't go on: %s", error, extra={"job": job.id})
            await self._storage.jobs.fail(job.id, str(error))
            self._tell_soon(await self._storage.jobs.get(job.id))
            return None
        origin = job.new.origin
        place = (origin.guild_id, origin.is_age_restricted)
        if place not in policies:
            policies[place] = await shows_unsafe(self._storage, origin)
        return OpenJob(job, ask, inputs, policies[place])

    def _tell_soon(self, job: Job) -> None:
        self._errands.run(f"tell job {job.id}", self._herald.tell(job))
