"""The doctor's checks that do no harm while the bot runs, for a server's admins to read.

So no paths, and nothing of other servers. What needs the machine for itself, such as painting
with each model, is `limner doctor`'s in the shell.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ..pipelines.serving.state import WorkerStatus
from ..storage.errors import StorageError
from .cards.overview import SAID, tidied
from .errors import RefusedError
from .findings import Finding, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    import discord

    from .studio import Studio

log = logging.getLogger(__name__)

_AGAIN_S = 300.0
"""Looking through the whole database is work; so often is enough for all servers together."""
_NEEDED = {
    "view_channel": "View Channel",
    "send_messages": "Send Messages",
    "send_messages_in_threads": "Send Messages in Threads",
    "attach_files": "Attach Files",
    "read_message_history": "Read Message History",
}


class Checks:
    """One for the bot: what it found of the store holds for some minutes."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._turn = asyncio.Lock()
        self._store: Sequence[Finding] = ()
        self._looked_at = float("-inf")

    async def run(self, guild_id: int, permissions: discord.Permissions) -> list[Finding]:
        """`permissions`: the bot's own where it is asked."""
        return [
            Finding("version", State.WELL, f"Limner {importlib.metadata.version('limner')}."),
            *self._painter(),
            *self._models(),
            *await self._look_into_store(),
            _posting(permissions),
            *await self._expressions(guild_id),
        ]

    def _painter(self) -> Iterator[Finding]:
        for worker in self._studio.pool.state.workers:
            is_well = worker.status in (WorkerStatus.READY, WorkerStatus.BUSY)
            is_broken = worker.status in (WorkerStatus.BROKEN, WorkerStatus.STOPPED)
            state = State.WELL if is_well else State.WRONG if is_broken else State.NOTE
            reason = "" if is_well or not worker.reason else f": {self._tidied(worker.reason)}"
            yield Finding(f"painter {worker.device}", state, f"{SAID[worker.status]}{reason}")

    def _models(self) -> Iterator[Finding]:
        studio = self._studio
        broken = dict(studio.broken_models)
        for worker in studio.pool.state.workers:
            broken.update(worker.broken_models)
        well = [name for name in studio.pool.state.models if name not in broken]
        if len(well) == 1:
            yield Finding(f"model {well[0]}", State.WELL, "loaded, and paints.")
        elif well:
            names = ", ".join(well)
            yield Finding("models", State.WELL, f"{len(well)} are loaded, and paint: {names}.")
        for name, sentence in broken.items():
            yield Finding(f"model {name}", State.WRONG, self._tidied(sentence))

    async def _look_into_store(self) -> Sequence[Finding]:
        async with self._turn:
            if time.monotonic() - self._looked_at > _AGAIN_S:
                self._store = [finding async for finding in self._stored()]
                self._looked_at = time.monotonic()
            return self._store

    async def _stored(self) -> AsyncIterator[Finding]:
        storage, settings = self._studio.storage, self._studio.settings
        try:
            await storage.require_space(0, spare_bytes=int(settings.storage.free_mib * 2**20))
        except StorageError as error:
            log.warning("doctor: %s", error)
            yield Finding(
                "disk",
                State.WRONG,
                "too little room for new pictures: the bot's owner should make some.",
            )
        else:
            yield Finding("disk", State.WELL, "there is room for new pictures.")
        try:
            found = await storage.check()
        except StorageError as error:
            log.warning("doctor: %s", error)
            yield Finding("database", State.WRONG, "can't be read: the bot's log says why.")
            return
        if found.is_sound:
            yield Finding("database", State.WELL, "sound, and every picture has its file.")
        for sentence in found.sentences():
            log.warning("doctor: %s", sentence)
            is_wrong = bool(found.damage or found.unbalanced_jobs or found.missing_files)
            yield Finding("database", State.WRONG if is_wrong else State.NOTE, sentence)

    async def _expressions(self, guild_id: int) -> Sequence[Finding]:
        # Where the rules can't be read, the database's own finding says so.
        with suppress(RefusedError):
            await self._studio.rules.of(guild_id)
        num_slow = len(self._studio.rules.slow_in(guild_id))
        if not num_slow:
            return ()
        finding = Finding(
            "blocklist",
            State.WRONG,
            f"{num_slow} expressions were too slow, and prompts were refused for it:"
            " /limner admin blocklist shows which.",
        )
        return (finding,)

    def _tidied(self, sentence: str) -> str:
        return tidied(sentence, self._studio.settings.private_folders)


def _posting(permissions: discord.Permissions) -> Finding:
    missing = [name for flag, name in _NEEDED.items() if not getattr(permissions, flag)]
    if missing:
        return Finding(
            "this channel", State.WRONG, f"give me {', '.join(missing)}, or I can't post here."
        )
    return Finding("this channel", State.WELL, "I may post pictures here.")
