"""An id opens nothing: what is not somebody's to see stays shut, whatever they name or press.

Custom ids are forged here on the message itself, as no client of Discord's could.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from limner.storage.records import JobStatus

from .cards import PATIENCE_S, ask, menu_of, paint
from .conftest import settled
from .pictures import PictureBot, job_id_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from limner.bot.studio import Studio
    from tests.wire.entities import Message, User
    from tests.wire.replies import Reply

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "a secret heart"
GONE = 999_999_999


@pytest_asyncio.fixture(loop_scope="session")
async def bot(place: Place, studio: Studio) -> AsyncIterator[PictureBot]:
    bot = PictureBot(studio)
    async with place.wire.connect(bot):
        yield bot


def forge(message: Message, old: str, new: str) -> str:
    component = message.component(old)
    assert component is not None
    component["custom_id"] = new
    return new


async def hidden_from_bob(place: Place) -> list[Message]:
    """Another server's card, a private one, one of a channel that he can't see, one of a private
    thread that nobody let him into."""
    elsewhere = place.wire.world.guild("another")
    hidden = place.guild.channel("hidden")
    hidden.deny(place.bob, "view_channel")
    cards = [
        await (
            await place.wire.slash(person, channel, "imagine", prompt=SECRET, private=is_private)
        ).message(lambda m: m.gallery, timeout_s=PATIENCE_S)
        for person, channel, is_private in (
            (elsewhere.member("carol"), elsewhere.channel("there"), False),
            (place.alice, place.channel, True),
            (place.alice, hidden, False),
            (place.alice, place.channel.thread("among friends", is_private=True), False),
        )
    ]
    await settled()
    return cards


async def said_to(reply: Reply) -> str:
    """The one private sentence."""

    def told() -> list[Message]:
        asked = reply.interaction
        answers = [m for m in (asked.original, *asked.followups) if m and m is not asked.source]
        return [m for m in answers if not m.is_deleted and not m.is_loading]

    (message,) = await reply.world.changes.until(told, "a sentence", PATIENCE_S)
    assert message.is_ephemeral
    assert message.gallery == []
    assert message.files == []
    assert SECRET not in message.text
    assert "\n" not in message.text
    assert message.text.endswith(".")
    return message.text


async def test_a_forged_menu_of_a_picture_that_is_not_ones_own_to_see_opens_nothing(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    card = await paint(place)
    menu = menu_of(card)
    ids = [
        (await studio.storage.images.of_job(job_id_of(foreign)))[0].id
        for foreign in await hidden_from_bob(place)
    ]
    before = await studio.storage.jobs.counts()
    shown = len(place.channel.timeline)
    for picture_id in (*ids, GONE):
        menu = forge(card, menu, f"limner1:picture:{picture_id}:0")
        for choice in ("subtle", "strong", "inpaint", "again", "parameters", "favourite", "send"):
            reply = await place.wire.select(place.bob, card, menu, choice)
            assert "gone" in await said_to(reply), choice
    assert await studio.storage.jobs.counts() == before
    assert len(place.channel.timeline) == shown
    assert place.wire.world.direct(place.bob).timeline == []


async def test_forged_buttons_of_a_job_that_is_not_ones_own_to_see_do_nothing(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    card = await paint(place)
    buttons = dict(card.buttons)
    cards = await hidden_from_bob(place)
    before = await studio.storage.jobs.counts()
    for job_id in (*map(job_id_of, cards), GONE):
        for label, verb in (("Paint again", "again"), ("Remix", "remix")):
            buttons[label] = forge(card, buttons[label], f"limner1:{verb}:{job_id}:0")
            reply = await place.wire.click(place.bob, card, buttons[label])
            assert "no longer know" in await said_to(reply)
    for foreign in cards:
        # As if bob, or this server's moderator where she keeps no order, were its owner.
        is_elsewhere = foreign.channel.guild is not place.guild or foreign.is_ephemeral
        for person in (place.bob, place.moderator) if is_elsewhere else (place.bob,):
            forged = f"limner1:delete:{job_id_of(foreign)}:{person.id}"
            buttons["Delete"] = forge(card, buttons["Delete"], forged)
            reply = await place.wire.click(person, card, "Delete")
            told = await reply.followup()
            assert told.is_ephemeral
            assert "no such picture" in told.text
        pictures = await studio.storage.images.of_job(job_id_of(foreign))
        assert not any(picture.is_deleted for picture in pictures)
    assert not card.is_deleted
    assert await studio.storage.jobs.counts() == before


async def test_a_forged_cancel_stops_nobody_elses_painting(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    card = await paint(place)
    studio.pool.pause()
    try:
        reply = await ask(place, private=True)
        running = await reply.message(lambda m: "Cancel" in m.buttons, timeout_s=PATIENCE_S)
        job_id = job_id_of(running)
        forge(card, card.buttons["Delete"], f"limner1:cancel:{job_id}:{place.bob.id}")
        refused = await place.wire.click(place.bob, card, "Delete")
        assert "no such picture" in (await refused.followup()).text
        assert (await studio.storage.jobs.get(job_id)).status is not JobStatus.CANCELLED
    finally:
        studio.pool.resume()
    await reply.message(lambda m: m.gallery, timeout_s=PATIENCE_S)
    await settled()


@pytest.mark.parametrize("command", ["variation", "inpaint"])
async def test_naming_what_is_not_ones_own_to_see_finds_nothing(
    place: Place, bot: PictureBot, studio: Studio, command: str
) -> None:
    cards = await hidden_from_bob(place)
    before = await studio.storage.jobs.counts()
    more: dict[str, object] = {"area": "left half"} if command == "inpaint" else {}
    for card in cards:
        guild = card.channel.guild
        assert guild is not None
        link = f"https://discord.com/channels/{guild.id}/{card.channel.id}/{card.id}"
        for source in (str(job_id_of(card)), card.files[0].filename, link):
            reply = await command_of(place, place.bob, command, source=source, **more)
            assert "no such picture" in await said_to(reply)
    assert await studio.storage.jobs.counts() == before
    assert place.channel.timeline == []


async def command_of(place: Place, who: User, command: str, **options: object) -> Reply:
    return await place.wire.slash(who, place.channel, command, **options)  # type: ignore[arg-type]
