"""The demo's one address in the browser: simcord's page of every channel, and our controls in it.

simcord has one page a channel and shows what stood when the bot had settled. This stands before
those pages, passes everything on, and makes them live: it publishes again whenever the bot has
called Discord, so progress is seen as it is edited. How bytes are passed on is `relay`'s.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import AsyncExitStack, suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from simcord.backend.errors import BackendError, SetupError

from ..bot.errors import StartError
from .gestures import command_names, message_menus, open_menu, post_picture, viewer_of
from .relay import Relay, read_parts

if TYPE_CHECKING:
    from simcord.preview import Preview

    from .demo import Playground
    from .world import Room

PUBLISH_INTERVAL_S = 0.4
"""The page asks for news twice a second."""

SETTLE_S = 2.0
"""A bot that is at work for longer is looked at again later."""

MAX_UPLOAD_BYTES = 26 * 1024 * 1024

_CAPABILITY = "X-Simcord-Capability"
_OURS = files("limner.playground") / "page"
_TYPES = {
    "demo.css": "text/css",
    "demo.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "typing.js": "text/javascript",
}
_HEAD = (
    '<link rel="icon" href="/limner/icon.svg">'
    '<link rel="stylesheet" href="/limner/demo.css">'
    '<script type="module" src="/limner/demo.js"></script></head>'
)
_log = logging.getLogger(__name__)


class Window:
    """Serves the page on loopback; `url` is a credential. An async context manager.

    Entering raises `StartError` when the port is taken.
    """

    def __init__(self, playground: Playground, *, port: int) -> None:
        self._playground = playground
        self._env = playground.env
        self._requested_port = port
        self._previews: dict[str, tuple[Room, Preview]] = {}
        """By their capability: the secret in the address says which channel is meant."""
        self._relay = Relay()
        self._acting = asyncio.Lock()
        """simcord takes one action at a time, and a publication is one."""
        self._num_calls_shown = 0
        self._resources = AsyncExitStack()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/#{next(iter(self._previews))}"

    async def __aenter__(self) -> Window:
        async with AsyncExitStack() as resources:
            for room in self._playground.rooms:
                # simcord holds one preview at a time, for one channel; what it keeps it for is
                # only to mark a message as sent in a receipt, which our page does not show.
                self._env._preview = None  # pyright: ignore[reportPrivateUsage]
                preview = self._env.preview(room.channel, viewers=room.viewers, layout="channel")
                await resources.enter_async_context(preview)
                self._previews[preview.url.partition("#")[2]] = (room, preview)
            await resources.enter_async_context(self._relay)
            runner = web.AppRunner(self._app(), access_log=None)
            await runner.setup()
            resources.push_async_callback(runner.cleanup)
            try:
                await web.TCPSite(runner, "127.0.0.1", self._requested_port).start()
            except OSError as error:
                raise StartError(
                    f"Port {self._requested_port} can't be used ({error.strerror}):"
                    " choose another one with --port, or leave it out."
                ) from error
            self.port = int(runner.addresses[0][1])
            publisher = asyncio.create_task(self._publish(), name="demo: publish to the page")
            resources.push_async_callback(_stop, publisher)
            self._resources = resources.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._resources.aclose()

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_UPLOAD_BYTES, middlewares=[_say_what_is_wrong])
        app.router.add_get("/", self._index)
        app.router.add_get("/limner/world", self._world)
        app.router.add_post("/limner/restart", self._restart)
        app.router.add_post("/limner/picture", self._picture)
        app.router.add_post("/limner/menu", self._menu)
        app.router.add_get("/limner/{name}", self._own_file)
        app.router.add_post("/api/action", self._act)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        return app

    # News

    async def _publish(self) -> None:
        while True:
            await asyncio.sleep(PUBLISH_INTERVAL_S)
            try:
                async with self._acting, asyncio.timeout(SETTLE_S):
                    await self._env.settle()
                    await self._show_news()
            except TimeoutError:
                _log.debug("the bot is busy; the page is published again later")

    async def _show_news(self) -> None:
        # Private answers are not announced on the gateway, so the bot's calls are what is counted.
        num_calls = len(self._env.backend.http_requests)
        if num_calls != self._num_calls_shown:
            for _, preview in self._previews.values():
                await preview.refresh()
            self._num_calls_shown = num_calls

    # What the browser asks for

    def _shown(self, request: web.Request) -> tuple[Room, Preview]:
        try:
            return self._previews[request.headers[_CAPABILITY]]
        except KeyError:
            raise web.HTTPUnauthorized(text="Open the address that the demo printed.") from None

    async def _index(self, request: web.Request) -> web.Response:
        page = await self._pass_on(request)
        text = cast("bytes", page.body).decode().replace("</head>", _HEAD, 1)
        page.text = text.replace("SimCord Preview", "Limner, the demo", 1)
        return page

    async def _own_file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _TYPES:
            raise web.HTTPNotFound
        return web.Response(text=(_OURS / name).read_text("utf-8"), content_type=_TYPES[name])

    async def _world(self, request: web.Request) -> web.Response:
        shown, _ = self._shown(request)
        rooms = [
            {
                "name": room.name,
                "topic": room.topic,
                "isDirect": room.channel.guild is None,
                "isAgeRestricted": room.is_age_restricted,
                "isShown": room is shown,
                "capability": capability,
            }
            for capability, (room, _) in self._previews.items()
        ]
        return web.json_response(
            {
                "rooms": rooms,
                "commands": command_names(self._env, shown),
                "menus": message_menus(self._env, shown),
            }
        )

    async def _restart(self, request: web.Request) -> web.Response:
        self._shown(request)
        async with self._acting:
            await self._playground.restart()
            await self._show_news()
        return web.json_response({})

    async def _picture(self, request: web.Request) -> web.Response:
        room, _ = self._shown(request)
        viewer_id, file = await read_parts(request)
        viewer = viewer_of(room, viewer_id.content.decode())
        async with self._acting:
            await post_picture(self._env, room, viewer, file.filename or "picture", file.content)
            for _, preview in self._previews.values():
                await preview.refresh()
        return web.json_response({})

    async def _menu(self, request: web.Request) -> web.Response:
        room, preview = self._shown(request)
        asked = await request.json()
        async with self._acting:
            await open_menu(
                self._env,
                room,
                preview,
                context_id=asked["context_id"],
                viewer=viewer_of(room, asked["viewer_id"]),
                name=asked["name"],
                message_id=int(asked["message_id"]),
            )
            await preview.refresh()
        return web.json_response({})

    async def _act(self, request: web.Request) -> web.Response:
        """Passes an action on as one of the page's present revision, to the present bot.

        simcord refuses an action of an older one, to be sure of what was seen; here every step of
        somebody's progress is a revision, and the pressed control is looked up anyway.
        """
        _, preview = self._shown(request)
        parts = await read_parts(request)
        action = json.loads(parts[0].content)
        async with self._acting:
            state = await self._relay.get(preview, request, "/api/state")
            if state.status == web.HTTPOk.status_code:
                now = json.loads(cast("bytes", state.body))
                action["published_revision"] = now["publishedRevision"]
                action["bot_generation"] = now["botGeneration"]
            parts[0].content = json.dumps(action).encode()
            return await self._relay.send(preview, request, parts)

    async def _pass_on(self, request: web.Request) -> web.Response:
        first = next(iter(self._previews.values()))
        _, preview = self._previews.get(request.headers.get(_CAPABILITY, ""), first)
        return await self._relay.send(preview, request, await read_parts(request))


@web.middleware
async def _say_what_is_wrong(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        return await handler(request)
    except (SetupError, BackendError) as error:
        raise web.HTTPBadRequest(text=f"The simulated Discord refused: {error}.") from error


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
