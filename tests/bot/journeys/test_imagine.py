"""/imagine from the typed command to the card, and everything that can be pressed on it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from limner.bot.ask import Ask
from limner.bot.underlay import STRONG, SUBTLE
from limner.storage.records import JobStatus

from .cards import PATIENCE_S, answer, is_done, job_id_of, menu_of, paint, picked
from .conftest import settled

if TYPE_CHECKING:
    from limner.bot.studio import Studio

    from .conftest import Place, StudioBot

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_command_becomes_a_card_with_its_picture(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    message = await paint(place, prompt="a *red* heart <@1>", negative="blue")
    (picture,) = message.gallery
    image = Image.open(io.BytesIO(picture.data))
    assert (image.format, image.size) == ("PNG", (128, 128))
    assert "Seed 7" in message.text
    assert r"**a \*red\* heart \<\@1\>**" in message.text
    assert "without blue" in message.text
    assert f"<@{place.alice.id}>" in message.text
    assert message.pinged_user_ids == []
    assert message.is_v2

    await settled()
    job = await studio.storage.jobs.get(job_id_of(message))
    assert job.status is JobStatus.DELIVERED
    assert job.new.origin.message_id == message.id
    (stored,) = await studio.storage.images.of_job(job.id)
    assert await studio.storage.images.read(stored.sha256) == picture.data
    assert stored.seed == 7
    ask = Ask.from_json(job.new.request_json)
    assert (ask.prompt, ask.negative_prompt, ask.steps) == ("a *red* heart <@1>", "blue", 3)


async def test_paint_again_paints_for_whoever_presses_it_with_new_seeds(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    first = await paint(place)
    reply = await place.wire.click(place.bob, first, "Paint again")
    again = await reply.message(is_done, timeout_s=PATIENCE_S)
    assert again is not first
    assert is_done(first)
    assert f"<@{place.bob.id}>" in again.text
    await settled()
    old, new = [await studio.storage.jobs.get(job_id_of(m)) for m in (first, again)]
    assert new.new.origin.user_id == place.bob.id
    assert new.new.prompt == old.new.prompt
    assert new.new.seed != old.new.seed


async def test_several_pictures_have_a_seed_and_a_menu_each(place: Place, bot: StudioBot) -> None:
    message = await paint(place, count=3)
    assert len(message.gallery) == 3
    assert "Seeds 7, 8, 9" in message.text
    menus = [c for c in message.walk() if c["type"] == 3]
    assert [menu["placeholder"] for menu in menus] == [
        "Picture 1 · seed 7",
        "Picture 2 · seed 8",
        "Picture 3 · seed 9",
    ]
    assert "inpaint" not in {option["value"] for option in menus[0]["options"]}


async def test_exactly_again_gives_the_same_picture(place: Place, bot: StudioBot) -> None:
    first = await paint(place, count=2)
    again = await picked(place, place.alice, first, "again", 1)
    assert "Seed 8" in again.text
    before, after = [
        Image.open(io.BytesIO(data)).tobytes()
        for data in (first.gallery[1].data, again.gallery[0].data)
    ]
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= 2


@pytest.mark.parametrize(("choice", "strength"), [("subtle", SUBTLE), ("strong", STRONG)])
async def test_a_variation_links_to_its_parent_and_looks_like_it(
    place: Place, bot: StudioBot, studio: Studio, choice: str, strength: float
) -> None:
    first = await paint(place)
    varied = await picked(place, place.bob, first, choice)
    link = f"https://discord.com/channels/{place.guild.id}/{place.channel.id}/{first.id}"
    assert f"[Variation]({link})" in varied.text
    assert f"strength {strength:g}" in varied.text
    await settled()
    job = await studio.storage.jobs.get(job_id_of(varied))
    (picture,) = await studio.storage.images.of_job(job_id_of(first))
    assert job.new.parent_picture_id == picture.id


async def test_parameters_come_as_text_to_one_alone(place: Place, bot: StudioBot) -> None:
    first = await paint(place, prompt="a red heart ``` x", steps=2)
    reply = await place.wire.select(place.bob, first, menu_of(first), "parameters")
    told = await answer(place, reply)
    assert told.is_ephemeral
    assert "seed: 7\nsize: 128x128\nsteps: 2\n" in told.text
    assert told.text.count("```") == 2
    (file,) = told.files
    assert b"/imagine prompt: a red heart ``` x --w 128 --h 128 --seed 7 --steps 2" in file.data


async def test_a_favourite_is_its_owners(place: Place, bot: StudioBot, studio: Studio) -> None:
    first = await paint(place)
    refused = await place.wire.select(place.bob, first, menu_of(first), "favourite")
    assert "Only who asked" in (await answer(place, refused)).text
    for is_favourite in (True, False):
        kept = await place.wire.select(place.alice, first, menu_of(first), "favourite")
        assert "favourite" in (await answer(place, kept)).text
        (picture,) = await studio.storage.images.of_job(job_id_of(first))
        assert picture.is_favourite is is_favourite


async def test_a_picture_is_sent_as_a_direct_message(place: Place, bot: StudioBot) -> None:
    first = await paint(place)
    await place.wire.select(place.bob, first, menu_of(first), "send")
    sent = await place.wire.message(place.wire.world.direct(place.bob))
    assert [file.data for file in sent.files] == [first.gallery[0].data]


async def test_closed_direct_messages_are_said_kindly(place: Place, bot: StudioBot) -> None:
    shy = place.guild.member(place.wire.world.user("shy", is_open=False))
    first = await paint(place)
    reply = await place.wire.select(shy, first, menu_of(first), "send")
    assert "direct messages" in (await reply.followup()).text


async def test_a_remix_starts_from_the_prompt_and_takes_flags(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    first = await paint(place, negative="blue")
    modal = await (await place.wire.click(place.bob, first, "Remix")).modal()
    fields = {c["component"]["custom_id"]: c["component"] for c in modal.form["components"]}
    assert fields["prompt"]["value"] == "a red heart"
    assert fields["negative"]["value"] == "blue"
    reply = await place.wire.submit(
        place.bob, modal, prompt="a green heart --steps 2 --seed 5", negative=""
    )
    remixed = await reply.message(is_done, timeout_s=PATIENCE_S)
    assert "**a green heart**" in remixed.text
    assert "2 steps" in remixed.text
    assert "Seed 5" in remixed.text
    assert "without" not in remixed.text


async def test_delete_is_for_the_owner_and_for_moderators(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    for who in (place.alice, place.moderator):
        message = await paint(place)
        refused = await place.wire.click(place.bob, message, "Delete")
        assert "Only" in (await refused.message()).text
        assert not message.is_deleted
        await settled()
        await place.wire.click(who, message, "Delete")
        await place.wire.until(lambda card=message: card.is_deleted, "the card's deletion")
        pictures = await studio.storage.images.of_job(job_id_of(message))
        assert all(picture.is_deleted for picture in pictures)


async def test_a_private_painting_is_seen_by_one_alone(place: Place, bot: StudioBot) -> None:
    message = await paint(place, private=True)
    assert message.is_ephemeral
    assert place.channel.timeline == []
    again = await place.wire.click(place.alice, message, "Paint again")
    assert (await again.message(is_done, timeout_s=PATIENCE_S)).is_ephemeral


async def test_flags_in_the_prompt_count_and_options_win(place: Place, bot: StudioBot) -> None:
    message = await paint(
        place,
        prompt="a heart --steps 2 --ar 3:2 --no clouds —seed 99",
        aspect="2:3",
        negative="fog",
    )
    assert "Seed 7" in message.text
    assert "2 steps" in message.text
    assert "104×152" in message.text
    assert "without fog, clouds" in message.text
    assert message.gallery[0].width == 104


async def test_a_picture_to_paint_over_sets_the_shape(place: Place, bot: StudioBot) -> None:
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "red").save(file, "PNG")
    message = await paint(place, image=("me.png", file.getvalue()), strength=0.5)
    assert (message.gallery[0].width, message.gallery[0].height) == (152, 104)
    assert "strength 0.5" in message.text
    assert "Over a picture" in message.text


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"prompt": "   "}, "prompt is empty"),
        ({"prompt": "x" * 1001}, "Shorten it"),
        ({"prompt": "a --sed 7"}, "did you mean --seed"),
        ({"prompt": "a", "aspect": "wide"}, "512x768"),
        ({"prompt": "a", "model": "hose"}, "did you mean 'house'"),
        ({"prompt": "a", "steps": 999}, "Steps go from 1 to 100"),
        ({"prompt": "a", "strength": 0.5}, "add one"),
        ({"prompt": "a", "aspect": "4000x4000"}, "larger than"),
    ],
)
async def test_what_cannot_be_painted_is_refused_privately_and_costs_nothing(
    place: Place, bot: StudioBot, studio: Studio, options: dict[str, object], sentence: str
) -> None:
    before = await studio.storage.jobs.counts()
    reply = await place.wire.slash(place.alice, place.channel, "imagine", **options)  # type: ignore[arg-type]
    refusal = await reply.message()
    assert refusal.is_ephemeral
    assert sentence in refusal.text
    assert place.channel.timeline == []
    assert await studio.storage.jobs.counts() == before


async def test_a_refusal_after_the_acknowledgement_takes_the_placeholder_away(
    place: Place, bot: StudioBot
) -> None:
    reply = await place.wire.slash(
        place.alice, place.channel, "imagine", prompt="a", image=("me.png", b"no picture at all")
    )
    await reply.deleted()
    refusal = await reply.followup()
    assert refusal.is_ephemeral
    assert place.channel.timeline == []
