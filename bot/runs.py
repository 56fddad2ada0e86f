"""The jobs between their acceptance and their end, and what each looks like to the pool.

Who may enter is `accepting`'s, what is written down of an end is `endings`'.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..pipelines.errors import PipelineError, QueueFullError
from ..pipelines.serving.tickets import Ticket
from .attendance import Attendance
from .errors import RefusedError
from .member import group_of
from .pricing import CREDIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..pipelines.serving.pool import WorkerPool
    from ..pipelines.serving.updates import Blocked, Painted
    from ..storage.records import Job
    from .ask import Ask
    from .herald import Herald
    from .inputs import Inputs
    from .judging import Judge
    from .member import Member


@dataclass(slots=True)
class Run:
    """A job under way. Its updates are handled one after another."""

    job: Job
    ask: Ask
    painted: dict[int, Painted] = field(default_factory=dict[int, "Painted"])
    blocked: dict[int, Blocked] = field(default_factory=dict[int, "Blocked"])
    """Found unsafe, and still in the worker."""
    share: float = 0.0
    """Of its steps that are done."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def user_id(self) -> int:
        return self.job.new.origin.user_id


@dataclass(frozen=True, slots=True)
class OpenJob:
    """What an earlier life had accepted and not ended."""

    job: Job
    ask: Ask
    inputs: Inputs
    shows_unsafe: bool


class Runs:
    """Each is the pool's, too, under the job's id; both forget it at its end."""

    def __init__(self, pool: WorkerPool, judge: Judge, herald: Herald) -> None:
        self.painting = Attendance()
        """From a job's start until its end was told, or is tried again later."""
        self._pool = pool
        self._judge = judge
        self._herald = herald
        self._runs: dict[int, Run] = {}

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._runs

    def get(self, job_id: int) -> Run | None:
        return self._runs.get(job_id)

    def of_user(self, user_id: int) -> list[Run]:
        return [run for run in self._runs.values() if run.user_id == user_id]

    def require_room(self, member: Member) -> None:
        """Raises `RefusedError` if the queue would refuse whatever this member asks for now."""
        try:
            self._pool.refuse(member.tenant, member.group)
        except QueueFullError as error:
            again_at = None if error.again_s is None else time.time() + error.again_s
            raise RefusedError(str(error), again_at=again_at) from error
        except PipelineError as error:
            raise RefusedError(str(error)) from error

    def start(self, job: Job, ask: Ask, inputs: Inputs, *, shows_unsafe: bool) -> None:
        """Queues a job that was just accepted."""
        if job.id in self._runs:
            # Recovery read it from the database before this came.
            return
        ticket = self._enter(job, ask, inputs, shows_unsafe)
        # It was accepted: whoever came in between, the queue takes it now.
        waiting = self._pool.submit(ticket, is_recovered=True)
        self._herald.moved(job, waiting)

    def restore(self, open_jobs: Iterable[OpenJob]) -> None:
        """Queues jobs of an earlier life."""
        self._pool.restore(
            [
                self._enter(o.job, o.ask, o.inputs, o.shows_unsafe)
                for o in open_jobs
                if o.job.id not in self._runs
            ]
        )

    def _enter(self, job: Job, ask: Ask, inputs: Inputs, shows_unsafe: bool) -> Ticket:
        origin = job.new.origin
        tenant = str(origin.user_id)
        requests = self._judge.woven(ask).requests(
            tenant=tenant, init_image=inputs.init_image, mask_image=inputs.mask_image
        )
        self._runs[job.id] = Run(job, ask)
        self.painting.came(origin.user_id)
        return Ticket(
            key=str(job.id),
            requests=requests,
            tenant=tenant,
            group=group_of(origin.guild_id, origin.user_id),
            cost=job.new.cost / CREDIT,
            # What may be shown there may be started from; but a part is judged with its whole.
            ground=inputs.ground if ask.canvas is not None or not shows_unsafe else None,
            shows_unsafe=shows_unsafe,
        )

    def cancel(self, job_id: int) -> bool:
        """Whether there was anything to cancel; its end follows as every other."""
        return job_id in self._runs and self._pool.cancel(str(job_id))

    def watch(self, job_id: int, is_watched: bool) -> None:
        if job_id in self._runs:
            self._pool.watch(str(job_id), is_watched)

    def drop(self, run: Run) -> bool:
        """Takes it out, whatever it has come to; False if it was out already."""
        return self._runs.pop(run.job.id, None) is not None
