"""Lets a judged ask in: room, space, quota, then the job and its hold in one transaction.

What can be judged without waiting is `judging`'s; what becomes of the job then is `runs`'.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from ..storage.errors import QuotaRefusedError, StorageError
from ..storage.records import NewJob
from . import refusals
from .errors import RefusedError
from .exposure import shows_unsafe
from .inputs import inputs_of, require_inputs
from .pricing import price

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..pipelines.checkpoint import Checkpoint
    from ..storage.records import Job, Origin
    from ..storage.storage import Storage
    from .ask import Ask
    from .errands import Errands
    from .forgetting import Forgetting
    from .member import Member
    from .runs import Runs
    from .settings import Settings

log = logging.getLogger(__name__)

_BYTES_A_PIXEL = 4
"""More than a PNG takes: what must be free before a picture is accepted."""


class Accepting:
    """The door; closed for good when the bot is about to stop."""

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        checkpoints: Mapping[str, Checkpoint],
        runs: Runs,
        forgetting: Forgetting,
        errands: Errands,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._checkpoints = checkpoints
        self._runs = runs
        self._forgetting = forgetting
        self._errands = errands
        self._is_closing = False

    def close(self) -> None:
        self._is_closing = True

    def require_open(self) -> None:
        """Raises `RefusedError` once the door is closed."""
        if self._is_closing:
            raise RefusedError("I am just being restarted: ask again in a minute.")

    def require_room(self, member: Member) -> None:
        """Raises `RefusedError` if whatever this member asks for now would be refused."""
        self.require_open()
        self._runs.require_room(member)

    async def submit(self, ask: Ask, origin: Origin, member: Member) -> Job:
        """Accepts a judged ask. Raises `RefusedError`; then nothing was spent or kept."""
        if ask.seed is None:
            ask = replace(ask, seed=secrets.randbelow(2**32))
        assert ask.seed is not None
        assert ask.width is not None
        assert ask.height is not None
        self.require_room(member)
        checkpoint = self._checkpoints[ask.model]
        new = NewJob(
            origin=origin,
            kind=ask.kind.value,
            request_json=ask.to_json(),
            prompt=ask.prompt,
            num_pictures=ask.count,
            seed=ask.seed,
            model=ask.model,
            model_fingerprint=checkpoint.fingerprint,
            cost=price(ask, checkpoint),
            num_pixels=ask.width * ask.height,
            parent_picture_id=ask.parent_picture_id,
            input_hashes=ask.input_hashes,
        )
        # Once the job is in the database it must be started too, even if the one who asked has
        # stopped waiting.
        return await self._errands.see_through("accept", self._accept(new, ask, member))

    async def _accept(self, new: NewJob, ask: Ask, member: Member) -> Job:
        with self._forgetting.held_off(member.user_id):
            await require_inputs(self._storage, ask)
            inputs = inputs_of(self._storage, ask)
            is_shown = await shows_unsafe(self._storage, new.origin)
            job = await self._write_down(new, member)
            level = logging.INFO if self._settings.logging.prompts else logging.DEBUG
            log.log(level, "prompt: %s", ask.prompt, extra={"job": job.id})
            self._runs.start(job, ask, inputs, shows_unsafe=is_shown)
            return job

    async def _write_down(self, new: NewJob, member: Member) -> Job:
        try:
            await self._storage.require_space(
                new.num_pictures * new.num_pixels * _BYTES_A_PIXEL,
                spare_bytes=int(self._settings.storage.free_mib * 2**20),
            )
            return await self._storage.jobs.accept(new, role_ids=member.role_ids)
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
