"""A real studio with a small random model, and a bot on the stand-in for Discord's servers.

The studio and its worker live as long as the session: starting torch is the dear part.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import discord
import pytest
import pytest_asyncio
from discord.ext import commands

from limner.bot.cards import DYNAMIC_ITEMS
from limner.bot.cogs.imagine import Imagine
from limner.bot.cogs.queue import Queue
from limner.bot.context import Context, ContextCog
from limner.bot.delivery import Delivery
from limner.bot.opening import open_studio
from limner.bot.settings import (
    DiscordSettings,
    LimitSettings,
    ModelSettings,
    Settings,
    StorageSettings,
    StyleSettings,
)
from tests.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from limner.bot.studio import Studio
    from tests.wire.entities import Channel, Guild, User


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With LIMNER_JOURNEYS_MODEL=pipelines/house the same journeys run with what is shipped."""
    if (chosen := os.environ.get("LIMNER_JOURNEYS_MODEL")) is not None:
        return Path(chosen).resolve()
    from tests.pipelines.models import make_house_like

    return make_house_like(tmp_path_factory.mktemp("models") / "house")


def settings_for(model: Path, folder: Path) -> Settings:
    return Settings(
        models={
            "house": ModelSettings(path=model, steps=3, size_px=128, sampler="euler"),
            "sketch": ModelSettings(path=model, steps=2, size_px=128, sampler="ddim"),
        },
        styles={"ink": StyleSettings(prompt="ink drawing of {prompt}", negative_prompt="colour")},
        storage=StorageSettings(folder=folder, free_mib=1),
        limits=LimitSettings(credits_per_day=1000, prompt_length=1000),
        discord=DiscordSettings(edit_interval_s=1),
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def studio(model: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Studio]:
    async with open_studio(settings_for(model, tmp_path_factory.mktemp("data"))) as studio:
        await studio.pool.ready()
        yield studio


class StudioBot(commands.Bot):
    """The extension's parts around a studio that was opened before, as a host bot has them.

    It allows every mention by default, as many hosts do: what we say must be safe by itself.
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.all(),
            guild_ready_timeout=0,
        )
        self._studio = studio
        self._resources = AsyncExitStack()
        self.delivery = Delivery(self, studio)

    async def setup_hook(self) -> None:
        await self._resources.enter_async_context(self.delivery)
        await self.add_cog(ContextCog(Context(self._studio, self.delivery)))
        await self.add_cog(Imagine(self, self._studio, self.delivery))
        await self.add_cog(Queue(self, self._studio, self.delivery))
        self.add_dynamic_items(*DYNAMIC_ITEMS)
        await self.tree.sync()
        await self._studio.attach(self.delivery)
        self._resources.push_async_callback(self._studio.detach)

    async def close(self) -> None:
        await self._resources.aclose()
        await super().close()


async def settled() -> None:
    """Until every job's end was told, and the database knows it."""
    tellers = [task for task in asyncio.all_tasks() if task.get_name().startswith("limner: tell")]
    await asyncio.gather(*tellers)


@dataclass(frozen=True, slots=True)
class Place:
    """A server with the bot in it, and two people who may use it."""

    wire: Wire
    guild: Guild
    channel: Channel
    alice: User
    bob: User
    moderator: User


@pytest_asyncio.fixture(loop_scope="session")
async def place() -> AsyncIterator[Place]:
    async with Wire() as wire:
        guild = wire.world.guild()
        yield Place(
            wire=wire,
            guild=guild,
            channel=guild.channel("paintings"),
            alice=guild.member("alice"),
            bob=guild.member("bob"),
            moderator=guild.member("moderator", "manage_messages"),
        )


@pytest_asyncio.fixture(loop_scope="session")
async def bot(place: Place, studio: Studio) -> AsyncIterator[StudioBot]:
    bot = StudioBot(studio)
    async with place.wire.connect(bot):
        yield bot
