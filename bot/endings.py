"""Writes down how a job begins and ends, and has its end told; again later where it must be.

A job's pictures are made whole here; what tells its owner is `herald`'s.
"""

from __future__ import annotations

import asyncio
import io
import logging
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from PIL import Image

from ..pipelines.serving.updates import Broke, Done, Withdrawn
from ..storage.errors import (
    IllegalTransitionError,
    NoSuchJobError,
    NoSuchPictureError,
    StorageError,
)
from ..storage.records import NewPicture
from .blocking import block, blocks_of, sentence, settled, sorted_out
from .exposure import shows_unsafe
from .inputs import ground_of
from .repaint import paste_back_png

if TYPE_CHECKING:
    from ..pipelines.serving.updates import Painted
    from ..storage.storage import Storage
    from .errands import Errands
    from .herald import Herald
    from .runs import Run, Runs

log = logging.getLogger(__name__)

_RETRIES_S = (5.0, 60.0, 600.0)
"""Waits between attempts to write an end down, while the disk is full, say."""


class Endings:
    """Of every run, one step after another."""

    def __init__(self, storage: Storage, runs: Runs, herald: Herald, errands: Errands) -> None:
        self._storage = storage
        self._runs = runs
        self._herald = herald
        self._errands = errands

    async def begin(self, run: Run) -> None:
        async with run.turn:
            await self._storage.jobs.start(run.job.id)

    async def end(self, run: Run, end: Done | Broke | Withdrawn) -> None:
        """Its owner counts as absent from then on, told or to be told later."""
        try:
            await self._end(run, end, _RETRIES_S)
        finally:
            self._runs.painting.left(run.user_id)

    async def _end(
        self, run: Run, end: Done | Broke | Withdrawn, waits_s: tuple[float, ...]
    ) -> None:
        """Writes the end down, and again later while the disk or the database refuses it."""
        job_id = run.job.id
        jobs = self._storage.jobs
        try:
            async with run.turn:
                match end:
                    case Done():
                        await self._store(run)
                    case Broke():
                        log.warning("%s", end.sentence, extra={"job": job_id})
                        await self._fail(run, end)
                    case Withdrawn():
                        await jobs.cancel(
                            job_id, settle=await self._used(run), blocks=blocks_of(run)
                        )
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
        await self._herald.tell(await jobs.get(job_id))

    async def _store(self, run: Run) -> None:
        job, jobs = run.job, self._storage.jobs
        shown = await shows_unsafe(self._storage, job.new.origin)
        kept, blocks = sorted_out(run, shows_unsafe=shown)
        assert len(kept) + len(blocks) == run.ask.count, "a picture was not told"
        settle = await self._settled(run, len(kept)) if blocks else None
        if not kept:
            log.warning("blocked: %s", blocks, extra={"job": job.id})
            said = sentence(blocks, is_charged=bool(settle))
            await jobs.fail(job.id, said, settle=settle or 0, blocks=blocks)
            return
        try:
            pictures = [await self._picture(run, painted) for painted in kept]
        except (NoSuchPictureError, OSError, ValueError) as error:
            log.warning("a painting can't be put into its picture", exc_info=error)
            gone = "The picture that this was painted into is gone; send it again."
            await jobs.fail(job.id, gone, blocks=blocks)
            return
        await jobs.store(job.id, pictures, settle=settle, blocks=blocks)

    async def _fail(self, run: Run, end: Broke) -> None:
        blocks = blocks_of(run)
        if end.verdict is not None:
            blocks.append(block(ground_of(run.ask), end.verdict))
        await self._storage.jobs.fail(
            run.job.id, end.sentence, blocks=blocks, drops_inputs=end.verdict is not None
        )

    async def _settled(self, run: Run, num_kept: int) -> int:
        """Milli-credits where some pictures were blocked."""
        new = run.job.new
        settles_blocked = False
        if new.origin.guild_id:
            rules = await self._storage.guilds.settings(new.origin.guild_id)
            settles_blocked = rules.settles_blocked
        return settled(new.cost, run.ask.count, num_kept, settles_blocked=settles_blocked)

    async def _used(self, run: Run) -> int:
        """Milli-credits that a cancelled job keeps, if its server's owner wants it so."""
        guild_id = run.job.new.origin.guild_id
        if not guild_id or not (await self._storage.guilds.settings(guild_id)).settles_cancelled:
            return 0
        return min(run.job.new.cost, ceil(run.job.new.cost * run.share))

    async def _picture(self, run: Run, painted: Painted) -> NewPicture:
        png, width, height = painted.png, painted.width, painted.height
        if (canvas := run.ask.canvas) is not None:
            whole = await self._storage.images.read(canvas.picture)
            mask = await self._storage.images.read(canvas.mask)
            png = await asyncio.to_thread(paste_back_png, whole, png, mask, canvas.window)
            width, height = _size(png)
        return NewPicture(
            index=painted.index,
            png=png,
            seed=painted.seed,
            width=width,
            height=height,
            parameters_json=painted.parameters_json,
            is_unsafe=painted.verdict is not None and painted.verdict.is_unsafe,
        )


def _size(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        return image.size
