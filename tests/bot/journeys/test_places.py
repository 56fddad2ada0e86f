"""Where one can paint: servers, threads, direct messages, and wherever a person brings the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bot.odd_pictures import saved, scene

from .cards import answer, ask, done, is_done, job_id_of, menu_of, paint, picked
from .conftest import settled
from .pictures import PictureBot

if TYPE_CHECKING:
    from limner.bot.studio import Studio

    from .conftest import Place, StudioBot

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_in_a_thread(place: Place, bot: StudioBot) -> None:
    thread = place.channel.thread()
    reply = await place.wire.slash(place.alice, thread, "imagine", prompt="a red heart")
    message = await done(reply)
    assert message.channel is thread
    again = await done(await place.wire.click(place.bob, message, "Paint again"))
    assert again.channel is thread


async def test_in_a_direct_message(place: Place, bot: StudioBot, studio: Studio) -> None:
    direct = place.wire.world.direct(place.alice)
    message = await done(await place.wire.slash(place.alice, direct, "imagine", prompt="a heart"))
    assert message.channel is direct
    await settled()
    await place.wire.click(place.alice, message, "Delete")
    await place.wire.until(lambda: message.is_deleted, "the card's deletion")


async def test_where_a_person_brought_the_bot_along(place: Place, bot: StudioBot) -> None:
    world = place.wire.world
    guild = world.guild("elsewhere", has_bot=False)
    carol = guild.member(world.user("carol", has_installed=True))
    message = await done(
        await place.wire.slash(carol, guild.channel(), "imagine", prompt="a heart")
    )
    again = await done(await place.wire.click(carol, message, "Paint again"))
    assert is_done(again)


async def test_a_persons_own_app_paints_varies_and_inpaints_in_other_servers_and_private_groups(
    place: Place, studio: Studio
) -> None:
    """The bot is a member of neither; each card goes on being edited by the interaction alone."""
    world = place.wire.world
    carol = world.user("carol", has_installed=True)
    friend = world.user("friend", has_installed=True)
    elsewhere = world.guild("elsewhere", has_bot=False)
    elsewhere.member(carol)
    mine = ("mine.png", saved(scene(size=(128, 128)), "PNG"))
    async with place.wire.connect(PictureBot(studio)):
        for channel in (elsewhere.channel(), world.direct(carol, friend)):
            first = await done(await place.wire.slash(carol, channel, "imagine", prompt="a heart"))
            await settled()
            varied = [
                await done(await place.wire.slash(carol, channel, "variation", **options))
                for options in ({"picture": mine}, {"source": str(job_id_of(first))})
            ]
            look = await place.wire.slash(
                carol, channel, "inpaint", prompt="a star", picture=mine, area="left half"
            )
            preview = await look.message(lambda m: "Invert" in m.buttons)
            paint_it = await place.wire.click(carol, preview, "Paint")
            inpainted = await answer(place, paint_it, is_done, is_update=False)
            assert "Inpainting" in inpainted.text
            assert inpainted.channel is channel
            for card in (*varied, await picked(place, carol, first, "strong")):
                assert "Variation" in card.text
                assert card.channel is channel
                assert not card.is_ephemeral
        # In a group, a friend sees the card and may go on from it; carol's words come along.
        again = await done(await place.wire.click(friend, first, "Paint again"))
        assert f"<@{friend.id}>" in again.text
        assert "**a heart**" in again.text
        await settled()


async def test_two_people_in_two_servers_at_once(place: Place, bot: StudioBot) -> None:
    other = place.wire.world.guild("second")
    carol, channel = other.member("carol"), other.channel()
    replies = [
        await ask(place, prompt="a red heart"),
        await place.wire.slash(carol, channel, "imagine", prompt="a green star"),
        await ask(place, place.bob, prompt="a blue moon", private=True),
    ]
    texts = [(await done(reply)).text for reply in replies]
    for text, words in zip(texts, ("a red heart", "a green star", "a blue moon"), strict=True):
        assert text.startswith(f"**{words}**")
    assert len(place.channel.timeline) == len(channel.timeline) == 1


@pytest.mark.parametrize("permission", ["attach_files", "send_messages"])
async def test_where_the_bot_may_not_post_it_refuses_before_painting(
    place: Place, bot: StudioBot, studio: Studio, permission: str
) -> None:
    place.channel.deny(place.wire.world.bot, permission)
    before = await studio.storage.jobs.counts()
    refusal = await (await ask(place)).message()
    assert refusal.is_ephemeral
    assert permission.replace("_", " ").title() in refusal.text
    assert await studio.storage.jobs.counts() == before


async def test_a_button_refuses_there_too(place: Place, bot: StudioBot) -> None:
    message = await paint(place)
    await settled()
    place.channel.deny(place.wire.world.bot, "send_messages")
    reply = await place.wire.click(place.bob, message, "Paint again")
    await reply.deleted()
    assert (await reply.followup()).is_ephemeral
    reply = await place.wire.select(place.bob, message, menu_of(message), "again")
    refusal = await answer(place, reply)
    assert refusal.is_ephemeral
    assert "Send Messages" in refusal.text
