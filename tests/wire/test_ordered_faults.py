"""What goes wrong at Discord's end when a test orders it, as an unmodified discord.py meets it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import discord
import pytest
from discord.http import Route

from .faults import Fault
from .sample_bot import RED_PIXEL, SampleBot, picture

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .server import Wire

MESSAGES = "/channels/*/messages"


@asynccontextmanager
async def connected(wire: Wire) -> AsyncGenerator[discord.TextChannel]:
    channel = wire.world.guild().channel()
    bot = SampleBot()
    async with wire.connect(bot):
        place = bot.get_channel(channel.id)
        assert isinstance(place, discord.TextChannel)
        yield place


def statuses(wire: Wire) -> list[int]:
    return [seen.status for seen in wire.requests if seen.template.endswith("/messages")]


@pytest.mark.parametrize("scope", ["user", "global", "shared"])
async def test_a_429_is_waited_out(wire: Wire, scope: str) -> None:
    async with connected(wire) as place:
        fault = Fault.rate_limited(0.02, scope)  # pyright: ignore[reportArgumentType]
        wire.faults.order(fault, MESSAGES, method="POST", times=2)
        await place.send("at last")
    assert wire.faults.num_met == 2
    assert statuses(wire) == [200]


async def test_a_webhook_429_is_waited_out(wire: Wire) -> None:
    guild = wire.world.guild()
    ann, channel = guild.member("ann"), guild.channel()
    wire.faults.order(Fault.rate_limited(0.02), "/webhooks/*", times=2)
    wire.faults.order(Fault.rate_limited(0.02), "/interactions/*/callback")
    async with wire.connect(SampleBot()):
        await (await wire.slash(ann, channel, "imagine", prompt="x")).message()
    assert wire.faults.num_met == 3


async def test_a_burst_of_502_is_tried_again(wire: Wire) -> None:
    async with connected(wire) as place:
        wire.faults.order(Fault.server_error(502), MESSAGES)
        await place.send("at last")
    assert (wire.faults.num_met, statuses(wire)) == (1, [200])


async def test_503_reaches_the_bot(wire: Wire) -> None:
    async with connected(wire) as place:
        wire.faults.order(Fault.server_error(503), MESSAGES)
        with pytest.raises(discord.DiscordServerError):
            await place.send("lost")
    assert wire.world.channels[place.id].timeline == []


async def test_done_but_not_said_is_where_a_nonce_helps(wire: Wire) -> None:
    async with connected(wire) as place:
        wire.faults.order(Fault.server_error(502, is_done_first=True), MESSAGES, method="POST")
        # discord.py gives every channel message a nonce of its own.
        await place.send("once")
        assert [m.text for m in wire.world.channels[place.id].timeline] == ["once"]
        wire.faults.order(Fault.server_error(502, is_done_first=True), MESSAGES, method="POST")
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=place.id)
        await place._state.http.request(route, json={"content": "twice"})  # pyright: ignore
    assert [m.text for m in wire.world.channels[place.id].timeline] == ["once", "twice", "twice"]


async def test_a_reset_connection_reaches_the_bot(wire: Wire) -> None:
    async with connected(wire) as place:
        wire.faults.order(Fault.dropped(), MESSAGES)
        with pytest.raises((aiohttp.ClientError, OSError)):
            await place.send("lost")
        wire.faults.order(Fault.dropped(is_done_first=True), MESSAGES)
        with pytest.raises((aiohttp.ClientError, OSError)):
            await place.send("done all the same")
    timeline = wire.world.channels[place.id].timeline
    assert [m.text for m in timeline] == ["done all the same"]


async def test_a_slow_answer_is_held_until_it_is_released(wire: Wire) -> None:
    async with connected(wire) as place:
        fault = wire.faults.order(Fault.slow(), MESSAGES)
        sending = asyncio.create_task(place.send("slow", file=picture()))
        await fault.reached()
        assert wire.world.channels[place.id].timeline == []
        fault.release()
        await sending
    assert wire.world.channels[place.id].timeline[0].files[0].data == RED_PIXEL


async def test_only_uploads_are_refused(wire: Wire) -> None:
    async with connected(wire) as place:
        wire.faults.order(Fault.upload_refused(), MESSAGES)
        await place.send("text passes")
        with pytest.raises(discord.HTTPException) as refused:
            await place.send("a file does not", file=picture())
        assert (refused.value.status, refused.value.code) == (413, 40005)
        await place.send("and once is once", file=picture())
    assert [m.text[:4] for m in wire.world.channels[place.id].timeline] == ["text", "and "]


async def test_an_uploaded_picture_that_can_not_be_fetched(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    wire.faults.order(Fault.server_error(500), "/cdn/*")
    bot = SampleBot()
    async with wire.connect(bot):
        image = ("me.png", RED_PIXEL)
        await wire.slash(ann, channel, "imagine", prompt="x", image=image)
        async with asyncio.timeout(60):
            cause = (await bot.errors.get()).__cause__
        assert isinstance(cause, discord.HTTPException)
        reply = await wire.slash(ann, channel, "imagine", prompt="x", image=image)
        await reply.message()


async def test_after_and_times_count_the_requests_that_match(wire: Wire) -> None:
    async with connected(wire) as place:
        wire.faults.order(Fault.server_error(503), MESSAGES, method="POST", after=1)
        await place.send("first")
        with pytest.raises(discord.DiscordServerError):
            await place.send("second")
        await place.send("third")
    assert [m.text for m in wire.world.channels[place.id].timeline] == ["first", "third"]


async def test_what_people_delete_is_gone_and_no_fault_of_the_bot(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    bot = SampleBot()
    async with wire.connect(bot):
        message = await (await wire.slash(ann, channel, "imagine", prompt="x")).message()
        place = bot.get_channel(channel.id)
        assert isinstance(place, discord.TextChannel)
        message.delete()
        with pytest.raises(discord.NotFound) as gone:
            await place.get_partial_message(message.id).edit(content="x")
        assert gone.value.code == 10008
        channel.delete()
        with pytest.raises(discord.NotFound) as gone:
            await place.send("x")
        assert gone.value.code == 10003
        await wire.gateway.settled()
        assert bot.get_channel(channel.id) is None


async def test_a_permission_that_is_taken_away_is_missed(wire: Wire) -> None:
    async with connected(wire) as place:
        channel = wire.world.channels[place.id]
        channel.deny(wire.world.bot, "attach_files")
        await place.send("text")
        with pytest.raises(discord.Forbidden) as refused:
            await place.send("a file", file=picture())
        assert refused.value.code == 50013
        for permission, code in (("send_messages", 50013), ("view_channel", 50001)):
            channel.deny(wire.world.bot, permission)
            with pytest.raises(discord.Forbidden) as refused:
                await place.send("text")
            assert refused.value.code == code


async def test_a_server_that_removes_the_bot_is_closed_to_it(wire: Wire) -> None:
    async with connected(wire) as place:
        wire.world.channels[place.id].guild.remove_bot()  # pyright: ignore
        with pytest.raises(discord.Forbidden) as refused:
            await place.send("x")
        assert refused.value.code == 50001


async def test_somebody_who_takes_no_direct_messages(wire: Wire) -> None:
    person = wire.world.user("shut", is_open=False)
    bot = SampleBot()
    async with wire.connect(bot):
        with pytest.raises(discord.Forbidden) as refused:
            await (await bot.fetch_user(person.id)).send("x")
    assert refused.value.code == 50007
