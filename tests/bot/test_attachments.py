"""Pictures are found wherever a message shows them, and downloaded from Discord, within bounds."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import discord
import pytest
from aiohttp import web
from discord.ext import commands
from yarl import URL

from limner.bot.attachments import PictureReader, fetch, find_pictures, may_be_picture, stream
from limner.bot.errors import RefusedError

from .odd_pictures import saved, scene, see_through

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import simcord

PNG = saved(scene(), "PNG")


def make_bot() -> commands.Bot:
    return commands.Bot("!", intents=discord.Intents.all())


@pytest.fixture
def simcord_bot() -> commands.Bot:
    return make_bot()


class Card(discord.ui.LayoutView):
    """Pictures in every place where a component can show one, and one link from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        gallery = discord.MediaGalleryItem("attachment://a.png", description="the first")
        self.add_item(discord.ui.MediaGallery(gallery))
        thumbnail = discord.ui.Thumbnail("attachment://b.png")
        self.add_item(
            discord.ui.Container(
                discord.ui.Section(discord.ui.TextDisplay("x"), accessory=thumbnail),
                discord.ui.MediaGallery(discord.MediaGalleryItem("attachment://c.png")),
                discord.ui.File("attachment://d.png"),
                discord.ui.File("attachment://e.txt"),
            )
        )
        self.add_item(
            discord.ui.MediaGallery(discord.MediaGalleryItem("https://example.invalid/link.png"))
        )


async def test_pictures_are_found_in_galleries_sections_containers_and_files(
    simcord_env: simcord.Env,
):
    channel = simcord_env.create_guild().create_text_channel("general")
    names = ("a.png", "b.png", "c.png", "d.png", "e.txt")
    files = [discord.File(io.BytesIO(PNG), name) for name in names]
    target = simcord_env.bot.get_channel(channel.id)
    assert isinstance(target, discord.TextChannel)
    sent = await target.send(view=Card(), files=files)
    message = await target.fetch_message(sent.id)
    # As Discord does it: what components show is not among the attachments.
    message.attachments = []
    found = find_pictures(message)
    assert [one.place for one in found] == [1, 2, 3, 4]
    assert [one.name for one in found] == ["the first", "b.png", "c.png", "d.png"]
    assert await fetch(found[0].item, simcord_env.bot, 1 << 20) == PNG


async def test_pictures_are_found_among_attachments_and_texts_are_not(simcord_env: simcord.Env):
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("general")
    member = guild.add_member(simcord_env.create_user("ann"))
    files = [("one.png", PNG), ("two.txt", b"words"), ("three.webp", saved(scene(), "WEBP"))]
    message = await member.send(channel, "look", attachments=files)
    assert [one.name for one in find_pictures(message)] == ["one.png", "three.webp"]
    assert not may_be_picture(message.attachments[1])


async def test_an_upload_is_read_and_a_stranger_among_them_refused(simcord_env: simcord.Env):
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("general")
    member = guild.add_member(simcord_env.create_user("ann"))
    files = [("one.png", saved(see_through(), "PNG")), ("two.png", b"words")]
    message = await member.send(channel, "look", attachments=files)
    reader = PictureReader(max_bytes=1 << 20, max_pixels=10**7)
    try:
        opened = await reader.read(message.attachments[0], simcord_env.bot)
        assert opened.image.mode == "RGBA"
        with pytest.raises(RefusedError, match="no picture"):
            await reader.read(message.attachments[1], simcord_env.bot)
    finally:
        reader.close()


async def test_a_file_that_discord_says_is_too_large_is_refused_without_a_download(
    simcord_env: simcord.Env,
):
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("general")
    member = guild.add_member(simcord_env.create_user("ann"))
    message = await member.send(channel, "look", attachments=[("one.png", PNG)])
    simcord_env.backend.cdn._blobs.clear()
    reader = PictureReader(max_bytes=len(PNG) - 1, max_pixels=10**7)
    try:
        with pytest.raises(RefusedError, match="MiB"):
            await reader.read(message.attachments[0], simcord_env.bot)
        reader = PictureReader(max_bytes=len(PNG), max_pixels=10**7)
        with pytest.raises(RefusedError, match="upload it again"):
            await reader.read(message.attachments[0], simcord_env.bot)
    finally:
        reader.close()


async def test_more_than_can_wait_are_refused_and_the_rest_is_read(simcord_env: simcord.Env):
    guild = simcord_env.create_guild()
    channel = guild.create_text_channel("general")
    member = guild.add_member(simcord_env.create_user("ann"))
    message = await member.send(channel, "look", attachments=[("one.png", PNG)])
    reader = PictureReader(max_bytes=1 << 20, max_pixels=10**7)
    try:
        item = message.attachments[0]
        reads = [reader.read(item, simcord_env.bot) for _ in range(40)]
        outcomes = await asyncio.gather(*reads, return_exceptions=True)
        refused = [each for each in outcomes if isinstance(each, RefusedError)]
        assert len(refused) == 8
        assert "in a minute" in str(refused[0])
        assert (await reader.read(item, simcord_env.bot)).width == 64
    finally:
        reader.close()


async def test_a_link_is_never_fetched(simcord_env: simcord.Env):
    item = discord.UnfurledMediaItem("https://example.invalid/picture.png")
    reader = PictureReader(max_bytes=1 << 20, max_pixels=10**7)
    try:
        with pytest.raises(RefusedError, match="link"):
            await reader.read(item, simcord_env.bot)
    finally:
        reader.close()


Handler = "Callable[[web.Request], Awaitable[web.StreamResponse]]"


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[URL]]]:
    runners: list[web.AppRunner] = []

    async def start(handler: Handler) -> URL:
        app = web.Application()
        app.router.add_get("/picture", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return URL.build(
            scheme="http", host="127.0.0.1", port=runner.addresses[0][1], path="/picture"
        )

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_a_body_within_the_bound_is_streamed(serve: Callable[..., Awaitable[URL]]):
    async def whole(_: web.Request) -> web.StreamResponse:
        return web.Response(body=PNG)

    assert await stream(await serve(whole), len(PNG)) == PNG


async def test_an_endless_body_is_cut_at_the_bound(serve: Callable[..., Awaitable[URL]]):
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"\0" * 65536)
                sent += 65536
        except ConnectionError:
            return response

    with pytest.raises(RefusedError, match="up to 1 MiB"):
        await stream(await serve(endless), 1 << 20)
    assert sent < 32 << 20


async def test_a_declared_length_beyond_the_bound_is_not_read(
    serve: Callable[..., Awaitable[URL]],
):
    async def large(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(1 << 40)})
        await response.prepare(request)
        return response

    with pytest.raises(RefusedError, match="larger"):
        await stream(await serve(large), 1 << 20)


async def test_a_redirect_is_not_followed(serve: Callable[..., Awaitable[URL]]):
    async def elsewhere(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("http://169.254.169.254/latest")

    with pytest.raises(RefusedError, match="try again"):
        await stream(await serve(elsewhere), 1 << 20)


async def test_what_is_gone_is_told(serve: Callable[..., Awaitable[URL]]):
    async def gone(_: web.Request) -> web.StreamResponse:
        raise web.HTTPNotFound

    with pytest.raises(RefusedError, match="upload it again"):
        await stream(await serve(gone), 1 << 20)
