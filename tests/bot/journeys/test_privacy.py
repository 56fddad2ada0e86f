"""/limner privacy: one's own data, told, handed out and deleted; nobody else's, whoever presses."""

from __future__ import annotations

import copy
import io
import json
import time
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from limner.bot.cogs.privacy import Privacy
from limner.storage.records import JobStatus
from tests.bot.odd_pictures import saved, scene

from .cards import PATIENCE_S, ask, done, job_id_of, paint
from .conftest import settled
from .pictures import PictureBot, is_preview

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from limner.bot.studio import Studio
    from tests.wire.entities import Channel, Message, User
    from tests.wire.replies import Reply

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")

SURE = "Delete everything"


class PrivacyBot(PictureBot):
    async def setup_hook(self) -> None:
        await super().setup_hook()
        await self.add_cog(Privacy(self, self._studio, self.delivery))
        await self.tree.sync()


@pytest_asyncio.fixture(loop_scope="session")
async def bot(place: Place, studio: Studio) -> AsyncIterator[PrivacyBot]:
    bot = PrivacyBot(studio)
    async with place.wire.connect(bot):
        yield bot


async def privacy(place: Place, who: User, command: str, channel: Channel | None = None) -> Message:
    reply = await place.wire.slash(who, channel or place.channel, f"limner privacy {command}")
    message = await reply.message(lambda m: not m.is_loading and m.text, timeout_s=PATIENCE_S)
    assert message.is_ephemeral
    assert message.is_v2
    return message


async def exported(place: Place, who: User, channel: Channel | None = None) -> zipfile.ZipFile:
    message = await privacy(place, who, "export", channel)
    (file,) = message.files
    assert file.filename == "limner.zip"
    return zipfile.ZipFile(io.BytesIO(file.data))


def data_in(archive: zipfile.ZipFile) -> dict[str, list[dict[str, object]]]:
    return json.loads(archive.read("data.json"))


async def said_to(reply: Reply) -> str:
    """The one private sentence that a press is refused with."""

    def found() -> Message | None:
        asked = reply.interaction
        answers = [m for m in (asked.original, *asked.followups) if m and m is not asked.source]
        return next((m for m in answers if not m.is_deleted and not m.is_loading), None)

    message = await reply.world.changes.until(found, "a sentence", PATIENCE_S)
    assert message.is_ephemeral
    return message.text


def forge(message: Message, old: str, new: str) -> str:
    component = message.component(old)
    assert component is not None
    component["custom_id"] = new
    return new


async def test_an_export_has_ones_own_rows_and_pictures_and_nobody_elses(
    place: Place, bot: PrivacyBot
) -> None:
    card = await paint(place, count=2)
    await paint(place, place.bob, prompt="a wish of bob's")
    await settled()
    archive = await exported(place, place.alice)
    data = data_in(archive)
    assert [job["prompt"] for job in data["jobs"]] == ["a red heart"]
    assert "interaction_token" not in data["jobs"][0]
    assert str(place.bob.id) not in archive.read("data.json").decode()
    pictures = [archive.read(name) for name in archive.namelist() if "pictures/" in name]
    assert sorted(pictures) == sorted(file.data for file in card.gallery)


async def test_it_works_in_direct_messages_and_where_a_person_brought_the_bot(
    place: Place, bot: PrivacyBot
) -> None:
    world = place.wire.world
    direct = world.direct(place.alice)
    await done(await place.wire.slash(place.alice, direct, "imagine", prompt="a heart"))
    await settled()
    assert len(data_in(await exported(place, place.alice, direct))["jobs"]) == 1
    carol = world.user("carol", has_installed=True)
    elsewhere = world.guild("elsewhere", has_bot=False)
    elsewhere.member(carol)
    channel = elsewhere.channel()
    assert data_in(await exported(place, carol, channel))["jobs"] == []
    assert "What I keep about you" in (await privacy(place, carol, "about", channel)).text
    question = await privacy(place, carol, "delete", channel)
    reply = await place.wire.click(carol, question, SURE)
    await reply.message(lambda m: "Deleted: 0 jobs and 0 pictures" in m.text, timeout_s=PATIENCE_S)


async def test_what_is_kept_is_told_with_this_servers_days(
    place: Place, bot: PrivacyBot, studio: Studio
) -> None:
    text = (await privacy(place, place.alice, "about")).text
    assert "Your pictures** stay until you delete them." in text
    await studio.storage.guilds.change_settings(
        place.guild.id, lambda old: replace(old, pictures_days=30), by=place.moderator.id
    )
    text = (await privacy(place, place.alice, "about")).text
    assert "Your pictures** are deleted after 30 days, favourites excepted." in text
    direct = place.wire.world.direct(place.alice)
    assert "until you delete them" in (await privacy(place, place.alice, "about", direct)).text


async def test_a_deletion_is_complete_and_afterwards_everything_works_anew(
    place: Place, bot: PrivacyBot, studio: Studio
) -> None:
    card = await paint(place)
    bobs = await paint(place, place.bob)
    await settled()
    before = set(studio_files(studio))
    preview = await (
        await place.wire.slash(
            place.alice,
            place.channel,
            "inpaint",
            picture=("mine.png", saved(scene(), "PNG")),
            area="left half",
            prompt="a cat",
        )
    ).message(is_preview, timeout_s=PATIENCE_S)
    assert set(studio_files(studio)) - before, "the preview is kept somewhere"
    studio.pool.pause()
    waiting = await ask(place, prompt="still waiting")
    running = await waiting.message(lambda m: "Cancel" in m.buttons, timeout_s=PATIENCE_S)

    question = await privacy(place, place.alice, "delete")
    assert "every server" in question.text
    reply = await place.wire.click(place.alice, question, SURE)
    told = await reply.message(lambda m: "Deleted:" in m.text, timeout_s=PATIENCE_S)
    assert "Deleted: 2 jobs and 1 picture." in told.text
    assert told.buttons == {}
    studio.pool.resume()
    await waiting.message(lambda m: "Cancelled" in m.text, timeout_s=PATIENCE_S)
    del running
    await settled()

    archive = await exported(place, place.alice)
    assert archive.namelist() == ["data.json"]
    assert data_in(archive)["jobs"] == []
    # Bob's picture is the same as hers was, and he still has it; nothing of the preview is left.
    assert set(studio_files(studio)) <= before
    assert await studio.storage.images.of_job(job_id_of(bobs))
    again = await place.wire.click(place.alice, card, "Paint again")
    assert "no longer know" in await said_to(again)
    pressed = await place.wire.click(place.alice, preview, "Paint")
    assert "too old" in await said_to(pressed)
    anew = await paint(place, prompt="a new beginning")
    await settled()
    job = await studio.storage.jobs.get(job_id_of(anew))
    assert job.status is JobStatus.DELIVERED


def studio_files(studio: Studio) -> list[str]:
    folder = studio.settings.storage.folder
    return [path.name for path in (folder / "pictures").glob("??/*")]


async def test_nobody_deletes_anothers_data_by_a_press_or_a_forged_one(
    place: Place, bot: PrivacyBot, studio: Studio
) -> None:
    card = await paint(place)
    await settled()
    question = await privacy(place, place.alice, "delete")
    button = question.buttons[SURE]
    for who in (place.bob, place.moderator):
        own = await privacy(place, who, "delete")
        forge(own, own.buttons[SURE], button)
        reply = await place.wire.click(who, own, button)
        assert "Only who asked for it" in await said_to(reply)
    assert await studio.storage.images.of_job(job_id_of(card))


@pytest.mark.parametrize("age_s", [3700, -100])
async def test_an_old_question_or_one_of_the_future_is_not_answered(
    place: Place, bot: PrivacyBot, studio: Studio, age_s: int
) -> None:
    card = await paint(place)
    await settled()
    question = await privacy(place, place.alice, "delete")
    version = question.buttons[SURE].rpartition(":")[0]
    button = forge(question, question.buttons[SURE], f"{version}:{int(time.time()) - age_s}")
    assert "That question is old" in await said_to(
        await place.wire.click(place.alice, question, button)
    )
    assert await studio.storage.images.of_job(job_id_of(card))


async def test_the_question_is_answered_after_a_restart_and_once_only(
    place: Place, studio: Studio
) -> None:
    async with place.wire.connect(PrivacyBot(studio)):
        card = await paint(place)
        await settled()
        question = await privacy(place, place.alice, "delete")
        asked = copy.deepcopy(question.components)
    async with place.wire.connect(PrivacyBot(studio)):
        reply = await place.wire.click(place.alice, question, SURE)
        await reply.message(
            lambda m: "Deleted: 1 job and 1 picture." in m.text, timeout_s=PATIENCE_S
        )
        anew = await paint(place, prompt="painted since")
        await settled()
        # A second press of what is not there any more, as only a forger could.
        question.components = asked
        reply = await place.wire.click(place.alice, question, SURE)
        assert "answered that already" in await said_to(reply)
        assert await studio.storage.images.of_job(job_id_of(anew))
        del card


async def test_never_mind_leaves_everything_as_it_was(
    place: Place, bot: PrivacyBot, studio: Studio
) -> None:
    card = await paint(place)
    await settled()
    question = await privacy(place, place.alice, "delete")
    await place.wire.click(place.alice, question, "Never mind")
    await place.wire.until(lambda: question.is_deleted, "the question's end")
    assert await studio.storage.images.of_job(job_id_of(card))
