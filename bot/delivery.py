"""Keeps every job's card true: progress while it runs, pictures at its end, and nobody left untold.

One task a job: it edits at most every few seconds, and always last what is true at the end. What a
card looks like is `cards`', which way it takes to Discord is `posting`'s.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import discord

from ..pipelines.serving.updates import (
    Began,
    Blocked,
    Broke,
    Done,
    Moved,
    Painted,
    Previewed,
    Update,
    Waiting,
    Withdrawn,
)
from ..storage.records import JobStatus
from .ask import Ask
from .attachments import PictureReader
from .cards.layout import Stage
from .context import PictureActions
from .errors import RefusedError
from .fitting import DEFAULT_BYTES
from .notes import UNREACHABLE
from .posting import NowhereError, Posted, Poster, TooLargeError
from .sheets import Sheets
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from discord.ext import commands

    from ..storage.records import Job, Picture
    from .studio import Studio

log = logging.getLogger(__name__)

_EDITS_PER_S = 10
"""All cards together; Discord takes 50 requests a second from a bot, for everything it does."""
_OLD_CARD_S = 55 * 60
"""Edits to messages older than an hour are limited, so they become rare before that."""
_OLD_CARD_INTERVAL_S = 60
_SMALLEST_BYTES = 2048
"""Pictures are not made smaller than this, whatever Discord says."""
_CLOSING_PATIENCE_S = 5
_RETRIES_S = (2, 5, 15, 60, 300, *[900] * 96)
"""Waits between attempts while Discord can't be reached, a day long; then the next start tries."""


@dataclass(slots=True)
class _Telling:
    """What there is to say about one job. Its task alone edits the message."""

    job: Job
    ask: Ask | None
    stage: Stage = field(default_factory=Stage)
    pictures: Sequence[Picture] = ()
    limit_bytes: int = 0
    is_watched: bool = False
    says_starting: bool = False
    since_s: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Painting has stopped: no progress any more."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """`job` and `pictures` are final."""
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    """The end was told, or could not be at once."""


class Delivery:
    """The studio's teller. Opened with the extension, closed before the studio."""

    def __init__(self, bot: commands.Bot, studio: Studio) -> None:
        self.actions = PictureActions()
        limits = studio.settings.limits
        self.reader = PictureReader(
            max_bytes=int(limits.attachment_mib * (1 << 20)),
            max_pixels=int(limits.attachment_megapixels * 1_000_000),
        )
        self._bot = bot
        self._studio = studio
        self._poster = Poster(bot)
        self._sheets = Sheets(studio, self.actions)
        self._interval_s = studio.settings.discord.edit_interval_s
        self._turns = Turns(_EDITS_PER_S, time.monotonic)
        self._tellings: dict[int, _Telling] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._claimed: deque[int] = deque(maxlen=256)
        # discord.py keeps its webhook adapter in a context variable; updates come from threads'
        # callbacks, whose context has none of what the bot was set up with.
        self._context = contextvars.copy_context()

    async def __aenter__(self) -> Self:
        self._context = contextvars.copy_context()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Lets what is being sent be sent, then stops; what is untold stays so in the database."""
        self.reader.close()
        for task in list(self._tasks):
            if task.get_name() not in {_name(t.job) for t in self._sending()}:
                task.cancel()
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=_CLOSING_PATIENCE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    # What handlers say

    def show(self, job: Job, *, limit_bytes: int) -> None:
        """A job's message is up: from now on it is kept true."""
        if job.id in self._tellings:
            self._tellings[job.id].limit_bytes = limit_bytes

    def claim(self, message_id: int) -> bool:
        """Whether a question is answered for the first time: two presses, one painting."""
        if message_id in self._claimed:
            return False
        self._claimed.append(message_id)
        return True

    def disclaim(self, message_id: int) -> None:
        """The answer did not succeed: it may be given again."""
        if message_id in self._claimed:
            self._claimed.remove(message_id)

    # What the studio says

    def moved(self, job: Job, update: Update) -> None:
        """Remembers what to say next; the job's task says it when it is due."""
        telling = self._telling(job)
        stage = telling.stage
        match update:
            case Waiting():
                stage = replace(stage, place=update.place, wait_s=update.wait_s)
            case Began():
                stage = replace(stage, has_begun=True)
            case Moved():
                stage = replace(
                    stage,
                    has_begun=True,
                    step=update.step,
                    steps=update.steps,
                    left_s=update.left_s,
                )
            case Previewed():
                stage = replace(stage, preview=update.image)
            case Painted() | Blocked():
                return
            case Done() | Broke() | Withdrawn():
                telling.over.set()
                return
        telling.stage = stage
        telling.changed.set()

    async def ended(self, job: Job, pictures: Sequence[Picture]) -> None:
        """Tells the end; returns when it was told, or when it has to be tried again later."""
        telling = self._telling(job)
        telling.job = job
        telling.pictures = pictures
        telling.over.set()
        telling.ended.set()
        telling.changed.set()
        await telling.tried.wait()

    def _telling(self, job: Job) -> _Telling:
        telling = self._tellings.get(job.id)
        if telling is None:
            telling = self._tellings[job.id] = _Telling(job, _ask_of(job))
            task = asyncio.create_task(
                self._tell(telling), name=_name(job), context=self._context.copy()
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return telling

    def _sending(self) -> list[_Telling]:
        return [t for t in self._tellings.values() if t.ended.is_set() and not t.tried.is_set()]

    # A job's own task

    async def _tell(self, telling: _Telling) -> None:
        try:
            await self._tell_safely(telling)
        finally:
            telling.tried.set()
            if self._tellings.get(telling.job.id) is telling:
                del self._tellings[telling.job.id]

    async def _tell_safely(self, telling: _Telling) -> None:
        job_id = telling.job.id
        try:
            await self._tell_progress(telling)
        except Exception:
            # Whatever is wrong with showing progress, the end is told.
            log.exception("the progress of job %d could not be shown", job_id)
            await telling.ended.wait()
        try:
            await self._tell_end(telling)
        except Exception:
            # The database still says that its owner does not know: the next start tells.
            log.exception("the end of job %d could not be told", job_id)

    async def _tell_progress(self, telling: _Telling) -> None:
        while not telling.ended.is_set():
            await telling.changed.wait()
            telling.changed.clear()
            if not await self._has_turn(telling):
                continue
            if telling.ask is not None and not await self._edit(telling, telling.ask):
                # Nobody sees it any more; its end finds another way.
                await telling.over.wait()
            self._watch(telling)
            await self._rest(telling)

    async def _has_turn(self, telling: _Telling) -> bool:
        """Waits until it may be edited; False if painting is over by then."""
        if not telling.over.is_set() and (wait_s := self._turns.wait_s()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await telling.over.wait()
        return not telling.over.is_set()

    async def _rest(self, telling: _Telling) -> None:
        """Between two edits; longer while nobody can be painted for and nothing else is new."""
        while True:
            try:
                async with asyncio.timeout(self._pause_s(telling)):
                    await telling.over.wait()
                    return
            except TimeoutError:
                if not telling.says_starting or telling.changed.is_set():
                    return
            if self._studio.pool.state.is_ready:
                # The pool tells nothing of this by itself.
                telling.changed.set()
                return

    async def _edit(self, telling: _Telling, ask: Ask) -> bool:
        """Whether there still is a message to edit."""
        job = telling.job
        telling.says_starting = not self._studio.pool.state.is_ready
        stage = replace(telling.stage, is_starting=telling.says_starting)
        sheet = self._sheets.running(job, ask, stage)
        try:
            return await self._poster.edit(job.new.origin, sheet) is not None
        except TooLargeError:
            telling.stage = replace(telling.stage, preview=None)
        except UNREACHABLE as error:
            log.info("the progress of job %d could not be shown: %r", job.id, error)
        return True

    def _watch(self, telling: _Telling) -> None:
        """Asks for previews of what takes long enough to show one."""
        left_s = telling.stage.left_s
        is_long = left_s is not None and left_s > 2 * self._interval_s
        if is_long and not telling.is_watched:
            telling.is_watched = True
            self._studio.watch(telling.job.id, True)

    def _pause_s(self, telling: _Telling) -> float:
        age_s = asyncio.get_running_loop().time() - telling.since_s
        if age_s > _OLD_CARD_S:
            return _OLD_CARD_INTERVAL_S
        return max(self._interval_s, len(self._tellings) / _EDITS_PER_S)

    async def _tell_end(self, telling: _Telling) -> None:
        job = telling.job
        jobs = self._studio.storage.jobs
        for wait_s in (*_RETRIES_S, None):
            try:
                posted = await self._deliver(telling)
            except NowhereError as error:
                log.warning("job %d can't be told: %s", job.id, error)
                await jobs.delivery_failed(job.id, str(error), is_final=True)
                return
            except UNREACHABLE as error:
                log.warning("job %d could not be told: %r", job.id, error)
                is_final = isinstance(error, discord.HTTPException) and error.status == 400
                await jobs.delivery_failed(job.id, repr(error), is_final=is_final)
                if is_final:
                    return
            else:
                await jobs.told(job.id, message_id=posted.message_id, channel_id=posted.channel_id)
                return
            telling.tried.set()
            self._studio.metrics.delivery_retried()
            if wait_s is not None:
                await asyncio.sleep(wait_s)

    async def _deliver(self, telling: _Telling) -> Posted:
        job = telling.job
        origin = job.new.origin
        limit_bytes = telling.limit_bytes or self._limit_bytes(origin.guild_id)
        while True:
            sheet = await self._sheets.ended(job, telling.ask, telling.pictures, limit_bytes)
            try:
                if job.status is JobStatus.CANCELLED:
                    # Who cancelled it knows; a message that is gone needs no successor.
                    here = Posted(origin.channel_id, origin.message_id)
                    return await self._poster.edit(origin, sheet) or here
                return await self._poster.deliver(job, sheet)
            except TooLargeError:
                # Whatever the limit really is, the largest file was above it.
                largest = max((len(file.data) for file in sheet.files), default=0)
                limit_bytes = min(limit_bytes, largest * 3 // 4)
                if limit_bytes < _SMALLEST_BYTES:
                    raise

    def _limit_bytes(self, guild_id: int) -> int:
        guild = self._bot.get_guild(guild_id) if guild_id else None
        return guild.filesize_limit if guild is not None else DEFAULT_BYTES


def _ask_of(job: Job) -> Ask | None:
    try:
        return Ask.from_json(job.new.request_json)
    except RefusedError:
        log.exception("the ask of job %d can't be read", job.id)
        return None


def _name(job: Job) -> str:
    return f"limner: tell job {job.id}"
