"""Takes up what an earlier life left open: ends that nobody was told, jobs that had none."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..storage.errors import StorageError
from .ask import Ask
from .errors import RefusedError
from .exposure import shows_unsafe
from .inputs import read_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..pipelines.checkpoint import Checkpoint
    from ..storage.records import Job
    from ..storage.storage import Storage
    from .errands import Errands
    from .herald import Herald
    from .runs import Runs

log = logging.getLogger(__name__)


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
        for job in await self._storage.jobs.recover():
            if job.id not in self._runs:
                await self._resume(job)

    async def _resume(self, job: Job) -> None:
        """Queues a job of an earlier life again, with its own seed."""
        try:
            ask = Ask.from_json(job.new.request_json)
            if ask.model not in self._checkpoints:
                raise RefusedError(f"The model {ask.model!r} is not configured any more.")
            inputs = await read_inputs(self._storage, ask)
            is_shown = await shows_unsafe(self._storage, job.new.origin)
        except (RefusedError, StorageError) as error:
            log.warning("job %d can't go on: %s", job.id, error)
            await self._storage.jobs.fail(job.id, str(error))
            self._tell_soon(await self._storage.jobs.get(job.id))
            return
        self._runs.start(job, ask, inputs, shows_unsafe=is_shown, is_recovered=True)

    def _tell_soon(self, job: Job) -> None:
        self._errands.run(f"tell job {job.id}", self._herald.tell(job))
