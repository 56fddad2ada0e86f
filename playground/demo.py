"""`limner demo`: starts the real bot in the simulated server and keeps it there until Ctrl-C.

What is in the server is `world`'s, how it is seen is `window`'s; the bot is the unmodified one.
"""

from __future__ import annotations

import asyncio
import signal
import webbrowser
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from discord.ext import commands
from simcord.env import Env

from ..bot.errors import StartError
from .patience import be_patient_with
from .window import Window
from .world import answers_stay_here, furnish

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..bot.settings import Settings
    from .world import Room

    MakeBot = Callable[[], commands.Bot]

SETTLE_TIMEOUT_S = 30.0
"""How long an action in the page waits for the bot to have answered it."""


class Playground:
    """The server with the bot in it. The bot may be started anew; the server stays."""

    def __init__(self, make_bot: MakeBot) -> None:
        self._make_bot = make_bot
        self._bot = self._new_bot()
        self.env = Env(self._bot, check_errors=False, settle_timeout=SETTLE_TIMEOUT_S)
        self.rooms: tuple[Room, ...] = furnish(self.env)
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Playground:
        async with AsyncExitStack() as resources:
            resources.enter_context(answers_stay_here(self.env.backend))
            try:
                await self.env.start()
            except commands.ExtensionFailed as error:
                raise StartError(str(error.original)) from error
            resources.push_async_callback(self.env.shutdown)
            resources.push_async_callback(self._close_bot)
            self._resources = resources.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._resources.aclose()

    async def restart(self) -> None:
        """As after a crash or an update: the bot is closed, and another one is started."""
        await self._close_bot()
        self._bot = self._new_bot()
        await self.env.restart_bot(self._bot)

    def _new_bot(self) -> commands.Bot:
        bot = self._make_bot()
        be_patient_with(bot)
        return bot

    async def _close_bot(self) -> None:
        await self._bot.close()


async def run(settings: Settings, *, port: int, open_browser: bool) -> None:
    """Runs the demo until it is interrupted; what was painted is in the settings' data folder.

    Raises `StartError`.
    """
    from ..bot.runner import Runner

    # A real server of the owner's, where commands are tried out, is not in the simulation.
    settings = settings.model_copy(
        update={"discord": settings.discord.model_copy(update={"test_guild": 0})}
    )
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C cancels this task instead
            loop.add_signal_handler(number, stopped.set)
    _say("Starting the painter ...")
    playground = Playground(lambda: Runner(settings))
    async with playground, Window(playground, port=port) as window:
        _say(f"Paint here: {window.url}")
        _say("The address is a key: whoever has it can use the page. Ctrl-C stops the demo.")
        if open_browser:
            await asyncio.to_thread(_open, window.url)
        await stopped.wait()
        _say("Stopping ...")


def _open(url: str) -> None:
    with suppress(webbrowser.Error):
        browser = webbrowser.get()
        # One that runs in a terminal would take this one.
        if type(browser) is not webbrowser.GenericBrowser:
            browser.open(url)


def _say(sentence: str) -> None:
    print(sentence, flush=True)
