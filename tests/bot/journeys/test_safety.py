"""What a server's owner decides about pictures that the safety checker finds unsafe, as it is seen.

The checker is a small one that was taught which picture is unsafe: what seed 2 paints.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from PIL import Image

from limner.bot.opening import open_studio, read_models
from limner.bot.settings import HOUSE_MODEL, SafetySettings
from limner.pipelines.request import Request
from limner.pipelines.safety.checker import Safety
from limner.pipelines.safety.opening import open_checker
from limner.storage.errors import NoSuchPictureError
from limner.storage.guild_records import NsfwPolicy
from tests.bot.odd_pictures import saved
from tests.pipelines.safety.models import make_checker

from .cards import PATIENCE_S, ask, done, job_id_of, paint, picked
from .conftest import settings_for, settled
from .pictures import PictureBot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from limner.bot.settings import Settings
    from limner.bot.studio import Studio
    from tests.wire.entities import Channel, Message
    from tests.wire.replies import Reply

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNSAFE = 2
PLAIN = [Image.new("RGB", (128, 128), colour) for colour in ("grey", "white", "black", "blue")]
RED = Image.new("RGB", (128, 128), "red")
HALF = Image.new("RGB", (512, 512), "red")
HALF.paste("grey", (0, 0, 256, 512))
"""Unsafe as a whole; of its grey half the model sees nothing else."""


@pytest.fixture(scope="module")
def settings(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """With a checker that was taught by what the same model paints."""
    from limner.pipelines.engine.engine import Engine  # loads torch

    folder = tmp_path_factory.mktemp("safety")
    plain = settings_for(model, folder / "data")
    models, _ = read_models(plain)
    results = Engine([models["house"]]).run([Request("a red heart", seed=n) for n in range(1, 5)])
    painted = [result.image for result in results]
    unsafe = painted.pop(UNSAFE - 1)
    make_checker(folder, unsafe=[unsafe, RED, HALF], safe=[*painted, *PLAIN])
    return plain.model_copy(update={"safety": SafetySettings(checker=str(folder))})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(settings: Settings) -> AsyncIterator[Studio]:
    async with open_studio(settings) as studio:
        await studio.pool.ready()
        yield studio


@pytest_asyncio.fixture(loop_scope="session")
async def bot(place: Place, guarded: Studio) -> AsyncIterator[PictureBot]:
    bot = PictureBot(guarded)
    async with place.wire.connect(bot):
        yield bot
    assert_nothing_unsafe_was_sent_unveiled(place)


def assert_nothing_unsafe_was_sent_unveiled(place: Place) -> None:
    sent = [name for seen in place.wire.requests for name in seen.filenames]
    shown = [name for name in sent if f"seed{UNSAFE}." in name]
    assert all(name.startswith("SPOILER_") for name in shown)


async def decide(place: Place, studio: Studio, policy: NsfwPolicy, **more: object) -> None:
    await studio.storage.guilds.change_settings(
        place.guild.id,
        lambda old: replace(old, nsfw_policy=policy, **more),  # type: ignore[arg-type]
        by=place.moderator.id,
    )


def veils(message: Message) -> list[bool]:
    return [item["spoiler"] for c in message.walk() if c["type"] == 12 for item in c["items"]]


async def refusal(reply: Reply) -> Message:
    """A card that says that there is no picture."""
    return await reply.message(lambda m: "Try again" in m.buttons, timeout_s=PATIENCE_S)


async def in_channel(place: Place, channel: Channel, **options: object) -> Reply:
    options = {"prompt": "a red heart", "seed": UNSAFE} | options
    return await place.wire.slash(place.alice, channel, "imagine", **options)  # type: ignore[arg-type]


async def test_where_it_is_refused_it_is_told_logged_by_its_hash_and_costs_nothing(
    place: Place, bot: PictureBot, guarded: Studio
) -> None:
    card = await refusal(await ask(place, seed=UNSAFE))
    assert "The safety checker finds this picture unsafe \\(nsfw 0." in card.text
    assert "so it is not kept" in card.text
    assert card.gallery == []
    await settled()
    storage = guarded.storage
    (block,) = await storage.moderation.blocked(place.guild.id)
    assert (block.user_id, block.job_id) == (place.alice.id, job_id_of(card))
    with pytest.raises(NoSuchPictureError):
        await storage.images.read(block.sha256)
    assert await storage.images.of_job(block.job_id) == []
    balance = await storage.ledger.balance(place.guild.id, place.alice.id)
    assert (balance.held, balance.settled) == (0, 0)


async def test_its_companions_are_shown_and_the_card_says_what_is_missing(
    place: Place, bot: PictureBot, guarded: Studio
) -> None:
    card = await paint(place, seed=1, count=4)
    assert len(card.gallery) == 3
    assert veils(card) == [False] * 3
    assert "1 of 4 not shown: the safety checker finds it unsafe." in card.text
    assert "Seeds 1, 3, 4" in card.text
    assert "3 credits" in card.text
    await settled()
    balance = await guarded.storage.ledger.balance(place.guild.id, place.alice.id)
    assert (balance.held, balance.settled) == (0, 3000)


async def test_where_the_owner_wants_it_a_blocked_picture_costs_its_credits(
    place: Place, bot: PictureBot, guarded: Studio
) -> None:
    await decide(place, guarded, NsfwPolicy.REFUSE, settles_blocked=True)
    card = await refusal(await ask(place, seed=UNSAFE))
    assert "By this server's rule it costs its credits all the same." in card.text
    assert "4 credits" in (await paint(place, seed=1, count=4)).text
    await settled()
    balance = await guarded.storage.ledger.balance(place.guild.id, place.alice.id)
    assert (balance.held, balance.settled) == (0, 5000)


async def test_where_it_is_veiled_it_is_so_everywhere_and_after_a_restart(
    place: Place, settings: Settings, tmp_path: Path
) -> None:
    storage = settings.storage.model_copy(update={"folder": tmp_path})
    own = settings.model_copy(update={"storage": storage})
    async with open_studio(own) as studio, place.wire.connect(PictureBot(studio)):
        await decide(place, studio, NsfwPolicy.SPOILER)
        card = await paint(place, seed=1, count=4)
        assert veils(card) == [False, True, False, False]
        assert [f.filename.startswith("SPOILER_") for f in card.gallery] == veils(card)
        # A job whose end nobody is told before the next start.
        waiting = await ask(place, seed=UNSAFE)
        await waiting.message(lambda m: "Cancel" in m.buttons, timeout_s=PATIENCE_S)
    async with open_studio(own) as studio, place.wire.connect(PictureBot(studio)):
        assert veils(await done(waiting)) == [True]
        direct = place.wire.world.direct(place.alice)
        for index, veiled in ((1, "SPOILER_limner"), (0, "limner")):
            before = len(direct.timeline)
            await place.wire.select(place.alice, card, *choose(card, "send", index))
            await place.wire.until(lambda n=before: len(direct.timeline) > n, "a direct message")
            (file,) = direct.timeline[-1].files
            assert file.filename.startswith(veiled)
        # A variation of it is judged anew.
        again = await picked(place, place.alice, card, "again", 1)
        assert veils(again) == [True] * len(again.gallery)
        await settled()
    assert_nothing_unsafe_was_sent_unveiled(place)


def choose(card: Message, choice: str, index: int) -> tuple[str, str]:
    menus = [c["custom_id"] for c in card.walk() if c["type"] == 3]
    return menus[index], choice


async def test_only_in_age_restricted_channels_and_plainly_there(
    place: Place, guarded: Studio
) -> None:
    night = place.guild.channel("night", is_nsfw=True)
    async with place.wire.connect(PictureBot(guarded)):
        await decide(place, guarded, NsfwPolicy.AGE_RESTRICTED)
        card = await done(await in_channel(place, night))
        assert veils(card) == [False]
        assert "unsafe" in (await refusal(await in_channel(place, place.channel))).text
        await settled()
        # Away from its card it is veiled again.
        direct = place.wire.world.direct(place.alice)
        await place.wire.select(place.alice, card, *choose(card, "send", 0))
        await place.wire.until(lambda: direct.timeline, "a direct message")
        (file,) = direct.timeline[-1].files
        assert file.filename.startswith("SPOILER_")


async def test_outside_servers_it_is_refused(
    place: Place, bot: PictureBot, guarded: Studio
) -> None:
    await decide(place, guarded, NsfwPolicy.SPOILER)
    card = await refusal(await in_channel(place, place.wire.world.direct(place.alice)))
    assert "unsafe" in card.text
    carol = place.wire.world.user("carol", has_installed=True)
    elsewhere = place.wire.world.guild("elsewhere", has_bot=False)
    elsewhere.member(carol)
    reply = await place.wire.slash(
        carol, elsewhere.channel(), "imagine", prompt="a red heart", seed=UNSAFE
    )
    assert "unsafe" in (await refusal(reply)).text


async def test_a_policy_that_is_stricter_by_the_time_of_the_end_counts(
    place: Place, bot: PictureBot, guarded: Studio
) -> None:
    await decide(place, guarded, NsfwPolicy.SPOILER)
    guarded.pool.pause()
    reply = await ask(place, seed=UNSAFE)
    await reply.message(lambda m: "Cancel" in m.buttons, timeout_s=PATIENCE_S)
    await decide(place, guarded, NsfwPolicy.REFUSE)
    guarded.pool.resume()
    card = await refusal(reply)
    assert "unsafe" in card.text
    await settled()
    blocks = await guarded.storage.moderation.blocked(place.guild.id)
    assert [block.job_id for block in blocks] == [job_id_of(card)]
    assert await guarded.storage.images.of_job(job_id_of(card)) == []


@pytest.mark.parametrize("command", ["variation", "inpaint"])
async def test_an_attached_unsafe_picture_is_not_painted_from_and_not_kept(
    place: Place, bot: PictureBot, guarded: Studio, settings: Settings, command: str
) -> None:
    options: dict[str, object] = {"picture": ("red.png", saved(RED, "PNG")), "prompt": "a cat"}
    if command == "inpaint":
        options["area"] = "left half"
    reply = await place.wire.slash(place.alice, place.channel, command, **options)  # type: ignore[arg-type]
    if command == "inpaint":
        preview = await reply.message(lambda m: "Paint" in m.buttons, timeout_s=PATIENCE_S)
        reply = await place.wire.click(place.alice, preview, "Paint")
        asked = reply.interaction

        def found() -> Message | None:
            return next((m for m in asked.followups if "Try again" in m.buttons), None)

        card = await place.wire.until(found, "a refusal", PATIENCE_S)
    else:
        card = await refusal(reply)
    assert "finds the picture that this starts from unsafe" in card.text
    await settled()
    job = await guarded.storage.jobs.get(job_id_of(card))
    assert job.started_at is None
    assert job.new.input_hashes == ()
    block = (await guarded.storage.moderation.blocked(place.guild.id))[0]
    assert block.job_id == job.id
    assert not guarded.storage.images.path(block.sha256).exists()
    balance = await guarded.storage.ledger.balance(place.guild.id, place.alice.id)
    assert (balance.held, balance.settled) == (0, 0)


async def inpainted(place: Place, picture: Image.Image, seed: int) -> Message:
    """Its left upper corner, of which the model sees nothing but grey."""
    reply = await place.wire.slash(
        place.alice,
        place.channel,
        "inpaint",
        picture=("picture.png", saved(picture, "PNG")),
        prompt=f"a cat --seed {seed}",
        area="0,0,10%,10%",
    )
    preview = await reply.message(lambda m: "Paint" in m.buttons, timeout_s=PATIENCE_S)
    asked = (await place.wire.click(place.alice, preview, "Paint")).interaction

    def found() -> Message | None:
        return next((m for m in asked.followups if "Paint again" in m.buttons), None)

    return await place.wire.until(found, "the card", PATIENCE_S)


async def test_where_it_is_veiled_a_part_of_an_unsafe_picture_is_painted_and_the_whole_veiled(
    place: Place, bot: PictureBot, guarded: Studio
) -> None:
    await decide(place, guarded, NsfwPolicy.SPOILER)
    harmless = Image.new("RGB", HALF.size, "grey")
    for seed in range(10):
        # To so small a checker much of what is painted is unsafe in itself.
        if veils(await inpainted(place, harmless, seed)) == [False]:
            assert veils(await inpainted(place, HALF, seed)) == [True]
            break
    else:
        pytest.fail("no seed paints a harmless corner")
    await settled()


async def test_with_a_broken_checker_nothing_is_painted_and_everybody_hears_why(
    place: Place, model: Path, tmp_path: Path
) -> None:
    plain = settings_for(model, tmp_path / "data")
    broken = SafetySettings(checker=str(tmp_path / "secret place" / "checker"))
    own = plain.model_copy(update={"safety": broken})
    async with open_studio(own) as studio, place.wire.connect(PictureBot(studio)):
        early = await ask(place)
        said = (await refusal(early)).text if not early.interaction.followups else ""
        assert "safety checker" in said
        late = await ask(place)
        message = await place.wire.until(
            lambda: next((m for m in late.interaction.followups if m.is_ephemeral), None),
            "a refusal",
            PATIENCE_S,
        )
        assert message.text.startswith("Nothing is painted, because the safety checker")
        reply = await place.wire.slash(place.alice, place.channel, "limner queue")
        text = (await reply.message()).text
        assert "There is no safety checker checker" in text
        assert "secret place" not in text
        await settled()
    with closing(sqlite3.connect(tmp_path / "data" / "limner.db")) as database:
        held = database.execute("SELECT kind, amount FROM ledger ORDER BY id").fetchall()
    assert [kind for kind, _ in held] == ["hold", "release"]
    assert not [name for seen in place.wire.requests for name in seen.filenames]


async def test_what_the_house_model_paints_is_harmless_to_the_stock_checker() -> None:
    docs = HOUSE_MODEL.parent.parent / "docs"
    with Image.open(docs / "house-prompts.png") as sheet:
        picture = sheet.convert("RGB")
    tiles = [
        picture.crop((x, y, x + 128, y + 128))
        for x in range(0, picture.width - 127, 256)
        for y in range(0, picture.height - 127, 256)
    ]
    assert not [v for v in open_checker(Safety()).check([picture, *tiles]) if v.is_unsafe]
