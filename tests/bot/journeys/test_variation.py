"""/variation and Apps > Vary: every path to a picture, every refusal, restarts, other people."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from PIL import Image

from limner.bot.ask import Kind
from tests.bot.odd_pictures import BAD, animated, saved, scene, with_parameters

from .conftest import settled
from .pictures import (
    PATIENCE_S,
    PictureBot,
    ask_of,
    distance,
    is_done,
    job_id_of,
    paint,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from limner.bot.studio import Studio
    from tests.wire.entities import Message
    from tests.wire.replies import Reply

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")

MINE = ("mine.png", saved(scene(size=(128, 128)), "PNG"))


@pytest_asyncio.fixture(loop_scope="session")
async def bot(place: Place, studio: Studio) -> AsyncIterator[PictureBot]:
    bot = PictureBot(studio)
    async with place.wire.connect(bot):
        yield bot


async def done(reply: Reply) -> Message:
    return await reply.message(is_done, timeout_s=PATIENCE_S)


async def vary(place: Place, **options: object) -> Message:
    options = {"seed": 3} | options
    return await done(
        await place.wire.slash(place.bob, place.channel, "variation", **options)  # type: ignore[arg-type]
    )


async def test_an_attached_picture_is_varied(place: Place, bot: PictureBot, studio: Studio) -> None:
    cards = [
        await vary(place, picture=MINE, strength=strength, prompt="a red heart")
        for strength in (0.4, 1.0)
    ]
    assert "strength 0.4" in cards[0].text
    assert "Variation" in cards[0].text
    assert distance(*map(shown, cards)) > 1
    ask = await ask_of(studio, cards[0])
    assert (ask.kind, ask.width, ask.height) == (Kind.VARIATION, 128, 128)


async def test_a_picture_without_words_is_varied_a_little(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    card = await vary(place, picture=MINE)
    ask = await ask_of(studio, card)
    assert (ask.prompt, ask.strength) == ("", 0.35)
    assert "(no words)" in card.text


async def test_with_new_words_it_is_varied_a_lot(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    card = await vary(place, picture=MINE, prompt="a blue star --n 2", negative="red")
    ask = await ask_of(studio, card)
    assert (ask.prompt, ask.strength, ask.count, ask.negative_prompt) == (
        "a blue star",
        0.7,
        2,
        "red",
    )
    assert len(card.gallery) == 2


async def test_a_foreign_pngs_parameters_are_read(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    card = await vary(place, picture=("other.png", with_parameters()), amount="strong")
    ask = await ask_of(studio, card)
    assert (ask.prompt, ask.negative_prompt, ask.steps) == ("a red heart", "blue", 20)
    assert ask.seed == 3
    assert ask.strength == 0.7


@pytest.mark.parametrize("form", ["{job}-2", "#{job}-2", "limner-{job}-2-seed8.png"])
async def test_a_picture_of_ones_own_is_varied_by_its_number(
    place: Place, bot: PictureBot, studio: Studio, form: str
) -> None:
    first = await paint(place, count=2, negative="fog", steps=2, aspect="3:2")
    await settled()
    card = await vary(place, source=form.format(job=job_id_of(first)))
    ask = await ask_of(studio, card)
    assert (ask.prompt, ask.negative_prompt, ask.steps) == ("a red heart", "fog", 2)
    # A little of two steps is at least one of them.
    assert (ask.seed, ask.strength) == (3, 0.5)
    job = await studio.storage.jobs.get(job_id_of(first))
    pictures = await studio.storage.images.of_job(job.id)
    assert ask.parent_picture_id == pictures[1].id
    assert (ask.width, ask.height) == (pictures[1].width, pictures[1].height)


async def test_a_link_to_a_card_names_its_picture(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    first = await paint(place)
    await settled()
    link = f"https://discord.com/channels/{place.guild.id}/{place.channel.id}/{first.id}"
    card = await vary(place, source=link, amount="subtle")
    assert f"[Variation]({link})" in card.text
    assert (await ask_of(studio, card)).prompt == "a red heart"


async def test_of_several_pictures_one_has_to_be_named(place: Place, bot: PictureBot) -> None:
    first = await paint(place, count=2)
    await settled()
    job_id = job_id_of(first)
    said = await refused(place, source=str(job_id))
    assert f"`{job_id}-1`, `{job_id}-2`" in said
    assert "no picture 3" in await refused(place, source=f"{job_id}-3")


async def refused(place: Place, **options: object) -> str:
    """The private sentence; nothing may stand in the channel afterwards."""
    before = len(place.channel.timeline)
    reply = await place.wire.slash(place.bob, place.channel, "variation", **options)  # type: ignore[arg-type]
    message = await reply.message()
    assert message.is_ephemeral
    assert len(place.channel.timeline) == before
    return message.text


async def test_private_and_foreign_pictures_do_not_exist_for_others(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    private = await paint(place, private=True)
    hidden_channel = place.guild.channel("hidden")
    hidden = await paint(place, channel=hidden_channel)
    hidden_channel.deny(place.bob, "view_channel")
    elsewhere = place.wire.world.guild("another")
    foreign = await paint(place, elsewhere.member(place.alice), elsewhere.channel("there"))
    await settled()
    for card in (private, hidden, foreign):
        assert "no such picture" in await refused(place, source=str(job_id_of(card)))
    link = f"https://discord.com/channels/{elsewhere.id}/{foreign.channel.id}/{foreign.id}"
    assert "no such picture" in await refused(place, source=link)
    # Its owner has it wherever she is.
    own = await place.wire.slash(
        place.alice, place.channel, "variation", source=str(job_id_of(private)), private=True
    )
    assert (await done(own)).is_ephemeral


async def test_a_deleted_picture_is_not_found(place: Place, bot: PictureBot) -> None:
    first = await paint(place)
    await settled()
    await place.wire.click(place.alice, first, "Delete")
    await place.wire.until(lambda: first.is_deleted, "the card's deletion")
    assert "no such picture" in await refused(place, source=str(job_id_of(first)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "Say one picture"),
        ({"picture": MINE, "source": "1"}, "Say one picture"),
        ({"source": "the red one"}, "number on its card"),
        ({"source": "999999999"}, "no such picture"),
        ({"source": "https://example.com/a.png"}, "number on its card"),
        ({"source": "https://discord.com/channels/1/2/3"}, "Apps > Vary"),
        ({"picture": MINE, "prompt": "{red, blue} heart"}, "One prompt at a time"),
        ({"picture": MINE, "prompt": "a --sed 7"}, "did you mean --seed"),
        ({"picture": MINE, "prompt": "a", "strength": 0.0}, "trength"),
    ],
)
async def test_what_cannot_be_varied_is_refused_privately(
    place: Place, bot: PictureBot, studio: Studio, options: dict[str, object], sentence: str
) -> None:
    before = await studio.storage.jobs.counts()
    assert sentence in await refused(place, **options)
    assert await studio.storage.jobs.counts() == before


async def test_an_odd_file_is_refused_after_the_placeholder(place: Place, bot: PictureBot) -> None:
    reply = await place.wire.slash(
        place.bob, place.channel, "variation", picture=("a.png", b"PK\x03\x04 no picture")
    )
    await reply.deleted()
    told = await reply.followup()
    assert told.is_ephemeral
    assert "ZIP" in told.text
    assert place.channel.timeline == []


async def test_none_of_the_odd_files_paints_by_accident(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    before = await studio.storage.jobs.counts()
    for name, make in BAD.items():
        # Its name lies too.
        reply = await place.wire.slash(
            place.bob, place.channel, "variation", picture=("photo.jpg", make()), prompt="a heart"
        )
        await reply.deleted()
        told = await reply.followup()
        assert told.is_ephemeral, name
        assert told.text.endswith("."), name
    assert place.channel.timeline == []
    assert await studio.storage.jobs.counts() == before


# Apps > Vary


async def test_anybodys_posted_picture_is_varied_from_its_menu(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    posted = place.channel.post(
        place.alice, "look", MINE, ("notes.txt", b"x"), ("two.webp", saved(scene(), "WEBP"))
    )
    modal = await (await place.wire.menu(place.bob, "Vary", posted)).modal()
    fields = {c["component"]["custom_id"]: c["component"] for c in modal.form["components"]}
    assert [option["label"] for option in fields["which"]["options"]] == [
        "1. mine.png · 128×128",
        "2. two.webp · 64×48",
    ]
    reply = await place.wire.submit(
        place.bob, modal, which=["2"], amount="subtle", prompt="a heart", private=False
    )
    card = await done(reply)
    ask = await ask_of(studio, card)
    assert (ask.prompt, ask.strength) == ("a heart", 0.35)
    assert ask.width is not None
    assert ask.height is not None
    assert ask.width > ask.height


async def test_a_card_of_our_own_is_varied_from_its_menu_by_who_sees_it(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    first = await paint(place, count=2, negative="fog")
    await settled()
    modal = await (await place.wire.menu(place.bob, "Vary", first)).modal()
    fields = {c["component"]["custom_id"]: c["component"] for c in modal.form["components"]}
    assert fields["prompt"]["value"] == "a red heart"
    assert "seed 8" in fields["which"]["options"][1]["label"]
    reply = await place.wire.submit(
        place.bob, modal, which=["2"], amount="strong", prompt="a red heart", private=True
    )
    card = await done(reply)
    assert card.is_ephemeral
    ask = await ask_of(studio, card)
    pictures = await studio.storage.images.of_job(job_id_of(first))
    assert ask.parent_picture_id == pictures[1].id
    assert ask.negative_prompt == "fog"


async def test_a_message_without_a_picture_says_so(place: Place, bot: PictureBot) -> None:
    posted = place.channel.post(place.alice, "no picture", ("notes.txt", b"x"))
    told = await (await place.wire.menu(place.bob, "Vary", posted)).message()
    assert told.is_ephemeral
    assert "no uploaded picture" in told.text


async def test_a_modal_of_before_a_restart_still_works_on_our_own_card(
    place: Place, studio: Studio
) -> None:
    async with place.wire.connect(PictureBot(studio)):
        first = await paint(place)
        await settled()
        own = await (await place.wire.menu(place.bob, "Vary", first)).modal()
        posted = place.channel.post(place.alice, "look", MINE)
        other = await (await place.wire.menu(place.bob, "Vary", posted)).modal()
    async with place.wire.connect(PictureBot(studio)):
        reply = await place.wire.submit(
            place.bob, own, amount="subtle", prompt="a green heart", private=False
        )
        assert "**a green heart**" in (await done(reply)).text
        reply = await place.wire.submit(
            place.bob, other, amount="subtle", prompt="a heart", private=False
        )
        told = await reply.message()
        assert told.is_ephemeral
        assert "restarted" in told.text


async def test_a_large_picture_of_another_shape_is_cropped_to_the_models(
    place: Place, bot: PictureBot
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (900, 300), "red").save(file, "PNG")
    card = await vary(place, picture=("wide.png", file.getvalue()))
    (picture,) = card.gallery
    assert picture.width > 2 * picture.height
    square = await vary(place, picture=("wide.png", file.getvalue()), prompt="a star --ar 1:1")
    assert "cropped to the shape of 128×128" in square.text


async def test_what_was_done_to_a_picture_stands_on_the_card(place: Place, bot: PictureBot) -> None:
    card = await vary(place, picture=("moving.gif", animated("GIF")))
    assert "first frame" in card.text
