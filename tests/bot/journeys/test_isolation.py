"""docs/permissions.md, tried cell by cell: each deed by each person, with ids that nobody showed.

The pictures are written straight into the database; what a press of Discord's would carry is
forged onto a message in the presser's own channel.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from PIL import Image

from limner.bot.ask import Ask
from limner.bot.drafts import keep_draft
from limner.bot.member import Member
from limner.storage.records import NewJob, NewPicture, Origin
from tests.wire.entities import COMPONENTS_V2

from .admin import AdminBot
from .cards import PATIENCE_S
from .conftest import settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from limner.bot.studio import Studio
    from limner.storage.records import Job
    from tests.wire.entities import Channel, Message, User
    from tests.wire.replies import Reply

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")

BUTTON, SELECT = 2, 3
PEOPLE = ("owner", "member", "moderator", "admin", "stranger", "other admin")


def table() -> dict[str, dict[str, bool]]:
    """The document's: deed to person to whether they may."""
    text = (Path(__file__).parents[3] / "docs" / "permissions.md").read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    assert tuple(rows[0][1:]) == PEOPLE
    assert all(cell in ("yes", "no") for row in rows[2:] for cell in row[1:])
    return {
        row[0]: dict(zip(PEOPLE, (cell == "yes" for cell in row[1:]), strict=True))
        for row in rows[2:]
    }


TABLE = table()


@dataclass(slots=True)
class Scene:
    """Two servers with people in them, and ways to make what they reach for."""

    place: Place
    studio: Studio
    people: dict[str, User]
    elsewhere: Channel
    restricted: Channel

    @property
    def guild_id(self) -> int:
        return self.place.guild.id

    def channel_of(self, person: str) -> Channel:
        is_here = person not in ("stranger", "other admin")
        return self.place.channel if is_here else self.elsewhere

    async def picture(self, *, is_private: bool = False, is_restricted: bool = False) -> Job:
        """A delivered job of the owner's, with one picture."""
        channel = self.restricted if is_restricted else self.place.channel
        jobs = self.studio.storage.jobs
        message = channel.post(self.place.wire.world.bot, "a card")
        ask = await self.studio.judge(Ask("a secret heart", seed=7), Member(1))
        origin = Origin(
            self.people["owner"].id,
            self.guild_id,
            channel.id,
            message_id=message.id,
            is_private=is_private,
            is_age_restricted=is_restricted,
        )
        new = NewJob(origin, "imagine", ask.to_json(), ask.prompt, 1, 7, ask.model, "f", 0, 1)
        job = await jobs.accept(new)
        await jobs.start(job.id)
        await jobs.store(job.id, [NewPicture(0, _png(), 7, 128, 128, "{}")])
        await jobs.told(job.id)
        return await jobs.get(job.id)

    async def picture_id(self, job: Job) -> int:
        (picture,) = await self.studio.storage.images.of_job(job.id)
        return picture.id

    async def press(self, person: str, custom_id: str, choice: str = "") -> Reply:
        """As if a message of the bot's had such a button, or menu, in this person's channel."""
        who, channel = self.people[person], self.channel_of(person)
        carrier = channel.post(self.place.wire.world.bot)
        carrier.flags |= COMPONENTS_V2
        part: dict[str, object] = {"type": BUTTON, "id": 2, "style": 2, "label": "x"}
        if choice:
            options = [{"label": "x", "value": choice}]
            part = {"type": SELECT, "id": 2, "options": options, "min_values": 1, "max_values": 1}
        row = {"type": 1, "id": 1, "components": [part | {"custom_id": custom_id}]}
        carrier.components = [row]
        if choice:
            return await self.place.wire.select(who, carrier, custom_id, choice)
        return await self.place.wire.click(who, carrier, custom_id)

    async def command(self, person: str, command: str, /, **options: object) -> Reply:
        return await self.place.wire.slash(
            self.people[person],
            self.channel_of(person),
            command,
            **options,  # type: ignore[arg-type]
        )

    async def answer(self, reply: Reply) -> Message:
        """The first message that the press itself brought, whoever sees it."""

        def found() -> Message | None:
            asked = reply.interaction
            messages = [m for m in (*asked.followups, asked.original) if m]
            return next(
                (
                    m
                    for m in messages
                    if m is not asked.source and not (m.is_deleted or m.is_loading)
                ),
                None,
            )

        return await self.place.wire.until(found, "an answer", PATIENCE_S)

    async def reaction(self, reply: Reply, is_over: Callable[[], bool] = lambda: False) -> Message:
        """Until a press is dealt with: by a word, by a change of what was pressed, or its end."""
        carrier = reply.interaction.source
        assert carrier is not None

        def has_reacted() -> bool:
            asked = reply.interaction
            said = [m for m in (*asked.followups, asked.original) if m and m is not carrier]
            is_changed = carrier.is_deleted or carrier.text != ""
            return is_over() or is_changed or any(not message.is_loading for message in said)

        await self.place.wire.until(has_reacted, "a reaction", PATIENCE_S)
        return carrier

    async def is_painting(self, reply: Reply) -> bool:
        """Whether it became a job, which is cancelled then; a refusal shows nothing of the job."""
        message = await self.answer(reply)
        if message.is_ephemeral and "Cancel" not in message.buttons:
            assert "secret" not in message.text
            assert not message.gallery
            return False
        shown = await self.place.wire.until(
            lambda: message if "Cancel" in message.buttons else None, "a job's card", PATIENCE_S
        )
        number = re.search(r"#(\d+)$", shown.text, re.MULTILINE)
        assert number is not None
        assert await self.studio.cancel(int(number[1]))
        await settled()
        return True

    async def running(self, *, is_private: bool) -> tuple[Job, Message]:
        """A job of the owner's that waits for the painter, and its card."""
        reply = await self.command("owner", "imagine", prompt="a secret", private=is_private)
        message = await self.answer(reply)
        shown = await self.place.wire.until(
            lambda: message if "Cancel" in message.buttons else None, "a job's card", PATIENCE_S
        )
        number = re.search(r"#(\d+)$", shown.text, re.MULTILINE)
        assert number is not None
        return await self.studio.storage.jobs.get(int(number[1])), shown


@pytest_asyncio.fixture(loop_scope="session")
async def scene(place: Place, studio: Studio) -> AsyncIterator[Scene]:
    other = place.wire.world.guild("another")
    people = {
        "owner": place.alice,
        "member": place.bob,
        "moderator": place.moderator,
        "admin": place.guild.member("boss", "manage_guild"),
        "stranger": other.member("carol"),
        "other admin": other.member("dave", "administrator"),
    }
    restricted = place.guild.channel("late", is_nsfw=True)
    async with place.wire.connect(AdminBot(studio)):
        # Whether something is painted shows when it is accepted.
        studio.pool.pause()
        try:
            yield Scene(place, studio, people, other.channel("there"), restricted)
        finally:
            studio.pool.resume()


# The deeds: each gives whether this person did it


async def by_number(scene: Scene, person: str, *, is_private: bool = False) -> bool:
    job = await scene.picture(is_private=is_private)
    return await scene.is_painting(await scene.command(person, "variation", source=str(job.id)))


async def by_link(scene: Scene, person: str) -> bool:
    origin = (await scene.picture()).new.origin
    link = f"https://discord.com/channels/{origin.guild_id}/{origin.channel_id}/{origin.message_id}"
    return await scene.is_painting(await scene.command(person, "variation", source=link))


async def restricted(scene: Scene, person: str, *, is_there: bool) -> bool:
    job = await scene.picture(is_restricted=True)
    if not is_there or scene.channel_of(person) is scene.elsewhere:
        return await scene.is_painting(await scene.command(person, "variation", source=str(job.id)))
    reply = await scene.place.wire.slash(
        scene.people[person], scene.restricted, "variation", source=str(job.id)
    )
    return await scene.is_painting(reply)


async def again(scene: Scene, person: str, *, is_private: bool = False) -> bool:
    job = await scene.picture(is_private=is_private)
    return await scene.is_painting(await scene.press(person, f"limner1:again:{job.id}:0"))


async def remix(scene: Scene, person: str) -> bool:
    """The form shows the words; sending it, without having been shown it, is a way of its own."""
    job = await scene.picture()
    reply = await scene.press(person, f"limner1:remix:{job.id}:0")
    await scene.place.wire.until(
        lambda: reply.interaction.modal or reply.interaction.acknowledged, "an answer"
    )
    is_shown = reply.interaction.modal is not None
    # A form of one's own, sent with the other job's number.
    own = await scene.studio.storage.jobs.accept(_job(scene, person))
    opened = await scene.press(person, f"limner1:remix:{own.id}:0")
    modal = await opened.modal()
    modal.form["custom_id"] = f"limner1:remixed:{job.id}:0"
    sent = await scene.place.wire.submit(scene.people[person], modal, prompt="a star")
    is_done = await scene.is_painting(sent)
    await scene.studio.storage.jobs.cancel(own.id)
    assert is_done == is_shown
    return is_done


async def menu(scene: Scene, person: str, choice: str, *, is_private: bool = False) -> Message:
    job = await scene.picture(is_private=is_private)
    picture_id = await scene.picture_id(job)
    reply = await scene.press(person, f"limner1:picture:{picture_id}:0", choice)
    return await scene.answer(reply)


async def vary(scene: Scene, person: str, *, is_private: bool = False) -> bool:
    job = await scene.picture(is_private=is_private)
    forged = f"limner1:picture:{await scene.picture_id(job)}:0"
    return await scene.is_painting(await scene.press(person, forged, "subtle"))


async def parameters(scene: Scene, person: str, *, is_private: bool = False) -> bool:
    message = await menu(scene, person, "parameters", is_private=is_private)
    assert ("secret" in message.text) == bool(message.files)
    return bool(message.files)


async def favourite(scene: Scene, person: str) -> bool:
    return "is a favourite now" in (await menu(scene, person, "favourite")).text


async def delete(scene: Scene, person: str, *, is_private: bool = False) -> bool:
    """Twice, and with each name in the id that could open it."""
    job = await scene.picture(is_private=is_private)
    for owner in (scene.people[person].id, scene.people["owner"].id):
        await scene.reaction(await scene.press(person, f"limner1:delete:{job.id}:{owner}"))
    (picture,) = await scene.studio.storage.images.of_job(job.id)
    return picture.is_deleted


async def cancel(scene: Scene, person: str, *, is_private: bool = False) -> bool:
    job, card = await scene.running(is_private=is_private)
    for owner in (scene.people[person].id, scene.people["owner"].id):
        reply = await scene.press(person, f"limner1:cancel:{job.id}:{owner}")
        await scene.reaction(reply, lambda: "Cancelled." in card.text)
    was_cancelled = "Cancelled." in card.text
    assert await scene.studio.cancel(job.id) is not was_cancelled
    await settled()
    return was_cancelled


async def forged_answer(scene: Scene, person: str) -> bool:
    carrier = await scene.reaction(await scene.press(person, "limner1:nevermind"))
    return carrier.is_deleted


async def forged_preview(scene: Scene, person: str) -> bool:
    draft = await _draft(scene, person)
    reply = await scene.press(person, f"limner1:mask:invert:{draft}:0:0:1")
    carrier = await scene.reaction(reply)
    return bool(carrier.text or carrier.gallery)


async def previewed(scene: Scene, person: str, *, is_there: bool) -> bool:
    """One's own preview, where it was opened or carried elsewhere; its button is forged."""
    picture_id = await scene.picture_id(await scene.picture(is_restricted=True))
    draft = await _draft(scene, person, picture_id)
    channel = scene.channel_of(person)
    if is_there and channel is not scene.elsewhere:
        channel = scene.restricted
    who, wire = scene.people[person], scene.place.wire
    carrier = await (await wire.slash(who, channel, "limner queue")).message()
    assert carrier.is_ephemeral
    forged = f"limner1:mask:paint:{draft}:0:0:1"
    button = {"type": BUTTON, "id": 2, "style": 2, "label": "x", "custom_id": forged}
    carrier.components = [{"type": 1, "id": 1, "components": [button]}]
    return await scene.is_painting(await wire.click(who, carrier, forged))


async def settings_by_command(scene: Scene, person: str) -> bool:
    await scene.answer(await scene.command(person, "limner admin timezone", name="Asia/Tokyo"))
    return await were_settings_changed(scene)


async def settings_by_button(scene: Scene, person: str) -> bool:
    await scene.reaction(await scene.press(person, "limner1:switch:cancelled:1"))
    return await were_settings_changed(scene)


async def settings_by_form(scene: Scene, person: str) -> bool:
    """Anybody's form, sent with the id of the settings' one."""
    own = await scene.studio.storage.jobs.accept(_job(scene, person))
    modal = await (await scene.press(person, f"limner1:remix:{own.id}:0")).modal()
    modal.form["custom_id"] = "limner1:setting:retention"
    (field, *_) = modal.form["components"]
    modal.form["components"] = [field]
    field["component"]["custom_id"] = "value"
    await scene.reaction(await scene.place.wire.submit(scene.people[person], modal, value="3"))
    await scene.studio.storage.jobs.cancel(own.id)
    return await were_settings_changed(scene)


async def were_settings_changed(scene: Scene) -> bool:
    entries = await scene.studio.storage.audit.entries(scene.guild_id, action="settings.")
    return bool(entries)


async def raise_quota(scene: Scene, person: str) -> bool:
    own = scene.people[person]
    await scene.answer(await scene.command(person, "quota grant", member=own, amount=5.0))
    return bool(await scene.studio.storage.audit.entries(scene.guild_id, action="quota."))


async def lift_ban(scene: Scene, person: str) -> bool:
    moderation = scene.studio.storage.moderation
    await moderation.ban(scene.guild_id, 4242, by=1)
    await scene.reaction(await scene.press(person, "limner1:lift-ban", "4242"))
    return await moderation.ban_of(scene.guild_id, 4242) is None


async def suggestions(scene: Scene, person: str) -> bool:
    async with scene.studio.rules.changing(scene.guild_id):
        await scene.studio.storage.moderation.add_to_blocklist(
            scene.guild_id, ["gore"], is_regex=False, by=1
        )
    offered = await scene.place.wire.autocomplete(
        scene.people[person],
        scene.channel_of(person),
        "limner admin blocklist",
        "entry",
        action="remove",
        entry="",
    )
    return bool(offered)


async def read_log(scene: Scene, person: str) -> bool:
    await scene.studio.storage.audit.record(scene.guild_id, "a.deed", actor_id=1, reason="secret")
    page = await scene.reaction(await scene.press(person, "limner1:log:all:older:999999999"))
    return "secret" in page.text


DEEDS: dict[str, Callable[[Scene, str], Awaitable[bool]]] = {
    "start from a picture by its number": by_number,
    "start from a picture by a link to it": by_link,
    "start from a private picture": lambda s, p: by_number(s, p, is_private=True),
    "start from an age-restricted picture there": lambda s, p: restricted(s, p, is_there=True),
    "start from an age-restricted picture elsewhere": lambda s, p: restricted(s, p, is_there=False),
    "paint a job again": again,
    "paint a private job again": lambda s, p: again(s, p, is_private=True),
    "change a job's words (remix)": remix,
    "vary a picture by its menu": vary,
    "vary a private picture by its menu": lambda s, p: vary(s, p, is_private=True),
    "read a picture's parameters": parameters,
    "read a private picture's parameters": lambda s, p: parameters(s, p, is_private=True),
    "make a picture a favourite": favourite,
    "delete a picture": delete,
    "delete a private picture": lambda s, p: delete(s, p, is_private=True),
    "cancel a job": cancel,
    "cancel a private job": lambda s, p: cancel(s, p, is_private=True),
    "take away a message of mine by a forged button": forged_answer,
    "write over a message of mine by a forged button": forged_preview,
    "paint in one's preview of an age-restricted picture there": lambda s, p: previewed(
        s, p, is_there=True
    ),
    "paint in one's preview of an age-restricted picture elsewhere": lambda s, p: previewed(
        s, p, is_there=False
    ),
    "change the server's settings by a command": settings_by_command,
    "change the server's settings by a button": settings_by_button,
    "change the server's settings by a form": settings_by_form,
    "raise one's own quota": raise_quota,
    "lift a ban by its menu": lift_ban,
    "read the blocklist by its suggestions": suggestions,
    "read the server's audit log by a button": read_log,
}


async def test_every_line_of_the_table_is_tried() -> None:
    assert list(DEEDS) == list(TABLE)


@pytest.mark.parametrize("deed", DEEDS)
async def test_who_may(scene: Scene, deed: str) -> None:
    # Those who may come last, so that nothing was done before the others are refused.
    for person, may in sorted(TABLE[deed].items(), key=lambda each: each[1]):
        assert await DEEDS[deed](scene, person) is may, person


def _job(scene: Scene, person: str) -> NewJob:
    """A job of the presser's own, in their own channel."""
    channel = scene.channel_of(person)
    assert channel.guild is not None
    origin = Origin(scene.people[person].id, channel.guild.id, channel.id)
    text = Ask("a star", model="house").to_json()
    return NewJob(origin, "imagine", text, "a star", 1, 7, "house", "f", 0, 1)


async def _draft(scene: Scene, person: str, picture_id: int | None = None) -> str:
    ask = Ask("a star", model="house", parent_picture_id=picture_id)
    picture, mask = Image.new("RGB", (128, 128), "red"), Image.new("L", (128, 128), 0)
    mask.paste(255, (0, 0, 64, 128))
    owner_id = scene.people[person].id
    return await keep_draft(scene.studio, ask, picture, mask, owner_id=owner_id)


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (128, 128), "red").save(out, "PNG")
    return out.getvalue()
