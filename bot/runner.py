"""Limner's own bot: on Discord, or on a simulated one in a local page. A host needs neither."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

import discord
from discord.ext import commands

from .errors import StartError
from .logs import set_up_logging

if TYPE_CHECKING:
    from .settings import Settings

log = logging.getLogger(__name__)

INTENTS = discord.Intents(guilds=True)
"""None of them privileged: menus and commands deliver what they are about."""


class Runner(commands.Bot):
    """A bot that does nothing but load the extension and sync its commands."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=INTENTS,
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
        )
        self.limner_settings = settings
        """Where the extension finds them."""

    async def setup_hook(self) -> None:
        await self.load_extension("limner.bot")
        await self.sync()

    async def sync(self) -> None:
        """Tells Discord the commands; those of the test guild appear at once."""
        guild_id = self.limner_settings.discord.test_guild
        if guild_id:
            guild = discord.Object(guild_id)
            self.tree.copy_global_to(guild=guild)
            await self.tree.sync(guild=guild)
        else:
            await self.tree.sync()


def run_on_discord(settings: Settings) -> None:
    """Runs until Ctrl-C or SIGTERM, then leaves within ten seconds; open jobs go on next time.

    Raises `StartError` without a token or with a wrong one.
    """
    token = settings.token
    if not token:
        raise StartError(
            "There is no token: set LIMNER_DISCORD__TOKEN in the environment, or name a file that"
            " holds it in [discord] token_file. `limner demo` needs none."
        )
    set_up_logging(settings)
    asyncio.run(_run(Runner(settings), token))


async def _run(bot: Runner, token: str) -> None:
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()
    assert running is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, running.cancel)
        except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt
            break
    async with bot:
        try:
            await bot.start(token)
        except discord.LoginFailure as error:
            raise StartError(
                "Discord does not accept the token: copy it again from the developer portal's"
                " Bot page."
            ) from error
        except commands.ExtensionFailed as error:
            raise StartError(str(error.original)) from error
        except asyncio.CancelledError:
            log.info("stopping")


def run_demo(settings: Settings, *, port: int, open_browser: bool) -> None:
    """The bot against a simulated Discord, until Ctrl-C.

    Raises `StartError` when the demo's extra is not installed.
    """
    try:
        from ..playground.demo import run
    except ImportError as error:
        raise StartError(
            f"The demo needs {error.name}: install Limner with its extra, `pip install"
            " 'limner[demo]'`."
        ) from error
    set_up_logging(settings)
    asyncio.run(run(settings, port=port, open_browser=open_browser))
