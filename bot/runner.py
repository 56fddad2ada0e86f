"""Limner's own bot: on Discord, or on a simulated one in a local page. A host needs neither."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import discord
from discord import app_commands
from discord.ext import commands

from .context import context_of
from .errors import RefusedError, StartError
from .logs import set_up_logging
from .notes import UNREACHABLE, refuse

if TYPE_CHECKING:
    from .settings import Settings

log = logging.getLogger(__name__)

INTENTS = discord.Intents(guilds=True)
"""None of them privileged: menus and commands deliver what they are about."""


_GONE_WITHIN_S = 9.0
"""After this the process ends whatever hangs: what is written down goes on at the next start."""


class _Tree(app_commands.CommandTree[commands.Bot]):
    """Takes commands until the bot is about to leave, and then says so.

    Before a command is looked up: an extension's are gone before it has closed.
    """

    is_leaving = False

    async def interaction_check(self, interaction: discord.Interaction[commands.Bot], /) -> bool:
        if not self.is_leaving:
            return True
        if interaction.type is discord.InteractionType.application_command:
            with suppress(*UNREACHABLE):
                await refuse(
                    interaction, RefusedError("I am just being restarted: ask again in a minute.")
                )
        return False


class Runner(commands.Bot):
    """A bot that does nothing but load the extension and sync its commands."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            tree_cls=_Tree,
            help_command=None,
            intents=INTENTS,
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            max_messages=None,
        )
        self.limner_settings = settings
        """Where the extension finds them."""

        self._is_set_up = False

    async def setup_hook(self) -> None:
        await self.load_extension("limner.bot")
        await self.sync()
        self._is_set_up = True

    def begin_to_leave(self) -> bool:
        """Accepts nothing any more and says so; False: it has not even begun to accept."""
        if not self._is_set_up:
            return False
        assert isinstance(self.tree, _Tree)
        self.tree.is_leaving = True
        context_of(self).studio.close_doors()
        return True

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
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, asked_to_stop.set)
        except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt
            break
    async with bot:
        running = asyncio.create_task(bot.start(token), name="limner: run")
        stopping = asyncio.create_task(asked_to_stop.wait(), name="limner: wait for a signal")
        try:
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
            if asked_to_stop.is_set():
                log.info("stopping")
                _leave_in_time()
                if bot.begin_to_leave():
                    # Still connected while it closes, so that who asks meanwhile gets an answer.
                    await bot.close()
                else:
                    running.cancel()
            await running
        except discord.LoginFailure as error:
            raise StartError(
                "Discord does not accept the token: copy it again from the developer portal's"
                " Bot page."
            ) from error
        except commands.ExtensionFailed as error:
            raise StartError(str(error.original)) from error
        except discord.Forbidden as error:
            raise StartError(
                f"Discord refuses the bot something ({error.text}): invite it first with the link"
                " that `limner doctor` prints, and check [discord] test_guild."
            ) from error
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            raise StartError(f"Discord can't be reached: {error}.") from error
        except asyncio.CancelledError:
            log.info("stopped")
        finally:
            stopping.cancel()
            running.cancel()
            await asyncio.gather(stopping, running, return_exceptions=True)


def _leave_in_time() -> None:
    """Ends the process if closing takes too long; a thread, for the loop itself may be stuck."""

    def end() -> None:
        log.error("something did not stop in time; what is under way goes on at the next start")
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(_GONE_WITHIN_S, end)
    timer.name = "limner-leave"
    timer.daemon = True
    timer.start()


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
