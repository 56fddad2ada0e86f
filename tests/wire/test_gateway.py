"""The gateway: an unmodified discord.py loses it and comes back, compressed in every way."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import pytest

from .compression import zstd_library
from .sample_bot import SampleBot
from .violations import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from .server import Wire


async def test_a_dropped_line_is_resumed_and_nothing_is_missed(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    bot = SampleBot()
    name = f"<@{wire.world.bot.id}>"
    async with wire.connect(bot):
        channel.post(ann, f"{name} before")
        wire.gateway.drop()
        await wire.until(lambda: not wire.gateway.is_connected, "the line to be cut")
        channel.post(ann, f"{name} meanwhile")
        asked = await wire.slash(ann, channel, "imagine", prompt="asked into the void")
        await wire.until(lambda: wire.gateway.num_resumed == 1, "RESUME")
        channel.post(ann, f"{name} after")
        async with asyncio.timeout(60):
            heard = [await bot.heard.get() for _ in range(3)]
        assert heard == [f"{name} before", f"{name} meanwhile", f"{name} after"]
        await asked.message()
    assert wire.gateway.num_identified == 1


async def test_a_request_to_reconnect_is_followed(wire: Wire) -> None:
    async with wire.connect(SampleBot()):
        wire.gateway.ask_to_reconnect()
        await wire.until(lambda: wire.gateway.num_resumed == 1, "RESUME")
        await wire.gateway.settled()


async def test_a_sharded_client_asks_for_the_gateway_first(wire: Wire) -> None:
    wire.world.guild()
    bot = discord.AutoShardedClient(intents=discord.Intents(guilds=True))
    async with wire.connect(bot):
        assert len(bot.guilds) == 1
        assert bot.shard_count == 1
    assert [seen.path for seen in wire.requests].count("/gateway/bot") == 1


async def test_an_invalid_session_that_may_be_resumed(wire: Wire) -> None:
    async with wire.connect(SampleBot()):
        wire.gateway.invalidate(is_resumable=True)
        await wire.until(lambda: wire.gateway.num_resumed == 1, "RESUME")


async def test_a_session_that_can_not_be_resumed_is_begun_anew(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    async with wire.connect(SampleBot()):
        wire.gateway.forget_sessions()
        wire.gateway.drop()
        await wire.until(lambda: wire.gateway.num_identified == 2, "a second IDENTIFY")
        assert wire.gateway.num_refused_resumes == 1
        await wire.gateway.settled()
        await (await wire.slash(ann, channel, "imagine", prompt="x")).message()


async def test_an_invalid_session_is_begun_anew(wire: Wire) -> None:
    async with wire.connect(SampleBot()):
        wire.gateway.invalidate()
        await wire.until(lambda: wire.gateway.num_identified == 2, "a second IDENTIFY")


@pytest.mark.parametrize(
    ("without", "kind"),
    [("", "zstd-stream"), ("zstandard compression.zstd", "zlib-stream")],
)
async def test_discord_py_reads_both_compressions_and_survives_being_killed(
    wire: Wire, without: str, kind: str
) -> None:
    if kind == "zstd-stream" and zstd_library() is None:
        pytest.skip("no zstd library is installed")
    guild = wire.world.guild()
    channel, ann = guild.channel("a name long enough to be compressed"), guild.member("ann")
    async with wire.spawn("tests.wire.sample_bot:SampleBot", without=without) as process:
        message = await (await wire.slash(ann, channel, "imagine", prompt="x")).message()
        assert [c.request.query["compress"] for c in wire.gateway.connections] == [kind]
        process.kill()
        await process.wait()
    async with wire.connect(SampleBot()):
        await (await wire.click(ann, message, "Again")).message()


def as_is() -> Callable[[Any], str]:
    return str


def unzlib() -> Callable[[Any], str]:
    stream = zlib.decompressobj()

    def unpack(packed: bytes) -> str:
        assert packed.endswith(b"\x00\x00\xff\xff")
        return stream.decompress(packed).decode()

    return unpack


def unzstd() -> Callable[[Any], str]:
    library = pytest.importorskip("zstandard")
    stream = library.ZstdDecompressor().decompressobj()
    return lambda packed: stream.decompress(packed).decode()


@pytest.mark.parametrize(
    ("query", "make"),
    [("", as_is), ("&compress=zlib-stream", unzlib), ("&compress=zstd-stream", unzstd)],
)
async def test_one_stream_a_connection_and_one_message_a_frame(
    wire: Wire, query: str, make: Callable[[], Callable[[Any], str]]
) -> None:
    wire.world.guild("a studio " * 8)
    unpack = make()
    url = f"{wire.world.gateway_url}/?v=10&encoding=json{query}"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:

        async def receive() -> dict[str, Any]:
            return json.loads(unpack((await socket.receive(timeout=60)).data))

        assert (await receive())["op"] == 10
        await socket.send_json({"op": 1, "d": None})
        assert (await receive())["op"] == 11
        await socket.send_json(identify(wire))
        ready, created = await receive(), await receive()
        assert (ready["t"], ready["s"], created["t"], created["s"]) == (
            "READY",
            1,
            "GUILD_CREATE",
            2,
        )


def identify(wire: Wire, **changes: Any) -> dict[str, Any]:
    data = {"token": wire.world.token, "intents": 1, "properties": {"os": "a", "browser": "b"}}
    return {"op": 2, "d": data | changes}


NOTHING: dict[str, Any] = {}
IDENTIFY = {"op": 2, "changes": NOTHING}


@pytest.mark.parametrize(
    ("payloads", "code"),
    [
        ([{"op": 2, "changes": {"token": "wrong"}}], 4004),
        ([{"op": 2, "changes": {"intents": 1 << 15}}], 4014),
        ([IDENTIFY, IDENTIFY], 4005),
        ([{"op": 3, "d": NOTHING}], 4003),
        ([IDENTIFY, {"op": 42, "d": NOTHING}], 4001),
        ([{"op": 1, "d": None}] * 121, 4008),
        ([{"op": 1, "d": "x" * 5000}], 4002),
        ([{"nothing": 1}], 4002),
    ],
)
async def test_what_the_gateway_closes_on(
    wire: Wire, payloads: list[dict[str, Any]], code: int
) -> None:
    url = f"{wire.world.gateway_url}/?v=10&encoding=json"
    with wire.violations.expected(Kind.GATEWAY):
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            for payload in payloads:
                changes = payload.get("changes")
                await socket.send_json(payload if changes is None else identify(wire, **changes))
            async with asyncio.timeout(60):
                async for _ in socket:
                    pass
            assert socket.close_code == code


async def test_the_gateways_limit_is_one_of_a_minute(wire: Wire) -> None:
    url = f"{wire.world.gateway_url}/?v=10&encoding=json"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
        assert (await socket.receive_json(timeout=60))["op"] == 10
        for minute in range(2):
            wire.clock.advance(61 * minute)
            for _ in range(100):
                await socket.send_json({"op": 1, "d": None})
                assert (await socket.receive_json(timeout=60))["op"] == 11


async def test_an_intent_that_is_not_granted_stops_the_bot(wire: Wire) -> None:
    class Curious(SampleBot):
        async def setup_hook(self) -> None:
            self._connection._intents.message_content = True  # pyright: ignore

    async def run() -> None:
        async with wire.connect(Curious()):
            pass

    with wire.violations.expected(Kind.GATEWAY), pytest.raises(discord.PrivilegedIntentsRequired):
        await run()
