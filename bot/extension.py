"""How the extension comes into a host bot and leaves it again, taking everything with it.

The cogs are written in `cogs/`; here stands which there are, and what happens to a name that the
host uses itself.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from discord import app_commands
from discord.ext import commands

from . import settings as settings_file
from .cards import DYNAMIC_ITEMS
from .cogs.admin import Admin
from .cogs.imagine import Imagine
from .cogs.inpaint import Inpaint
from .cogs.privacy import Privacy
from .cogs.queue import Queue
from .cogs.quota import Quota
from .cogs.variation import Variation
from .context import Context, ContextCog
from .delivery import Delivery
from .opening import open_studio

if TYPE_CHECKING:
    from .settings import Settings

log = logging.getLogger(__name__)


@runtime_checkable
class HasSettings(Protocol):
    """A host that brings its own settings, as Limner's runner does."""

    limner_settings: Settings


class _Lifetime(commands.Cog, name="LimnerLifetime"):
    """Holds what the extension opened, and closes it when the extension is unloaded.

    On the bot and not in this module, so that two bots in one process stay apart.
    """

    def __init__(self, resources: AsyncExitStack) -> None:
        self._resources = resources

    async def cog_unload(self) -> None:
        try:
            await self._resources.aclose()
        except Exception:
            # discord.py swallows whatever an extension raises on its way out.
            log.exception("the painter did not stop cleanly")


async def load_into(bot: commands.Bot) -> None:
    """Opens storage and painter, then adds cogs and buttons; undone if any of it fails."""
    settings = bot.limner_settings if isinstance(bot, HasSettings) else settings_file.load()
    async with AsyncExitStack() as resources:
        studio = await resources.enter_async_context(open_studio(settings))
        delivery = await resources.enter_async_context(Delivery(bot, studio))
        await bot.add_cog(ContextCog(Context(studio, delivery)))
        for cog in (Imagine, Variation, Inpaint, Queue, Privacy, Quota, Admin):
            await _add(bot, cog(bot, studio, delivery))
        bot.add_dynamic_items(*DYNAMIC_ITEMS)
        resources.callback(bot.remove_dynamic_items, *DYNAMIC_ITEMS)
        await studio.attach(delivery)
        resources.push_async_callback(studio.detach)
        await bot.add_cog(_Lifetime(resources.pop_all()))


async def _add(bot: commands.Bot, cog: commands.Cog) -> None:
    """Adds a cog; a host that has a command of this name keeps it, and the rest still loads."""
    try:
        await bot.add_cog(cog)
    except app_commands.CommandAlreadyRegistered as error:
        log.warning(
            "this bot already has a command named %r, so Limner's own was left out;"
            " rename the bot's command to have both",
            error.name,
        )
