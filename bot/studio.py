"""The one meeting place of pipelines and storage: submit, cancel, watch, recover. No discord in it.

A job is accepted in one transaction, painted by the pool, stored, settled, and its end is told by
a `Teller`; each of these has a file of its own, and what they share is put together here. What is
painted next is admission's, what a member may spend is storage's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pipelines.serving.updates import (
    Began,
    Blocked,
    Broke,
    Done,
    Moved,
    Painted,
    Update,
    Withdrawn,
)
from .accepting import Accepting
from .endings import Endings
from .errands import Errands
from .forgetting import Forgetting
from .guild_rules import RuleBook
from .herald import Herald, Teller
from .judging import Judge
from .member import Member
from .metrics import Metrics
from .pricing import price
from .recovery import Recovery
from .runs import Runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..pipelines.checkpoint import Checkpoint
    from ..pipelines.serving.pool import WorkerPool
    from ..storage.privacy import Forgotten
    from ..storage.records import Job, Origin
    from ..storage.storage import Storage
    from .ask import Ask
    from .censor import Censor
    from .settings import Settings

__all__ = ["Member", "Studio", "Teller"]

_SWEEP_EVERY_S = 24 * 3600.0


class Studio:
    """Made by `opening.open_studio`; lives on one event loop."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        pool: WorkerPool,
        checkpoints: Mapping[str, Checkpoint],
        broken_models: Mapping[str, str],
    ) -> None:
        self.settings = settings
        self.storage = storage
        self.pool = pool
        self.checkpoints = checkpoints
        """The first one is the default."""
        self.broken_models = broken_models
        """Configured names that can't be loaded, and one sentence why."""
        self.metrics = Metrics()
        self.rules = RuleBook(storage)
        self._judge = Judge(settings, checkpoints, self.rules)
        self._errands = errands = Errands()
        self._herald = herald = Herald(storage)
        self._runs = runs = Runs(pool, self._judge, herald)
        self._endings = Endings(storage, runs, herald, errands)
        self._recovery = Recovery(storage, checkpoints, runs, herald, errands)
        self._forgetting = Forgetting(storage, runs)
        self._accepting = Accepting(settings, storage, checkpoints, runs, self._forgetting, errands)

    # Asking

    async def judge(self, ask: Ask, member: Member) -> Ask:
        """The ask with its defaults filled in; quick, for the server's rules are in memory.

        Raises `RefusedError` with the one sentence that says what to change.
        """
        return await self._judge.judge(ask, member)

    async def models_for(self, member: Member) -> list[str]:
        """What they may paint with where they are. Raises `RefusedError`."""
        return await self._judge.models_for(member)

    @property
    def censor(self) -> Censor:
        return self._judge.censor

    def price(self, ask: Ask) -> int:
        """Milli-credits of a judged ask."""
        return price(ask, self.checkpoints[ask.model])

    async def keep(self, picture: bytes) -> str:
        """Stores a picture that an ask needs; gives the hash that the ask names it by."""
        return await self.storage.images.put(picture)

    async def submit(self, ask: Ask, origin: Origin, member: Member) -> Job:
        """Accepts a job: from here on it ends done, failed or cancelled, and its owner is told.

        Raises `RefusedError`; then nothing was spent and nothing is kept.
        """
        self._accepting.require_open()
        return await self._accepting.submit(await self.judge(ask, member), origin, member)

    def require_room(self, member: Member) -> None:
        """Raises `RefusedError` if the queue would refuse whatever this member asks for now."""
        self._accepting.require_room(member)

    async def cancel(self, job_id: int) -> bool:
        """Whether the job was still to be stopped; its end is told as every other."""
        return self._runs.cancel(job_id)

    def watch(self, job_id: int, is_watched: bool) -> None:
        """Whether previews are wanted of it."""
        self._runs.watch(job_id, is_watched)

    async def forget(self, user_id: int) -> Forgotten:
        """Stops all that is being painted for a user, then deletes what is kept about them.

        The one operation behind every way to ask for it. Raises `RefusedError` while it is under
        way already, `StorageError`; then it can be asked for again.
        """
        try:
            return await self._forgetting.forget(user_id)
        finally:
            self.rules.forget()

    # Telling

    async def attach(self, teller: Teller) -> None:
        """From now on `teller` tells. What an earlier life left open goes on here."""
        self._herald.teller = teller
        await self._recovery.recover()

    async def detach(self) -> None:
        """Nobody tells any more; what is under way is waited for."""
        self._herald.teller = None
        await self.quiet()

    def heard(self, update: Update) -> None:
        """The pool's listener; on the event loop."""
        self.metrics.heard(update)
        run = self._runs.get(int(update.key))
        if run is None:
            return
        job_id = run.job.id
        match update:
            case Painted():
                run.painted[update.index] = update
            case Blocked():
                run.blocked[update.index] = update
            case Moved():
                run.share = update.step / update.steps
            case Began():
                self._errands.run(f"start job {job_id}", self._endings.begin(run))
            case Done() | Broke() | Withdrawn():
                self._runs.drop(run)
                self._errands.run(f"end job {job_id}", self._endings.end(run, update))
            case _:
                pass
        self._herald.moved(run.job, update)

    # Its own end

    def close_doors(self) -> None:
        """Nothing new is accepted from now on; what was, goes on in the next life."""
        self._accepting.close()
        self._errands.stop_timers()

    def sweep_later(self, wait_s: float = _SWEEP_EVERY_S) -> None:
        """Applies retention and mends files from time to time, while the studio is open."""

        async def sweep() -> None:
            self.sweep_later()
            await self.storage.sweep()

        self._errands.run_later(wait_s, "sweep", sweep)

    async def quiet(self) -> None:
        """Waits for what is under way; what is cut off is taken up again in the next life."""
        await self._errands.quiet()
