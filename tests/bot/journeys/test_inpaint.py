"""/inpaint and Apps > Inpaint: from every kind of mask over the preview to the pasted picture."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from limner.bot import masks
from limner.bot.ask import Kind
from limner.bot.drafts import Touch
from limner.storage import Allowance, Period, Rule
from limner.storage.quota_rules import Scope
from tests.bot.odd_pictures import saved, scene, see_through
from tests.wire.offers import NotOffered

from .cards import picked
from .conftest import settled
from .pictures import (
    PATIENCE_S,
    PictureBot,
    array,
    ask_of,
    is_done,
    is_preview,
    job_id_of,
    paint,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from limner.bot.studio import Studio
    from tests.wire.entities import Message, User

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = (96, 64)
SCENE = scene(size=SIZE)
MINE = ("mine.png", saved(SCENE, "PNG"))


def mask_of(box: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", SIZE, 0)
    mask.paste(255, box)
    return mask


LEFT = mask_of((0, 0, 48, 64))


@pytest_asyncio.fixture(loop_scope="session")
async def bot(place: Place, studio: Studio) -> AsyncIterator[PictureBot]:
    bot = PictureBot(studio)
    async with place.wire.connect(bot):
        yield bot


async def preview(place: Place, user: User | None = None, **options: object) -> Message:
    options = {"prompt": "a red heart", "picture": MINE} | options
    options = {name: value for name, value in options.items() if value is not None}
    reply = await place.wire.slash(
        user or place.alice,
        place.channel,
        "inpaint",
        **options,  # type: ignore[arg-type]
    )
    message = await reply.message(is_preview)
    assert message.is_ephemeral
    return message


async def refused(place: Place, **options: object) -> str:
    options = {"prompt": "a red heart", "picture": MINE} | options
    options = {name: value for name, value in options.items() if value is not None}
    reply = await place.wire.slash(place.alice, place.channel, "inpaint", **options)  # type: ignore[arg-type]
    await reply.acknowledged()

    def told() -> Message | None:
        messages = [reply.interaction.original, *reply.interaction.followups]
        texts = [m for m in messages if m is not None and not m.is_deleted and not m.is_loading]
        return texts[0] if texts else None

    message = await place.wire.until(told, "a refusal")
    assert message.is_ephemeral
    assert place.channel.timeline == []
    return message.text


async def press(place: Place, message: Message, label: str) -> Message:
    """Until the preview shows something new."""
    before = message.edited_at, message.buttons
    reply = await place.wire.click(place.alice, message, label)
    await reply.acknowledged()
    await place.wire.until(
        lambda: (message.edited_at, message.buttons) != before, "the preview's change"
    )
    return message


async def paint_it(place: Place, message: Message, user: User | None = None) -> Message:
    reply = await place.wire.click(user or place.alice, message, "Paint")
    return await place.wire.until(
        lambda: next((m for m in reply.interaction.followups if is_done(m)), None),
        "the painted card",
        PATIENCE_S,
    )


def assert_kept(card: Message, original: Image.Image, mask: Image.Image) -> None:
    """Byte for byte outside the feathered mask, and something new inside."""
    after, before, shape = array(shown(card)), array(original), np.asarray(mask)
    assert (after[shape == 0] == before[shape == 0]).all()
    assert (after[shape == 255] != before[shape == 255]).mean() > 0.5


async def test_picture_and_mask_are_previewed_and_then_painted(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    counts = await studio.storage.jobs.counts()
    message = await preview(place, mask=("mask.png", saved(LEFT, "PNG")))
    assert "50 %" in message.text
    assert "white paints and black keeps" in message.text
    assert "credit" in message.text
    look = shown(message)
    assert look.size == SIZE
    assert np.abs(array(look)[:, 60:] - array(SCENE)[:, 60:]).mean() < 5
    assert np.abs(array(look)[:, :40] - array(SCENE)[:, :40]).mean() > 20
    # Nothing was spent by looking.
    assert await studio.storage.jobs.counts() == counts
    assert place.channel.timeline == []

    card = await paint_it(place, message)
    assert not card.is_ephemeral
    assert "Inpainting" in card.text
    assert_kept(card, SCENE, Touch().apply(LEFT))
    ask = await ask_of(studio, card)
    assert (ask.kind, ask.count) == (Kind.INPAINT, 1)
    await place.wire.until(lambda: "being painted" in message.text, "the preview's farewell")


@pytest.mark.parametrize(
    ("options", "mask"),
    [
        ({"area": "left half"}, LEFT),
        ({"area": "0,0,50%,100%"}, LEFT),
        ({"colour": "red"}, masks.from_colour(SCENE, "red")),
        ({"colour": "#0000ff", "tolerance": 0}, masks.from_colour(SCENE, "blue")),
    ],
)
async def test_without_a_mask_words_or_a_colour_say_what_is_painted(
    place: Place, bot: PictureBot, options: dict[str, object], mask: Image.Image
) -> None:
    card = await paint_it(place, await preview(place, **options))
    assert_kept(card, SCENE, Touch().apply(mask))


async def test_without_anything_the_pictures_transparency_is_painted(
    place: Place, bot: PictureBot
) -> None:
    picture = see_through(SIZE)
    message = await preview(place, picture=("holes.png", saved(picture, "PNG")))
    card = await paint_it(place, message)
    mask = Touch().apply(masks.from_transparency(picture))
    assert_kept(card, Image.alpha_composite(Image.new("RGBA", SIZE, "white"), picture), mask)
    result = Image.open(io.BytesIO(card.gallery[0].data))
    assert result.getchannel("A").getextrema()[0] > 0


async def test_the_buttons_change_the_mask_that_is_painted(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    message = await preview(place, area="left half")
    for label in ("Invert", "Grow", "Grow", "Shrink", "Softer edge", "Softer edge", "Harder edge"):
        await press(place, message, label)
    touch = Touch(is_inverted=True, grow=1, feather=2)
    card = await paint_it(place, message)
    assert_kept(card, SCENE, touch.apply(LEFT))
    ask = await ask_of(studio, card)
    assert ask.canvas is not None
    kept = await studio.storage.images.read(ask.canvas.mask)
    assert Image.open(io.BytesIO(kept)).tobytes() == touch.apply(LEFT).tobytes()


async def test_a_mask_that_keeps_everything_can_be_inverted_but_not_painted(
    place: Place, bot: PictureBot
) -> None:
    black = Image.new("L", SIZE, 0)
    message = await preview(place, mask=("mask.png", saved(black, "PNG")))
    assert "keeps everything" in message.text
    assert "Paint" not in message.buttons
    await press(place, message, "Invert")
    assert "whole picture" in message.text
    assert "Paint" not in message.buttons


async def test_never_mind_takes_the_preview_away(place: Place, bot: PictureBot) -> None:
    message = await preview(place, area="left half")
    await place.wire.click(place.alice, message, "Never mind")
    await place.wire.until(lambda: message.is_deleted, "the preview's deletion")


async def test_a_restart_between_the_look_and_the_leap_loses_nothing(
    place: Place, studio: Studio
) -> None:
    async with place.wire.connect(PictureBot(studio)):
        message = await preview(place, area="left half", negative="fog", count=2)
    async with place.wire.connect(PictureBot(studio)):
        await press(place, message, "Grow")
    async with place.wire.connect(PictureBot(studio)):
        card = await paint_it(place, message)
        ask = await ask_of(studio, card)
        assert (ask.negative_prompt, ask.count) == ("fog", 2)
        assert_kept(card, SCENE, Touch(grow=1).apply(LEFT))


async def test_paint_pressed_twice_paints_once(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    message = await preview(place, area="left half")
    before = sum((await studio.storage.jobs.counts()).values())
    one, two = await asyncio.gather(
        place.wire.click(place.alice, message, "Paint"),
        place.wire.click(place.alice, message, "Paint"),
    )
    replies = [one, two]

    def finished() -> bool:
        told = [m for reply in replies for m in reply.interaction.followups]
        return any(map(is_done, told)) and any("already" in m.text for m in told)

    await place.wire.until(finished, "one card and one word", PATIENCE_S)
    assert sum((await studio.storage.jobs.counts()).values()) == before + 1


async def test_nobody_else_even_sees_the_preview(place: Place, bot: PictureBot) -> None:
    message = await preview(place, area="left half")
    with pytest.raises(NotOffered):
        await place.wire.click(place.bob, message, "Paint")
    assert place.channel.timeline == []


async def test_after_a_refusal_at_the_last_moment_it_can_be_pressed_again(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    message = await preview(place, area="left half")
    place.channel.deny(place.wire.world.bot, "attach_files")
    reply = await place.wire.click(place.alice, message, "Paint")
    assert "Attach Files" in (await reply.followup()).text
    assert "Paint" in message.buttons
    place.channel.overwrites.clear()
    await paint_it(place, message)


async def test_a_quota_used_up_meanwhile_is_told_and_the_preview_stays(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    message = await preview(place, area="left half")
    broke = Rule(Allowance(0, Period()))
    await studio.storage.rules.set(place.guild.id, Scope.USER, place.alice.id, broke, by=1)
    before = sum((await studio.storage.jobs.counts()).values())
    reply = await place.wire.click(place.alice, message, "Paint")
    assert "credit" in (await reply.followup(lambda m: "credit" in m.text)).text
    assert "Paint" in message.buttons
    assert sum((await studio.storage.jobs.counts()).values()) == before
    await studio.storage.rules.set(place.guild.id, Scope.USER, place.alice.id, None, by=1)
    await paint_it(place, message)


async def test_a_large_picture_is_painted_around_the_mask_and_kept_elsewhere(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    rng = np.random.default_rng(1)
    large = Image.fromarray(rng.integers(0, 256, (500, 700, 3), np.uint8))
    message = await preview(place, picture=("large.png", saved(large, "PNG")), area="600,20,660,60")
    card = await paint_it(place, message)
    assert shown(card).size == large.size
    mask = Image.new("L", large.size, 0)
    mask.paste(255, (600, 20, 660, 60))
    assert_kept(card, large, Touch().apply(mask))
    ask = await ask_of(studio, card)
    assert ask.canvas is not None
    left, top, right, bottom = ask.canvas.window
    assert (right - left) * (bottom - top) < 250 * 250


async def test_one_of_our_own_is_inpainted_by_its_number_and_remembers_its_words(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    first = await paint(place, negative="fog", steps=2)
    await settled()
    message = await preview(
        place, picture=None, prompt=None, source=str(job_id_of(first)), area="top half"
    )
    assert "a red heart" in message.text
    card = await paint_it(place, message)
    ask = await ask_of(studio, card)
    assert (ask.prompt, ask.negative_prompt, ask.steps) == ("a red heart", "fog", 2)
    (picture,) = await studio.storage.images.of_job(job_id_of(first))
    assert ask.parent_picture_id == picture.id
    before = Image.open(io.BytesIO(await studio.storage.images.read(picture.sha256)))
    assert (array(shown(card))[66:] == array(before)[66:]).all()
    # And what was inpainted can be varied and painted exactly again.
    await settled()
    reply = await place.wire.slash(
        place.bob, place.channel, "variation", source=str(job_id_of(card))
    )
    await reply.message(is_done, timeout_s=PATIENCE_S)
    same = await picked(place, place.bob, card, "again")
    assert np.abs(array(shown(same)) - array(shown(card))).max() <= 2


# The form


async def test_without_options_one_form_takes_picture_mask_and_prompt(
    place: Place, bot: PictureBot
) -> None:
    modal = await (await place.wire.slash(place.alice, place.channel, "inpaint")).modal()
    reply = await place.wire.submit(
        place.alice,
        modal,
        picture=[MINE],
        mask=[("mask.png", saved(LEFT, "PNG"))],
        prompt="a blue star --steps 2",
        area="",
    )
    card = await paint_it(place, await reply.message(is_preview))
    assert "**a blue star**" in card.text
    assert_kept(card, SCENE, Touch().apply(LEFT))


async def test_the_form_of_before_a_restart_is_answered(place: Place, studio: Studio) -> None:
    async with place.wire.connect(PictureBot(studio)):
        modal = await (await place.wire.slash(place.alice, place.channel, "inpaint")).modal()
    async with place.wire.connect(PictureBot(studio)):
        reply = await place.wire.submit(
            place.alice, modal, picture=[MINE], prompt="a star", area="everything red", mask=[]
        )
        card = await paint_it(place, await reply.message(is_preview))
        assert_kept(card, SCENE, Touch().apply(masks.from_colour(SCENE, "red")))


async def test_anybodys_posted_picture_is_inpainted_from_its_menu(
    place: Place, bot: PictureBot
) -> None:
    posted = place.channel.post(place.bob, "look", ("other.webp", saved(scene(), "WEBP")), MINE)
    modal = await (await place.wire.menu(place.alice, "Inpaint", posted)).modal()
    reply = await place.wire.submit(
        place.alice, modal, which=["2"], prompt="a star", area="left half", mask=[]
    )
    message = await reply.message(is_preview)
    reply = await place.wire.click(place.alice, message, "Paint")
    card = await place.wire.until(
        lambda: next((m for m in reply.interaction.followups if is_done(m)), None),
        "the card",
        PATIENCE_S,
    )
    assert_kept(card, SCENE, Touch().apply(LEFT))


async def test_a_cards_picture_menu_opens_the_form(
    place: Place, bot: PictureBot, studio: Studio
) -> None:
    first = await paint(place, count=2)
    await settled()
    menu = [c["custom_id"] for c in first.walk() if c["type"] == 3][1]
    modal = await (await place.wire.select(place.alice, first, menu, "inpaint")).modal()
    reply = await place.wire.submit(
        place.alice, modal, prompt="a star", area="right third", mask=[]
    )
    card = await paint_it(place, await reply.message(is_preview))
    pictures = await studio.storage.images.of_job(job_id_of(first))
    assert (await ask_of(studio, card)).parent_picture_id == pictures[1].id


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "Say which part"),
        ({"area": "the sky"}, "left half"),
        ({"colour": "magneta"}, "did you mean `magenta`"),
        ({"colour": "lime"}, "higher tolerance"),
        ({"area": "left half", "colour": "red"}, "once"),
        ({"picture": None, "mask": MINE}, "needs its picture"),
        ({"source": "12"}, "not both"),
        ({"mask": ("mask.png", saved(Image.new("L", (64, 64)), "PNG"))}, "same shape"),
        (
            {
                "mask": ("mask.png", b"%PDF-1.7"),
            },
            "PDF",
        ),
        ({"picture": ("a.gif", b"GIF89a"), "area": "left half"}, "cut off"),
        ({"prompt": " ", "area": "left half", "strength": 0.0}, "trength"),
    ],
)
async def test_what_cannot_be_inpainted_is_refused_privately_and_costs_nothing(
    place: Place, bot: PictureBot, studio: Studio, options: dict[str, object], sentence: str
) -> None:
    before = await studio.storage.jobs.counts()
    assert sentence in await refused(place, **options)
    assert await studio.storage.jobs.counts() == before


async def test_in_a_direct_message_and_in_a_thread_it_works_too(
    place: Place, bot: PictureBot
) -> None:
    for channel in (place.wire.world.direct(place.alice), place.channel.thread("a thread")):
        reply = await place.wire.slash(
            place.alice, channel, "inpaint", prompt="a star", picture=MINE, area="left half"
        )
        card = await paint_it(place, await reply.message(is_preview))
        assert card.channel is channel


async def test_a_private_inpainting_stays_private(place: Place, bot: PictureBot) -> None:
    card = await paint_it(place, await preview(place, area="left half", private=True))
    assert card.is_ephemeral
    assert place.channel.timeline == []
