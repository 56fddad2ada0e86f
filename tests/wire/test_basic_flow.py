"""The ordinary way of a request, by an unmodified discord.py, down to the bytes."""

from __future__ import annotations

import asyncio

import discord
import pytest
from discord.http import Route

from .attachments import served_name
from .entities import Acknowledgement
from .offers import NotOffered
from .sample_bot import RED_PIXEL, SampleBot, card, picture
from .server import Wire
from .violations import Kind


async def test_a_painting_comes_back_byte_for_byte(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    async with wire.connect(SampleBot()):
        reply = await wire.slash(ann, channel, "imagine", prompt="a red heart")
        assert await reply.acknowledged() is Acknowledgement.DEFERRED_MESSAGE
        message = await reply.message()
        assert message.text == f"a red heart ({len(RED_PIXEL)} bytes)"
        assert await wire.fetch(message.gallery[0].url) == RED_PIXEL
        assert (message.gallery[0].width, message.gallery[0].height) == (1, 1)
        assert message.buttons == {"Again": "again:1"}


async def test_an_uploaded_picture_reaches_the_bot_byte_for_byte(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    data = RED_PIXEL + b"a tail that nobody else has"
    async with wire.connect(SampleBot()):
        reply = await wire.slash(ann, channel, "imagine", prompt="again", image=("me.png", data))
        assert [file.data for file in (await reply.message()).gallery] == [data]


async def test_files_that_components_show_are_not_listed(wire: Wire) -> None:
    channel = wire.world.guild().channel()
    bot = SampleBot()
    async with wire.connect(bot):
        place = await bot.fetch_channel(channel.id)
        assert isinstance(place, discord.TextChannel)
        shown = await place.send(view=card("shown", 1, "picture.png"), file=picture())
        listed = await place.send("listed", file=picture(RED_PIXEL + b"another"))
        assert (shown.attachments, len(listed.attachments)) == ([], 1)
        again = await place.fetch_message(shown.id)
        assert again.attachments == []
        gallery = channel.messages[shown.id].gallery
        assert [file.data for file in gallery] == [RED_PIXEL]


async def test_several_people_in_several_places_at_once(wire: Wire) -> None:
    first, second = wire.world.guild("first"), wire.world.guild("second")
    people = [
        (guild.member(f"{name} of {guild.name}"), guild.channel(name))
        for guild in (first, second)
        for name in ("ann", "ben", "cat")
    ]
    async with wire.connect(SampleBot()):
        replies = [
            await wire.slash(person, channel, "imagine", prompt=person.name)
            for person, channel in people
        ]
        for (person, channel), reply in zip(people, replies, strict=True):
            message = await reply.message()
            assert message.text.startswith(person.name)
            assert message.channel is channel


async def test_buttons_selects_modals_and_menus(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    async with wire.connect(SampleBot()):
        painted = await (await wire.slash(ann, channel, "imagine", prompt="x")).message()
        pressed = await (await wire.click(ann, painted, "Again")).message()
        assert pressed.text == "seed 1 again"

        offered = await (await wire.slash(ann, channel, "pick")).message()
        picked = await (await wire.select(ann, offered, "model", "large")).message()
        assert (picked.text, picked.is_ephemeral) == ("picked large", True)

        modal = await (await wire.slash(ann, channel, "describe")).modal()
        mask = ("mask.png", RED_PIXEL)
        told = await wire.submit(ann, modal, prompt="a boat", style=["Oil"], mask=[mask])
        assert (await told.message()).text == f"a boat in Oil, masks [{len(RED_PIXEL)}]"

        posted = channel.post(ann, "mine", ("mine.png", RED_PIXEL))
        varied = await (await wire.menu(ann, "Vary", posted)).message()
        assert varied.text == f"mine: {len(RED_PIXEL)} bytes"

        names = await wire.autocomplete(ann, channel, "about", "model", model="sm")
        assert [choice["name"] for choice in names] == ["small"]


async def test_direct_messages_threads_and_an_app_of_ones_own(wire: Wire) -> None:
    guild, elsewhere = wire.world.guild(), wire.world.guild("without the bot", has_bot=False)
    ann = guild.member("ann")
    traveller = elsewhere.member(wire.world.user("ben", has_installed=True))
    places = [
        (ann, wire.world.direct(ann), {"0": "0"}),
        (ann, guild.channel().thread(), {"0": str(guild.id)}),
        (traveller, elsewhere.channel(), {"1": str(traveller.id)}),
        (traveller, wire.world.direct(traveller, ann), {"1": str(traveller.id)}),
    ]
    async with wire.connect(SampleBot()):
        for person, place, owners in places:
            reply = await wire.slash(person, place, "imagine", prompt="here")
            assert (await reply.message()).channel is place
            assert reply.interaction.owners == owners
        with pytest.raises(NotOffered):
            await wire.slash(ann, wire.world.direct(ann, traveller), "imagine", prompt="x")


async def test_only_what_the_intents_give_is_read(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    bot = SampleBot()
    async with wire.connect(bot):
        channel.post(ann, "not for bots")
        channel.post(ann, f"<@{wire.world.bot.id}> but this is")
        wire.world.direct(ann).post(ann, "and this")
        async with asyncio.timeout(60):
            heard = [await bot.heard.get() for _ in range(3)]
    assert heard == ["", f"<@{wire.world.bot.id}> but this is", "and this"]


async def test_channel_sends_reactions_and_direct_messages(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    bot = SampleBot()
    async with wire.connect(bot):
        place = bot.get_channel(channel.id)
        assert isinstance(place, discord.TextChannel)
        sent = await place.send("done", file=picture(), nonce="job-1")
        await sent.add_reaction("🎨")
        await sent.edit(content="edited", attachments=sent.attachments)
        person = await bot.fetch_user(ann.id)
        await person.send("for you")
    kept = channel.messages[sent.id]
    assert (kept.text, kept.reactions) == ("edited", {"🎨": {wire.world.bot.id}})
    assert [file.data for file in kept.files] == [RED_PIXEL]
    assert wire.world.direct(ann).timeline[0].text == "for you"


async def test_a_nonce_is_honoured_for_three_minutes(wire: Wire) -> None:
    channel = wire.world.guild().channel()
    bot = SampleBot()
    async with wire.connect(bot):
        place = bot.get_channel(channel.id)
        assert isinstance(place, discord.TextChannel)
        first = await place.send("once", nonce="n")
        assert (await place.send("once", nonce="n")).id == first.id
        assert (await place.send("once", nonce="m")).id != first.id
        wire.clock.advance(179)
        assert (await place.send("once", nonce="n")).id == first.id
        wire.clock.advance(2)
        assert (await place.send("once", nonce="n")).id != first.id


async def test_links_expire_after_a_day(wire: Wire) -> None:
    guild = wire.world.guild()
    posted = guild.channel().post(guild.member("ann"), "x", ("x.png", RED_PIXEL))
    url = posted.files[0].url
    assert await wire.fetch(url) == RED_PIXEL
    wire.clock.advance(24 * 3600 + 1)
    with pytest.raises(Exception, match="404"):
        await wire.fetch(url)
    assert await wire.fetch(posted.files[0].url) == RED_PIXEL
    with pytest.raises(Exception, match="404"):
        await wire.fetch(posted.files[0].url.replace("hm=", "hm=0"))


async def test_avatars_come_from_the_stand_in_too(wire: Wire) -> None:
    bot = SampleBot()
    async with wire.connect(bot):
        person = await bot.fetch_user(wire.world.owner.id)
        assert (await person.display_avatar.read()).startswith(b"\x89PNG")


async def test_starting_takes_less_than_a_second(wire: Wire) -> None:
    assert wire.started_in_s < 1.0  # 13 ms when nothing else runs


async def test_an_unknown_route_is_a_violation_even_when_the_bot_swallows_it(wire: Wire) -> None:
    bot = SampleBot()
    async with wire.connect(bot):
        with wire.violations.expected(Kind.UNKNOWN_ROUTE) as seen:
            route = Route("GET", "/nothing/here")
            with pytest.raises(discord.NotFound):
                await bot.http.request(route)
        assert "GET" in seen[0].where


async def test_an_expectation_that_is_not_met_fails(wire: Wire) -> None:
    with pytest.raises(AssertionError, match="never seen"), wire.violations.expected(Kind.PING):
        pass


async def test_what_nobody_expected_fails_the_block() -> None:
    with pytest.raises(AssertionError, match="gateway: gateway"):
        async with Wire() as wire:
            wire.violations.record(Kind.GATEWAY, "gateway", "as a test")


def test_names_are_served_as_discord_serves_them() -> None:
    assert served_name("my pic (1).png") == "my_pic__1_.png"
