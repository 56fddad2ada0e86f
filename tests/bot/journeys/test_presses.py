"""Cards pressed twice, by two at once, by others, after a restart; questions and their answers."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from limner.storage.records import JobStatus
from tests.wire.entities import Acknowledgement

from .cards import PATIENCE_S, answer, ask, done, is_done, job_id_of, menu_of, paint
from .conftest import StudioBot, settled

if TYPE_CHECKING:
    from limner.bot.studio import Studio
    from tests.wire.entities import Message

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")


def is_waiting(message: Message) -> bool:
    return "Cancel" in message.buttons


async def test_cancel_is_for_the_owner_and_for_moderators(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    for who in (place.alice, place.moderator):
        reply = await ask(place, steps=100, count=4)
        card = await reply.message(is_waiting, timeout_s=PATIENCE_S)
        job_id = job_id_of(card)
        refused = await place.wire.click(place.bob, card, "Cancel")
        assert f"Only <@{place.alice.id}>" in (await refused.message()).text
        await place.wire.click(who, card, "Cancel")
        card = await reply.message(lambda m: "Cancelled" in m.text, timeout_s=PATIENCE_S)
        assert card.gallery == []
        await settled()
        job = await studio.storage.jobs.get(job_id)
        assert job.status is JobStatus.CANCELLED
        assert await studio.storage.ledger.balance(place.alice.id, place.guild.id) is not None
        again = await done(await place.wire.click(place.bob, card, "Paint again"))
        assert is_done(again)


async def test_who_waits_sees_their_place_and_can_leave_the_queue(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    studio.pool.pause()
    try:
        replies = [await ask(place, who) for who in (place.alice, place.bob)]
        cards = [await reply.message(is_waiting, timeout_s=PATIENCE_S) for reply in replies]
        # Who has used less is next, whoever came first.
        said = sorted(card.text.splitlines()[1].split(" · ")[0] for card in cards)
        assert said == ["Next in the queue", "Place 2 in the queue"]
        await place.wire.click(place.bob, cards[1], "Cancel")
        await replies[1].message(lambda m: "Cancelled." in m.text, timeout_s=PATIENCE_S)
    finally:
        studio.pool.resume()
    assert is_done(await done(replies[0]))


async def test_cancelling_what_has_ended_says_so(place: Place, bot: StudioBot) -> None:
    reply = await ask(place, steps=50)
    card = await reply.message(is_waiting, timeout_s=PATIENCE_S)
    cancel = card.buttons["Cancel"]
    clicks = [await place.wire.click(place.alice, card, cancel) for _ in range(2)]
    texts = [message.text for click in clicks for message in click.interaction.followups]
    await reply.message(lambda m: "Cancelled" in m.text, timeout_s=PATIENCE_S)
    assert all("nothing left" in text for text in texts)


async def test_two_people_at_once_get_a_picture_each(place: Place, bot: StudioBot) -> None:
    card = await paint(place)
    replies = [await place.wire.click(who, card, "Paint again") for who in (place.alice, place.bob)]
    first, second = [await done(reply) for reply in replies]
    assert f"<@{place.alice.id}>" in first.text
    assert f"<@{place.bob.id}>" in second.text


async def test_delete_pressed_by_two_at_once_is_one_deletion(place: Place, bot: StudioBot) -> None:
    card = await paint(place)
    await settled()
    for who in (place.alice, place.moderator):
        await place.wire.click(who, card, "Delete")
    await place.wire.until(lambda: card.is_deleted, "the card's deletion")


async def test_everything_on_a_card_works_after_a_restart_before_any_new_card(
    place: Place, studio: Studio
) -> None:
    async with place.wire.connect(StudioBot(studio)):
        card = await paint(place)
        modal = await (await place.wire.click(place.alice, card, "Remix")).modal()
        await settled()
    for press in ("again", "menu", "remix", "modal", "delete"):
        # A bot that has not sent a card yet: sending one would register its items by itself.
        async with place.wire.connect(StudioBot(studio)):
            match press:
                case "again":
                    await done(await place.wire.click(place.bob, card, "Paint again"))
                case "menu":
                    reply = await place.wire.select(place.bob, card, menu_of(card), "parameters")
                    assert "seed: 7" in (await answer(place, reply)).text
                case "remix":
                    reply = await place.wire.click(place.bob, card, "Remix")
                    assert (await reply.modal()).title == "Remix"
                case "modal":
                    # The form was opened before the restart, and is sent after it.
                    reply = await place.wire.submit(place.alice, modal, prompt="a star")
                    assert "**a star**" in (await done(reply)).text
                case _:
                    await place.wire.click(place.alice, card, "Delete")
                    await place.wire.until(lambda: card.is_deleted, "the card's deletion")
            await settled()


async def question(place: Place, prompt: str, **options: object) -> Message:
    reply = await place.wire.slash(
        place.alice,
        place.channel,
        "imagine",
        prompt=prompt,
        **options,  # type: ignore[arg-type]
    )
    return await reply.message(timeout_s=PATIENCE_S)


async def test_permutations_are_asked_about_before_they_cost_anything(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    before = await studio.storage.jobs.counts()
    asked = await question(place, "a {red, green} {heart, star} --n 2", steps=6)
    assert asked.is_ephemeral
    assert "4 prompts, 8 pictures, 16 credits." in asked.text
    assert "- a green star" in asked.text
    assert await studio.storage.jobs.counts() == before
    await place.wire.click(place.alice, asked, "Never mind")
    await place.wire.until(lambda: asked.is_deleted, "the question's deletion")
    assert await studio.storage.jobs.counts() == before


async def test_a_confirmed_question_paints_each_prompt_once(place: Place, bot: StudioBot) -> None:
    asked = await question(place, "a {red, green} `heart`", seed=7, steps=2)
    presses = [await place.wire.click(place.alice, asked, "Paint them") for _ in range(2)]
    cards = [
        await place.wire.message(
            place.channel, lambda m, w=words: is_done(m) and m.text.startswith(w)
        )
        for words in (r"**a red \`heart\`**", r"**a green \`heart\`**")
    ]
    for card in cards:
        assert "Seed 7" in card.text
        assert "2 steps" in card.text
    await settled()
    assert len(place.channel.timeline) == 2
    said = [m.text for press in presses for m in press.interaction.followups if m.is_ephemeral]
    assert all(text == "These are under way already." for text in said)
    assert "2 of 2 prompts are under way." in asked.text


async def test_a_confirmed_question_is_acknowledged_before_it_is_judged(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    asked = await question(place, "a {red, green} heart", steps=2)
    async with studio.rules.changing(place.guild.id):
        studio.rules.forget()
        reply = await place.wire.click(place.alice, asked, "Paint them")
        assert await reply.acknowledged() is Acknowledgement.DEFERRED_UPDATE
        await studio.storage.guilds.change_settings(
            place.guild.id, lambda old: replace(old, is_paused=True), by=place.bob.id
        )
    refusal = await reply.followup(lambda m: m.is_ephemeral)
    assert "paused" in refusal.text
    # Nothing was spent, so it may be pressed again.
    async with studio.rules.changing(place.guild.id):
        await studio.storage.guilds.change_settings(
            place.guild.id, lambda old: replace(old, is_paused=False), by=place.bob.id
        )
    await place.wire.click(place.alice, asked, "Paint them")
    await place.wire.until(lambda: "2 of 2 prompts" in asked.text, "the question's answer")
    await settled()


async def test_several_prompts_go_over_one_picture(place: Place, bot: StudioBot) -> None:
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "red").save(file, "PNG")
    image = ("me.png", file.getvalue())
    asked = await question(place, "a {red, green} heart", image=image, strength=0.7)
    assert "2 prompts, 2 pictures" in asked.text
    await place.wire.click(place.alice, asked, "Paint them")
    for words in ("**a red heart**", "**a green heart**"):
        card = await place.wire.message(
            place.channel, lambda m, w=words: is_done(m) and m.text.startswith(w)
        )
        assert "Over a picture" in card.text
        assert "strength 0.7" in card.text
        assert (card.gallery[0].width, card.gallery[0].height) == (152, 104)
    await settled()


async def test_of_several_prompts_what_the_queue_takes_is_painted(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    asked = await question(place, "a {red, green} heart --repeat 8")
    studio.pool.pause()
    try:
        reply = await place.wire.click(place.alice, asked, "Paint them")
        refusal = await reply.followup(lambda m: m.is_ephemeral)
        assert "10 jobs waiting already" in refusal.text
        await place.wire.until(
            lambda: "10 of 16 prompts are under way." in asked.text, "the question's answer"
        )
        assert len([m for m in place.channel.timeline if is_waiting(m)]) == 10
    finally:
        studio.pool.resume()
    await settled()


async def test_a_question_is_answered_after_a_restart(place: Place, studio: Studio) -> None:
    async with place.wire.connect(StudioBot(studio)):
        asked = await question(place, "a {red, green} heart")
    async with place.wire.connect(StudioBot(studio)):
        await place.wire.click(place.alice, asked, "Paint them")
        for words in ("**a red heart**", "**a green heart**"):
            await place.wire.message(
                place.channel, lambda m, w=words: is_done(m) and m.text.startswith(w)
            )
        await settled()


async def test_suggestions_come_from_memory(place: Place, bot: StudioBot) -> None:
    wire = place.wire

    async def names(focused: str, typed: str, **filled: object) -> list[str]:
        values = {"prompt": "x", focused: typed} | filled
        found = await wire.autocomplete(place.alice, place.channel, "imagine", focused, **values)  # type: ignore[arg-type]
        return [choice["name"] for choice in found]

    assert await names("model", "") == ["house", "sketch"]
    assert await names("model", "TCH") == ["sketch"]
    assert await names("style", "i") == ["ink"]
    assert (await names("sampler", "eul"))[0] == "euler"
    assert "3:2 · 152×104" in await names("aspect", "")


async def test_a_long_prompt_is_shortened_and_whole_in_a_file(place: Place, bot: StudioBot) -> None:
    prompt = "*" * 700 + " heart"
    card = await paint(place, prompt=prompt)
    assert "heart" not in card.text
    (file,) = [file for file in card.files if file.filename.endswith(".txt")]
    assert file.data.decode().startswith(prompt)


async def test_a_style_is_woven_in_and_said(place: Place, bot: StudioBot, studio: Studio) -> None:
    card = await paint(place, prompt="a heart --style ink")
    assert "style ink" in card.text
    plain = await paint(place, prompt="a heart")
    assert card.gallery[0].data != plain.gallery[0].data
