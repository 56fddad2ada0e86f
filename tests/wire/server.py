"""The stand-in as a whole: starts, stops, points discord.py at itself, and is a test's handle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import aiohttp
import discord
import yarl
from aiohttp import web
from discord.gateway import DiscordWebSocket
from discord.http import Route

from . import specification
from .changes import PATIENCE_S
from .child import COMMAND
from .clock import Clock
from .entities import Channel, Message, User
from .faults import Faults
from .front import PREFIX, Front, Seen
from .gateway import Gateway
from .people import People
from .ratelimits import RateLimits
from .rest_interactions import report_unanswered
from .world import World

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType

    from .json_parts import Json
    from .offers import Value
    from .replies import Modal, Predicate, Reply
    from .violations import Violations

T = TypeVar("T")


class Bot(Protocol):
    """What `Wire.connect` needs of a client: discord.py's have it."""

    async def start(self, token: str) -> None: ...
    async def close(self) -> None: ...
    def is_closed(self) -> bool: ...


class Wire:
    """Discord on a local port, from `async with Wire() as wire` until the block ends.

    Raises AssertionError at its end for every violation that no test expected.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.world = World(self.clock)
        self.faults = Faults()
        self.limits = RateLimits(self.clock)
        self.gateway = Gateway(self.world, self.clock)
        self._front = Front(self.world, self.faults, self.limits, specification.published())
        self._people = People(self.world, self.gateway)
        self._runner: web.AppRunner | None = None
        self._pointed: tuple[str, yarl.URL, str] | None = None
        self.base = ""
        self.started_in_s = 0.0

    # Starting and stopping

    async def __aenter__(self) -> Wire:
        began = time.monotonic()
        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", PREFIX + "/{path:.*}", self._front.handle)
        app.router.add_get("/gateway", self.gateway.handle)
        app.router.add_get("/gateway/", self.gateway.handle)
        app.router.add_get(
            r"/cdn/{folder:attachments|ephemeral-attachments}/{channel:\d+}/{file_id:\d+}/{name}",
            self._front.serve_file,
        )
        app.router.add_get("/cdn/{path:.*}", self._front.serve_avatar)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port: int = self._runner.addresses[0][1]
        self.base = f"http://127.0.0.1:{port}"
        self.world.links.base = f"{self.base}/cdn"
        self.world.gateway_url = f"ws://127.0.0.1:{port}/gateway"
        self.clock.listen(lambda: report_unanswered(self.world))
        self._point()
        self.started_in_s = time.monotonic() - began
        return self

    def _point(self) -> None:
        """The product has no switch for this, on purpose: only a test reaches into discord.py."""
        self._pointed = (Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, discord.Asset.BASE)
        Route.BASE = self.base + PREFIX
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(self.world.gateway_url)
        setattr(discord.Asset, "BASE", f"{self.base}/cdn")  # noqa: B010  (declared constant)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._pointed is not None
        assert self._runner is not None
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, cdn = self._pointed
        setattr(discord.Asset, "BASE", cdn)  # noqa: B010
        self.faults.clear()
        await self.gateway.stop()
        await self._runner.cleanup()
        report_unanswered(self.world, at_end=True)
        if error is None:
            self.check()

    def check(self) -> None:
        """Raises for the violations so far that no test expected."""
        if self.violations:
            raise AssertionError(f"violations of Discord's rules:\n{self.violations}")

    @contextlib.asynccontextmanager
    async def connect(self, bot: Bot) -> AsyncGenerator[Bot]:
        """Runs the bot until the block ends; entered once it has read who and where it is.

        `on_ready` comes 2 s later, unless the client was made with `guild_ready_timeout=0`.
        """
        before = self.gateway.num_identified
        running = asyncio.create_task(bot.start(self.world.token), name="the bot")
        running.add_done_callback(lambda _: self.world.changes.notify())
        try:
            await self.until(
                lambda: running.done() or self.gateway.num_identified > before,
                "the bot's IDENTIFY",
            )
            if not running.done():
                await self.gateway.settled()
                yield bot
        finally:
            if not bot.is_closed():
                await bot.close()
            await running

    @contextlib.asynccontextmanager
    async def spawn(self, target: str, *, without: str = "") -> AsyncGenerator[Process]:
        """The same with the bot in a process of its own, made by `target` ("module:factory").

        `without` names packages that it shall not find. What is left of it is killed at the end.
        """
        before = self.gateway.num_identified
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            COMMAND,
            target,
            cwd=Path(__file__).parents[2],
            env=self.environment() | {"WIRE_WITHOUT": without},
        )
        try:
            await self.until(lambda: self.gateway.num_identified > before, f"{target}'s IDENTIFY")
            await self.gateway.settled()
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    # What people do

    async def slash(self, user: User, channel: Channel, name: str, /, **values: Value) -> Reply:
        """`name` goes on with subcommands: "credits give". A file is `("x.png", data)`."""
        return self._people.slash(user, channel, name, values)

    async def autocomplete(
        self, user: User, channel: Channel, name: str, focused: str, /, **values: Value
    ) -> list[Json]:
        """What is suggested while the option `focused` is typed."""
        reply = self._people.autocomplete(user, channel, name, focused, values)
        return await reply.choices()

    async def menu(
        self, user: User, name: str, target: Message | User, channel: Channel | None = None
    ) -> Reply:
        """A context menu on a message, or on a person in `channel`."""
        place = target.channel if isinstance(target, Message) else channel
        assert place is not None
        return self._people.menu(user, name, target, place)

    async def click(self, user: User, message: Message, button: str) -> Reply:
        """`button` is a label or a custom id."""
        return self._people.click(user, message, button)

    async def select(self, user: User, message: Message, custom_id: str, *values: Value) -> Reply:
        return self._people.select(user, message, custom_id, list(values))

    async def submit(self, user: User, modal: Modal, **values: object) -> Reply:
        """Fields by custom id: text, a list of values for selects, of files for uploads."""
        return self._people.submit(user, modal, values)

    # What a test sees

    @property
    def violations(self) -> Violations:
        return self.world.violations

    @property
    def requests(self) -> list[Seen]:
        """Every request so far that met a route, with its answer's status."""
        return self._front.seen

    async def until(
        self, probe: Callable[[], T | None], what: str, timeout_s: float = PATIENCE_S
    ) -> T:
        """The first truthy answer of `probe`, asked whenever something has changed."""
        return await self.world.changes.until(
            probe, what, timeout_s, lambda: f"Violations: {self.violations}"
        )

    async def message(self, channel: Channel, where: Predicate | None = None) -> Message:
        """The bot's first message in the channel that `where` is true of."""

        def found() -> Message | None:
            for message in channel.timeline:
                is_ours = message.author is self.world.bot and not message.is_loading
                if is_ours and (where is None or where(message)):
                    return message
            return None

        return await self.until(found, f"a message in {channel.name or 'a direct channel'}")

    async def fetch(self, url: str) -> bytes:
        """The bytes behind a link, over the wire as a person's client gets them."""
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            response.raise_for_status()
            return await response.read()

    def environment(self) -> dict[str, str]:
        """For a bot in a process of its own: see `child.py`."""
        return os.environ | {
            "WIRE_API": self.base + PREFIX,
            "WIRE_GATEWAY": self.world.gateway_url,
            "WIRE_CDN": f"{self.base}/cdn",
            "WIRE_TOKEN": self.world.token,
        }
