"""Every accepted job is told, whatever happens to its message, its token, or the connection."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from limner.bot import delivery
from limner.bot.opening import open_studio
from limner.storage.records import JobStatus
from tests.wire import Fault

from .cards import PATIENCE_S, ask, done, is_done, job_id_of, paint
from .conftest import StudioBot, settings_for, settled

if TYPE_CHECKING:
    from pathlib import Path

    from limner.bot.studio import Studio
    from tests.wire.entities import Message
    from tests.wire.replies import Reply

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")

EDIT = "/webhooks/*/messages/*"
QUARTER_S = 15 * 60 + 1


async def held(place: Place, **options: object) -> tuple[Reply, Fault]:
    """A painting whose first card is held up on its way, while the picture is painted."""
    fault = place.wire.faults.order(Fault.slow(), EDIT, method="PATCH")
    reply = await ask(place, **options)
    await fault.reached(PATIENCE_S)
    return reply, fault


async def status_of(studio: Studio, message: Message) -> JobStatus:
    await settled()
    return (await studio.storage.jobs.get(job_id_of(message))).status


async def stored(studio: Studio, place: Place) -> None:
    """Until alice's newest painting waits for nothing but to be told."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            job, *_ = await studio.storage.jobs.by_user(place.alice.id, place.guild.id)
            if job.status is JobStatus.STORED:
                return
            await asyncio.sleep(0.05)


async def test_after_the_token_the_bot_edits_its_own_message(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    reply, fault = await held(place)
    place.wire.clock.advance(QUARTER_S)
    fault.release()
    message = await done(reply)
    assert place.channel.timeline == [message]
    assert await status_of(studio, message) is JobStatus.DELIVERED


async def test_a_message_deleted_meanwhile_is_followed_by_a_new_one_for_its_owner(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    reply, fault = await held(place, prompt="@everyone <@&1> heart")
    (await reply.placeholder()).delete()
    fault.release()
    message = await place.wire.message(place.channel, is_done)
    assert message.pinged_user_ids == [place.alice.id]
    assert not message.pinged_everyone
    assert message.pinged_role_ids == []
    assert await status_of(studio, message) is JobStatus.DELIVERED
    job = await studio.storage.jobs.get(job_id_of(message))
    assert job.new.origin.message_id == message.id
    again = await done(await place.wire.click(place.bob, message, "Paint again"))
    assert again is not message


async def test_a_private_painting_falls_back_to_a_direct_message_alone(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    _, fault = await held(place, private=True)
    place.wire.clock.advance(QUARTER_S)
    fault.release()
    message = await place.wire.message(place.wire.world.direct(place.alice), is_done)
    assert place.channel.timeline == []
    assert await status_of(studio, message) is JobStatus.DELIVERED


async def test_a_guest_in_a_server_falls_back_to_a_direct_message(
    place: Place, bot: StudioBot
) -> None:
    """Where a person brought the bot along, it has no channel of its own to post in."""
    world = place.wire.world
    guild = world.guild("elsewhere", has_bot=False)
    carol, channel = guild.member(world.user("carol", has_installed=True)), guild.channel()
    fault = place.wire.faults.order(Fault.slow(), EDIT, method="PATCH")
    await place.wire.slash(carol, channel, "imagine", prompt="a red heart")
    await fault.reached(PATIENCE_S)
    place.wire.clock.advance(QUARTER_S)
    fault.release()
    message = await place.wire.message(world.direct(carol), is_done)
    assert "a red heart" in message.text
    assert not [seen for seen in place.wire.requests if str(channel.id) in seen.path]
    await settled()


async def test_where_the_bot_may_not_speak_any_more_it_writes_directly(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    reply, fault = await held(place)
    (await reply.placeholder()).delete()
    place.channel.deny(place.wire.world.bot, "send_messages")
    fault.release()
    message = await place.wire.message(place.wire.world.direct(place.alice), is_done)
    assert await status_of(studio, message) is JobStatus.DELIVERED


async def test_when_no_way_is_left_that_is_written_down(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    shy = place.guild.member(place.wire.world.user("shy", is_open=False))
    before = {job.id for job in await studio.storage.jobs.by_user(shy.id, place.guild.id)}
    reply, fault = await held(place, user=shy)
    (await reply.placeholder()).delete()
    place.channel.deny(place.wire.world.bot, "send_messages")
    fault.release()
    await settled()
    jobs = await studio.storage.jobs.by_user(shy.id, place.guild.id)
    (job,) = [job for job in jobs if job.id not in before]
    assert job.gave_up_at is not None
    assert "direct messages are refused" in job.delivery_error
    assert len(await studio.storage.images.of_job(job.id)) == 1


async def test_a_failing_connection_is_tried_again_and_nothing_is_told_twice(
    place: Place, bot: StudioBot, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_RETRIES_S", (0.1,) * 100)
    reply, fault = await held(place)
    place.wire.faults.order(Fault.dropped(is_done_first=True), EDIT, method="PATCH", times=2)
    fault.release()
    message = await done(reply)
    assert await status_of(studio, message) is JobStatus.DELIVERED
    assert place.channel.timeline == [message]
    job = await studio.storage.jobs.get(job_id_of(message))
    assert job.num_told_attempts >= 1


async def test_a_new_message_that_was_sent_unheard_is_found_again(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    reply, fault = await held(place)
    (await reply.placeholder()).delete()
    place.wire.faults.order(
        Fault.dropped(is_done_first=True), "/channels/*/messages", method="POST"
    )
    fault.release()
    message = await place.wire.message(place.channel, is_done)
    assert await status_of(studio, message) is JobStatus.DELIVERED
    assert place.channel.timeline == [message]
    job = await studio.storage.jobs.get(job_id_of(message))
    assert job.new.origin.message_id == message.id


async def test_files_that_are_refused_for_their_size_come_smaller(
    place: Place, bot: StudioBot
) -> None:
    place.wire.faults.order(Fault.upload_refused(), EDIT, method="PATCH", times=2)
    message = await paint(place)
    (file,) = message.gallery
    assert file.filename.endswith((".webp", ".jpg"))
    assert Image.open(io.BytesIO(file.data)).size <= (128, 128)


async def test_rate_limits_are_waited_out(place: Place, bot: StudioBot) -> None:
    place.wire.faults.order(Fault.rate_limited(0.02), EDIT, method="PATCH", times=2)
    message = await paint(place)
    assert is_done(message)


async def test_a_picture_that_was_not_told_before_a_stop_is_told_after_it(
    place: Place, studio: Studio
) -> None:
    first = StudioBot(studio)
    async with place.wire.connect(first):
        reply, fault = await held(place)
        await stored(studio, place)
    fault.release()
    async with place.wire.connect(StudioBot(studio)):
        message = await done(reply)
        assert await status_of(studio, message) is JobStatus.DELIVERED
        again = await done(await place.wire.click(place.bob, message, "Paint again"))
        assert is_done(again)


async def test_while_the_model_is_loaded_the_card_says_that_the_painter_is_starting(
    place: Place, model: Path, tmp_path: Path
) -> None:
    # Not the session's: this one is asked before its worker can paint.
    async with (
        open_studio(settings_for(model, tmp_path)) as studio,
        place.wire.connect(StudioBot(studio)),
    ):
        studio.pool.pause()
        replies = [await ask(place, who) for who in (place.alice, place.bob)]
        cards = [
            await reply.message(lambda m: "starting" in m.text, timeout_s=PATIENCE_S)
            for reply in replies
        ]
        said = sorted(card.text.splitlines()[1] for card in cards)
        assert said == [
            "Place 2 in the queue · the painter is starting …",
            "The painter is starting …",
        ]
        # Nothing moves in the queue, and yet the cards go on.
        for reply in replies:
            await reply.message(
                lambda m: "in the queue" in m.text and "starting" not in m.text,
                timeout_s=PATIENCE_S,
            )
        studio.pool.resume()
        for reply in replies:
            assert "starting" not in (await done(reply)).text
        await settled()


async def test_progress_is_shown_at_a_pace_and_ends_in_the_picture(
    place: Place, bot: StudioBot
) -> None:
    reply = await ask(place, steps=100, count=4)
    running = await reply.message(lambda m: "▰" in m.text or "▱" in m.text, timeout_s=PATIENCE_S)
    assert "Cancel" in running.buttons
    message = await done(reply)
    edits = [
        seen for seen in place.wire.requests if seen.method == "PATCH" and "messages" in seen.path
    ]
    assert message.num_edits == len(edits)
    assert "▰" not in message.text


async def test_what_takes_long_shows_a_preview_before_it_is_done(
    place: Place, bot: StudioBot
) -> None:
    def shows_preview(message: Message) -> bool:
        return any(file.filename.startswith("preview-") for file in message.gallery)

    reply = await ask(place, steps=100, count=4)
    preview = await reply.message(shows_preview, timeout_s=PATIENCE_S)
    image = Image.open(io.BytesIO(preview.gallery[0].data))
    assert image.format == "WEBP"
    message = await done(reply)
    assert not shows_preview(message)
    assert len(message.files) == 4
