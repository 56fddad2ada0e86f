"""A job's card as it stands: its pictures read and fitted, its settings held against the defaults.

How it looks is `cards`'; when it is sent is `delivery`'s.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..storage.errors import NoSuchJobError, NoSuchPictureError
from ..storage.ledger import EntryKind
from ..storage.records import JobStatus
from .ask import Ask
from .cards import layout
from .cards.layout import Shown
from .cards.text import Defaults
from .exposure import are_veiled, shows_unsafe
from .fitting import Named, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..storage.records import Job, Picture
    from .cards.layout import Sheet, Stage
    from .context import PictureActions
    from .studio import Studio

log = logging.getLogger(__name__)


class Sheets:
    """Makes the message of a job, at each of its stations."""

    def __init__(self, studio: Studio, actions: PictureActions) -> None:
        self._studio = studio
        self._actions = actions

    def running(self, job: Job, ask: Ask, stage: Stage) -> Sheet:
        """While it waits or is painted."""
        return layout.waiting(job, ask, self._defaults(ask), stage)

    async def ended(
        self, job: Job, ask: Ask | None, pictures: Sequence[Picture], limit_bytes: int
    ) -> Sheet:
        """Once it is stored, failed or cancelled; no file larger than the limit."""
        defaults = self._defaults(ask)
        if job.status is JobStatus.CANCELLED:
            return layout.cancelled(job, ask, defaults, cost=await self._settled(job))
        if job.status is JobStatus.FAILED:
            return layout.failed(job, ask, defaults, cost=await self._settled(job))
        storage = self._studio.storage
        cost = await self._settled(job) if len(pictures) < job.new.num_pictures else None
        if not await shows_unsafe(storage, job.new.origin):
            # The server's rule may be a stricter one since they were stored.
            pictures = [picture for picture in pictures if not picture.is_unsafe]
        veils = await are_veiled(storage, job.new.origin)
        files: list[Named] = []
        shown: list[Picture] = []
        for picture in pictures:
            try:
                png = await storage.images.read(picture.sha256)
            except NoSuchPictureError:
                log.exception("picture %d of job %d is missing", picture.id, job.id)
                continue
            shown.append(picture)
            file = Named(f"limner-{job.id}-{picture.index + 1}-seed{picture.seed}.png", png)
            files.append(file.veiled() if picture.is_unsafe and veils else file)
        fitted = await fit(files, limit_bytes)
        return layout.done(
            job,
            ask or Ask(job.new.prompt),
            defaults,
            [Shown(picture, file) for picture, file in zip(shown, fitted, strict=True)],
            self._actions,
            parent_url=await self._parent_url(job),
            cost=cost,
            num_blocked=job.new.num_pictures - len(pictures),
        )

    async def _settled(self, job: Job) -> int:
        """Milli-credits that it cost in the end."""
        entries = await self._studio.storage.ledger.of_job(job.id)
        return sum(entry.amount for entry in entries if entry.kind is EntryKind.SETTLE)

    async def _parent_url(self, job: Job) -> str:
        """Where the picture stands that this one came from; empty where there is none."""
        if job.new.parent_picture_id is None:
            return ""
        storage = self._studio.storage
        try:
            parent = await storage.images.picture(job.new.parent_picture_id)
            origin = (await storage.jobs.get(parent.job_id)).new.origin
        except (NoSuchPictureError, NoSuchJobError):
            return ""
        if origin.is_private or not origin.message_id:
            return ""
        guild = origin.guild_id or "@me"
        return f"https://discord.com/channels/{guild}/{origin.channel_id}/{origin.message_id}"

    def _defaults(self, ask: Ask | None) -> Defaults:
        checkpoints = self._studio.checkpoints
        first = next(iter(checkpoints), "")
        return Defaults(first, checkpoints.get(ask.model or first) if ask is not None else None)
