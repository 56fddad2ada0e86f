"""The one meeting place of pipelines and storage: submit, cancel, watch, recover. No discord in it.

A job is accepted in one transaction, painted by the pool, stored, settled, and its end is told by
a `Teller`. What is painted next is admission's, what a member may spend is storage's.
"""

from __future__ import annotations

import asyncio
import io
import logging
import secrets
import time
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Protocol

from PIL import Image

from ..pipelines.errors import PipelineError, QueueFullError
from ..pipelines.serving.tickets import Ticket
from ..pipelines.serving.updates import Began, Broke, Done, Moved, Painted, Update, Withdrawn
from ..storage.errors import (
    IllegalTransitionError,
    NoSuchJobError,
    NoSuchPictureError,
    QuotaRefusedError,
    StorageError,
)
from ..storage.records import Job, JobStatus, NewJob, NewPicture
from . import refusals
from .ask import Ask
from .attendance import Attendance
from .errands import Errands
from .errors import RefusedError
from .judging import Judge
from .metrics import Metrics
from .pricing import CREDIT, price
from .repaint import paste_back_png

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..pipelines.checkpoint import Checkpoint
    from ..pipelines.serving.pool import WorkerPool
    from ..storage.privacy import Forgotten
    from ..storage.records import Origin, Picture
    from ..storage.storage import Storage
    from .settings import Settings

log = logging.getLogger(__name__)

_SWEEP_EVERY_S = 24 * 3600.0
_RETRIES_S = (5.0, 60.0, 600.0)
"""Waits between attempts to write an end down, while the disk is full, say."""
_BYTES_A_PIXEL = 4
"""More than a PNG takes: what must be free before a picture is accepted."""
_LAST_WORDS_S = 20.0
"""For the cancelled jobs of one who is forgotten to end and be told."""
_TELLERS_AT_ONCE = 8
"""Deliveries under way at one time: what piled up while the bot was gone must not flood Discord."""


@dataclass(frozen=True, slots=True)
class Member:
    """Who asks, as the payload of the interaction tells it."""

    user_id: int
    guild_id: int = 0
    role_ids: tuple[int, ...] = ()
    is_admin: bool = False
    channel_id: int = 0
    is_nsfw_channel: bool = False

    @property
    def tenant(self) -> str:
        """The user's name for fairness; nothing can be read from it but equality."""
        return str(self.user_id)


class Teller(Protocol):
    """Tells owners how their jobs go. Discord's is `delivery`."""

    def moved(self, job: Job, update: Update) -> None:
        """Often, on the event loop; to be coalesced."""
        ...

    async def ended(self, job: Job, pictures: Sequence[Picture]) -> None:
        """Once the job is stored, failed or cancelled; marks it as told when it was."""
        ...


@dataclass(slots=True)
class _Run:
    """A job between its acceptance and its end. Its updates are handled one after another."""

    job: Job
    ask: Ask
    painted: dict[int, Painted] = field(default_factory=dict[int, Painted])
    share: float = 0.0
    """Of its steps that are done."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


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
        self._is_closing = False
        self._has_recovered = False
        self._judge = Judge(settings, checkpoints)
        self._runs: dict[int, _Run] = {}
        self._errands = Errands()
        self._teller: Teller | None = None
        self._telling = asyncio.Semaphore(_TELLERS_AT_ONCE)
        self._accepting = Attendance()
        self._painting = Attendance()
        """From a job's start until its end was told, or is tried again later."""
        self._leaving: set[int] = set()
        """Whose data is being deleted: nothing of theirs is accepted meanwhile."""

    # Asking

    def judge(self, ask: Ask, member: Member) -> Ask:
        """The ask with its defaults filled in. Pure, no waiting.

        Raises `RefusedError` with the one sentence that says what to change.
        """
        return self._judge.complete(ask, member)

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
        self._require_open()
        ask = self.judge(ask, member)
        if ask.seed is None:
            ask = replace(ask, seed=secrets.randbelow(2**32))
        assert ask.seed is not None
        assert ask.width is not None
        assert ask.height is not None
        self.require_room(member)
        new = NewJob(
            origin=origin,
            kind=ask.kind.value,
            request_json=ask.to_json(),
            prompt=ask.prompt,
            num_pictures=ask.count,
            seed=ask.seed,
            model=ask.model,
            model_fingerprint=self.checkpoints[ask.model].fingerprint,
            cost=self.price(ask),
            num_pixels=ask.width * ask.height,
            parent_picture_id=ask.parent_picture_id,
            input_hashes=ask.input_hashes,
        )
        # Once the job is in the database it must be started too, even if the one who asked has
        # stopped waiting.
        return await self._errands.see_through("accept", self._accept(new, ask, member))

    def require_room(self, member: Member) -> None:
        """Raises `RefusedError` if the queue would refuse whatever this member asks for now."""
        self._require_open()
        try:
            self.pool.refuse(member.tenant, _group(member.guild_id, member.user_id))
        except QueueFullError as error:
            again_at = None if error.again_s is None else time.time() + error.again_s
            raise RefusedError(str(error), again_at=again_at) from error
        except PipelineError as error:
            raise RefusedError(str(error)) from error

    def _require_open(self) -> None:
        if self._is_closing:
            raise RefusedError("I am just being restarted: ask again in a minute.")

    async def _accept(self, new: NewJob, ask: Ask, member: Member) -> Job:
        with self._accepting.of(member.user_id):
            if member.user_id in self._leaving:
                raise RefusedError("Your data is just being deleted: ask again in a minute.")
            return await self._write_down(new, ask, member)

    async def _write_down(self, new: NewJob, ask: Ask, member: Member) -> Job:
        init_image, mask_image = await self._inputs(ask)
        try:
            await self.storage.require_space(
                ask.count * new.num_pixels * _BYTES_A_PIXEL,
                spare_bytes=int(self.settings.storage.free_mib * 2**20),
            )
            job = await self.storage.jobs.accept(new, role_ids=member.role_ids)
        except QuotaRefusedError as error:
            raise RefusedError(
                refusals.sentence(error.refused), again_at=error.refused.again_at
            ) from error
        except StorageError as error:
            log.warning("a job could not be accepted: %s", error)
            raise RefusedError(
                "Nothing can be stored at the moment, so nothing is painted; the owner's log says"
                " why."
            ) from error
        level = logging.INFO if self.settings.logging.prompts else logging.DEBUG
        log.log(level, "prompt: %s", ask.prompt, extra={"job": job.id})
        self._start(job, ask, init_image, mask_image)
        return job

    async def cancel(self, job_id: int) -> bool:
        """Whether the job was still to be stopped; its end is told as every other."""
        if job_id in self._runs:
            return self.pool.cancel(str(job_id))
        return False

    def watch(self, job_id: int, is_watched: bool) -> None:
        """Whether previews are wanted of it."""
        if job_id in self._runs:
            self.pool.watch(str(job_id), is_watched)

    async def forget(self, user_id: int) -> Forgotten:
        """Stops all that is being painted for a user, then deletes what is kept about them.

        The one operation behind every way to ask for it. Raises `RefusedError` while it is under
        way already, `StorageError`; then it can be asked for again.
        """
        if user_id in self._leaving:
            raise RefusedError("Your data is being deleted already.")
        self._leaving.add(user_id)
        try:
            await self._accepting.absent(user_id)
            theirs = [r.job.id for r in self._runs.values() if r.job.new.origin.user_id == user_id]
            for job_id in theirs:
                self.pool.cancel(str(job_id))
            try:
                async with asyncio.timeout(_LAST_WORDS_S):
                    await self._painting.absent(user_id)
            except TimeoutError:
                # A worker that hangs, or a Discord that does not answer, keeps nobody's data here.
                log.warning("%d jobs of a user who is forgotten have not ended", len(theirs))
                for job_id in theirs:
                    if self._runs.pop(job_id, None) is not None:
                        self._painting.left(user_id)
            return await self.storage.forget_user(user_id)
        finally:
            self._leaving.discard(user_id)

    # Telling

    async def attach(self, teller: Teller) -> None:
        """From now on `teller` tells. What an earlier life left open goes on here."""
        self._teller = teller
        for job in await self.storage.jobs.untold():
            self._errands.run(f"tell job {job.id}", self._tell(job))
        if not self._has_recovered:
            # Once: later, what runs in the database runs here too.
            self._has_recovered = True
            for job in await self.storage.jobs.recover():
                if job.id not in self._runs:
                    await self._resume(job)

    async def detach(self) -> None:
        """Nobody tells any more; what is under way is waited for."""
        self._teller = None
        await self.quiet()

    def close_doors(self) -> None:
        """Nothing new is accepted from now on; what was, goes on in the next life."""
        self._is_closing = True
        self._errands.stop_timers()

    # What the pool says

    def heard(self, update: Update) -> None:
        """The pool's listener; on the event loop."""
        self.metrics.heard(update)
        run = self._runs.get(int(update.key))
        if run is None:
            return
        match update:
            case Painted():
                run.painted[update.index] = update
            case Moved():
                run.share = update.step / update.steps
            case Began():
                self._errands.run(f"start job {run.job.id}", self._begin(run))
            case Done() | Broke() | Withdrawn():
                del self._runs[run.job.id]
                self._errands.run(f"end job {run.job.id}", self._end_attended(run, update))
            case _:
                pass
        if self._teller is not None:
            self._teller.moved(run.job, update)

    async def _begin(self, run: _Run) -> None:
        async with run.turn:
            await self.storage.jobs.start(run.job.id)

    async def _end_attended(self, run: _Run, end: Done | Broke | Withdrawn) -> None:
        try:
            await self._end(run, end)
        finally:
            self._painting.left(run.job.new.origin.user_id)

    async def _end(
        self, run: _Run, end: Done | Broke | Withdrawn, waits_s: tuple[float, ...] = _RETRIES_S
    ) -> None:
        """Writes the end down, and again later while the disk or the database refuses it."""
        job_id = run.job.id
        try:
            async with run.turn:
                match end:
                    case Done():
                        await self._store(run)
                    case Broke():
                        log.warning("%s", end.sentence, extra={"job": job_id})
                        await self.storage.jobs.fail(job_id, end.sentence)
                    case Withdrawn():
                        await self.storage.jobs.cancel(job_id, settle=await self._used(run))
        except IllegalTransitionError as error:
            log.warning("%s", error, extra={"job": job_id})
        except NoSuchJobError:
            # Its owner asked to be forgotten.
            return
        except StorageError as error:
            if not waits_s:
                log.exception(
                    "its end can't be written; the next start takes it up", extra={"job": job_id}
                )
                return
            log.warning("its end can't be written yet: %s", error, extra={"job": job_id})
            again = partial(self._end, run, end, waits_s[1:])
            self._errands.run_later(waits_s[0], f"end job {job_id}", again)
            return
        await self._tell(await self.storage.jobs.get(job_id))

    async def _store(self, run: _Run) -> None:
        try:
            pictures = [
                await self._picture(run, run.painted[index]) for index in range(run.ask.count)
            ]
        except (NoSuchPictureError, OSError, ValueError) as error:
            log.warning("a painting can't be put into its picture", exc_info=error)
            await self.storage.jobs.fail(
                run.job.id, "The picture that this was painted into is gone; send it again."
            )
            return
        await self.storage.jobs.store(run.job.id, pictures)

    async def _used(self, run: _Run) -> int:
        """Milli-credits that a cancelled job keeps, if its server's owner wants it so."""
        guild_id = run.job.new.origin.guild_id
        if not guild_id or not (await self.storage.guilds.settings(guild_id)).settles_cancelled:
            return 0
        return min(run.job.new.cost, ceil(run.job.new.cost * run.share))

    async def _picture(self, run: _Run, painted: Painted) -> NewPicture:
        png, width, height = painted.png, painted.width, painted.height
        if (canvas := run.ask.canvas) is not None:
            whole = await self.storage.images.read(canvas.picture)
            mask = await self.storage.images.read(canvas.mask)
            png = await asyncio.to_thread(paste_back_png, whole, png, mask, canvas.window)
            width, height = _size(png)
        return NewPicture(
            index=painted.index,
            png=png,
            seed=painted.seed,
            width=width,
            height=height,
            parameters_json=painted.parameters_json,
        )

    async def _tell(self, job: Job) -> None:
        teller = self._teller
        if teller is None or job.status in (JobStatus.QUEUED, JobStatus.RUNNING):
            return
        pictures: Sequence[Picture] = ()
        if job.status is JobStatus.STORED:
            pictures = await self.storage.images.of_job(job.id)
        async with self._telling:
            await teller.ended(job, pictures)

    # Running

    def _start(
        self,
        job: Job,
        ask: Ask,
        init_image: Image.Image | None,
        mask_image: Image.Image | None,
        *,
        is_recovered: bool = False,
    ) -> None:
        origin = job.new.origin
        tenant = str(origin.user_id)
        requests = self._judge.woven(ask).requests(
            tenant=tenant, init_image=init_image, mask_image=mask_image
        )
        ticket = Ticket(
            key=str(job.id),
            requests=requests,
            tenant=tenant,
            group=_group(origin.guild_id, origin.user_id),
            cost=job.new.cost / CREDIT,
        )
        self._runs[job.id] = _Run(job, ask)
        self._painting.came(origin.user_id)
        # It was accepted: whoever came in between, the queue takes it now.
        waiting = self.pool.submit(ticket, is_recovered=True)
        if self._teller is not None:
            self._teller.moved(job, waiting)
        if is_recovered:
            log.info("job %d goes on where the last run stopped", job.id)

    async def _resume(self, job: Job) -> None:
        """Queues a job of an earlier life again, with its own seed."""
        try:
            ask = Ask.from_json(job.new.request_json)
            if ask.model not in self.checkpoints:
                raise RefusedError(f"The model {ask.model!r} is not configured any more.")
            init_image, mask_image = await self._inputs(ask)
        except (RefusedError, StorageError) as error:
            log.warning("job %d can't go on: %s", job.id, error)
            await self.storage.jobs.fail(job.id, str(error))
            self._errands.run(f"tell job {job.id}", self._tell(await self.storage.jobs.get(job.id)))
            return
        self._start(job, ask, init_image, mask_image, is_recovered=True)

    async def _inputs(self, ask: Ask) -> tuple[Image.Image | None, Image.Image | None]:
        async def read(sha256: str) -> Image.Image | None:
            if not sha256:
                return None
            return await asyncio.to_thread(_decoded, await self.storage.images.read(sha256))

        try:
            return await read(ask.init_image), await read(ask.mask_image)
        except StorageError as error:
            raise RefusedError("The picture that this starts from is gone.") from error

    def sweep_later(self, wait_s: float = _SWEEP_EVERY_S) -> None:
        """Applies retention and mends files from time to time, while the studio is open."""

        async def sweep() -> None:
            self.sweep_later()
            await self.storage.sweep()

        self._errands.run_later(wait_s, "sweep", sweep)

    async def quiet(self) -> None:
        """Waits for what is under way; what is cut off is taken up again in the next life."""
        await self._errands.quiet()


def _size(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        return image.size


def _group(guild_id: int, user_id: int) -> str:
    """Where a limit of its own counts: a server, or one's own direct messages."""
    return f"server {guild_id}" if guild_id else f"user {user_id}"


def _decoded(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture))
    image.load()
    return image
