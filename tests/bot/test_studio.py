"""The studio between a real database and a real worker: accept, paint, store, tell, recover."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from PIL import Image

from limner.bot import endings
from limner.bot.ask import Ask, Canvas, Kind
from limner.bot.errors import RefusedError
from limner.bot.member import Member
from limner.bot.opening import open_studio
from limner.bot.settings import (
    LimitSettings,
    LoggingSettings,
    LoraSettings,
    ModelSettings,
    SafetySettings,
    Settings,
    StorageSettings,
)
from limner.pipelines.request import Lora
from limner.pipelines.serving.updates import Moved
from limner.storage.records import JobStatus, Origin
from tests.pipelines.models import make_house_like

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from limner.bot.studio import Studio
    from limner.pipelines.serving.updates import Update
    from limner.storage.records import Job, Picture

ANN = Member(user_id=11, guild_id=5)
HERE = Origin(user_id=11, guild_id=5, channel_id=7)
BOB = Member(user_id=12, guild_id=5)
BOBS = Origin(user_id=12, guild_id=5, channel_id=7)
"""He pays for nothing: what he asks for is refused, or cancelled."""
RED_HEART = Ask("a red heart", seed=7)
SHARED = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_house_like(tmp_path_factory.mktemp("studio") / "house")


class Listener:
    """A teller that keeps what it is told, and marks it as told."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.ends: dict[int, tuple[Job, Sequence[Picture]]] = {}
        self._waiting: dict[int, asyncio.Event] = {}
        self._moving: dict[int, asyncio.Event] = {}

    def moved(self, job: Job, update: Update) -> None:
        if isinstance(update, Moved) and update.step:
            self._moving.setdefault(job.id, asyncio.Event()).set()

    async def moved_on(self, job: Job) -> None:
        event = self._moving.setdefault(job.id, asyncio.Event())
        await asyncio.wait_for(event.wait(), timeout=120)

    async def ended(self, job: Job, pictures: Sequence[Picture]) -> None:
        assert job.id not in self.ends, "told twice"
        self.ends[job.id] = (job, pictures)
        await self._studio.storage.jobs.told(job.id)
        self._waiting.setdefault(job.id, asyncio.Event()).set()

    async def end_of(self, job: Job) -> tuple[Job, Sequence[Picture]]:
        await asyncio.wait_for(
            self._waiting.setdefault(job.id, asyncio.Event()).wait(), timeout=120
        )
        return self.ends[job.id]


def settings_for(model: Path, folder: Path, limits: LimitSettings | None = None) -> Settings:
    return Settings(
        models={"tiny": ModelSettings(path=model, steps=2, sampler="ddim")},
        safety=SafetySettings(blocked_words=("gore", "old neighbour")),
        storage=StorageSettings(folder=folder, free_mib=1),
        limits=limits or LimitSettings(),
        loras={"ink": LoraSettings(path=folder / "ink.safetensors", weight=0.4)},
    )


@asynccontextmanager
async def open_with_listener(settings: Settings) -> AsyncIterator[tuple[Studio, Listener]]:
    async with open_studio(settings) as studio:
        listener = Listener(studio)
        await studio.attach(listener)
        yield studio, listener
        await studio.detach()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(
    model: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Studio, Listener]]:
    """One for all tests that leave it as they found it: a worker's start is the dear part."""
    async with open_with_listener(settings_for(model, tmp_path_factory.mktemp("data"))) as both:
        yield both


@SHARED
async def test_a_job_is_painted_stored_settled_and_told(
    opened: tuple[Studio, Listener],
) -> None:
    studio, listener = opened
    job = await studio.submit(replace(RED_HEART, count=2), HERE, ANN)
    assert job.status is JobStatus.QUEUED
    held = await studio.storage.ledger.balance(5, 11)
    assert held.held == job.new.cost == 2000
    told, pictures = await listener.end_of(job)
    assert told.status is JobStatus.STORED
    assert [picture.seed for picture in pictures] == [7, 8]
    assert (await studio.storage.jobs.get(job.id)).status is JobStatus.DELIVERED
    for picture in pictures:
        png = await studio.storage.images.read(picture.sha256)
        with Image.open(BytesIO(png)) as image:
            assert image.size == (picture.width, picture.height)
            assert "a red heart" in image.info["parameters"]
    balance = await studio.storage.ledger.balance(5, 11)
    assert (balance.held, balance.settled) == (0, job.new.cost)


@SHARED
async def test_an_adapter_asked_for_without_a_weight_takes_the_configured_one(
    opened: tuple[Studio, Listener],
) -> None:
    studio, _ = opened
    judged = await studio.judge(Ask("a cat", loras=(Lora("ink"), Lora("ink", 0.9))), ANN)
    assert judged.loras == (Lora("ink", 0.4), Lora("ink", 0.9))


@SHARED
async def test_a_seed_is_drawn_once_and_paints_the_same_again(
    opened: tuple[Studio, Listener],
) -> None:
    studio, listener = opened
    first = await studio.submit(Ask("a cat"), HERE, ANN)
    ask = Ask.from_json(first.new.request_json)
    assert ask.seed == first.new.seed
    _, (once,) = await listener.end_of(first)
    _, (again,) = await listener.end_of(await studio.submit(ask, HERE, ANN))
    assert once.sha256 == again.sha256


@SHARED
@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (Ask("  "), "empty"),
        (Ask("x" * 2000), "1,500"),
        (Ask("my Old Neighbour, gory"), "a word"),
        (Ask("a cat", count=5), "1 to 4"),
        (Ask("a cat", steps=101), "1 to 100"),
        (Ask("a cat", steps=0), "1 to 100"),
        (Ask("a cat", model="tini"), "did you mean 'tiny'?"),
        (Ask("a cat", sampler="dppm_2m"), "did you mean 'dpmpp_2m'?"),
        (Ask("a cat", style="ink"), "none is configured"),
        (Ask("a cat", width=4096, height=4096), "larger"),
        (Ask("a cat", width=65), "multiple"),
        (Ask("a cat", seed=-1), "seed"),
        (Ask("a cat", guidance_scale=1000.0), "uidance"),
    ],
)
async def test_what_cannot_be_painted_is_refused_in_one_sentence_and_costs_nothing(
    opened: tuple[Studio, Listener], ask: Ask, words: str
) -> None:
    studio, _ = opened
    with pytest.raises(RefusedError, match=words) as caught:
        await studio.submit(ask, BOBS, BOB)
    assert "\n" not in str(caught.value)
    assert not [j for j in await studio.storage.jobs.unfinished() if j.new.origin.user_id == 12]
    assert (await studio.storage.ledger.balance(5, 12)).held == 0


async def test_the_quota_refuses_with_cost_and_rest(model: Path, tmp_path: Path) -> None:
    limits = LimitSettings(credits_per_day=1.5)
    async with open_with_listener(settings_for(model, tmp_path, limits)) as (studio, _):
        studio.pool.pause()
        await studio.submit(RED_HEART, HERE, ANN)
        with pytest.raises(RefusedError, match=r"costs 1 credit and you have 0\.5 credits") as no:
            await studio.submit(RED_HEART, HERE, ANN)
        assert no.value.again_at is not None


async def test_one_persons_direct_messages_do_not_fill_anothers(
    model: Path, tmp_path: Path
) -> None:
    limits = LimitSettings(waiting_per_server=1)
    async with open_with_listener(settings_for(model, tmp_path, limits)) as (studio, _):
        studio.pool.pause()
        await studio.submit(RED_HEART, Origin(21), Member(21))
        with pytest.raises(RefusedError, match="waiting already"):
            await studio.submit(RED_HEART, Origin(21), Member(21))
        await studio.submit(RED_HEART, Origin(22), Member(22))


@SHARED
async def test_a_teller_that_comes_back_disturbs_nothing(
    opened: tuple[Studio, Listener],
) -> None:
    studio, listener = opened
    job = await studio.submit(Ask("a cat", steps=60), HERE, ANN)
    await listener.moved_on(job)
    await studio.detach()
    await studio.attach(listener)
    told, _ = await listener.end_of(job)
    assert (told.status, told.attempts) == (JobStatus.STORED, 1)


async def test_a_full_queue_refuses_with_a_reason(model: Path, tmp_path: Path) -> None:
    limits = LimitSettings(waiting_per_user=2)
    async with open_with_listener(settings_for(model, tmp_path, limits)) as (studio, listener):
        studio.pool.pause()
        jobs = [await studio.submit(RED_HEART, HERE, ANN) for _ in range(2)]
        with pytest.raises(RefusedError, match="2 jobs waiting"):
            await studio.submit(RED_HEART, HERE, ANN)
        # Those that wait are as they were, and whoever leaves makes room.
        assert await studio.cancel(jobs[0].id)
        await listener.end_of(jobs[0])
        await studio.submit(RED_HEART, HERE, ANN)


@SHARED
async def test_cancel_ends_it_once_and_gives_the_credits_back(
    opened: tuple[Studio, Listener],
) -> None:
    studio, listener = opened
    studio.pool.pause()
    job = await studio.submit(RED_HEART, BOBS, BOB)
    assert await studio.cancel(job.id)
    studio.pool.resume()
    told, pictures = await listener.end_of(job)
    assert told.status is JobStatus.CANCELLED
    assert not pictures
    assert not await studio.cancel(job.id)
    balance = await studio.storage.ledger.balance(5, 12)
    assert (balance.held, balance.settled) == (0, 0)


@SHARED
async def test_what_waited_when_the_bot_stopped_is_painted_by_the_next_one(
    opened: tuple[Studio, Listener], model: Path, tmp_path: Path
) -> None:
    other, elsewhere = opened
    _, (undisturbed,) = await elsewhere.end_of(await other.submit(RED_HEART, HERE, ANN))
    settings = settings_for(model, tmp_path)
    async with open_with_listener(settings) as (studio, listener):
        studio.pool.pause()
        waiting = await studio.submit(RED_HEART, HERE, ANN)
        studio.close_doors()
        with pytest.raises(RefusedError, match="restarted"):
            await studio.submit(RED_HEART, HERE, ANN)
    assert waiting.id not in listener.ends
    async with open_with_listener(settings) as (studio, listener):
        told, (picture,) = await listener.end_of(waiting)
        assert told.status is JobStatus.STORED
        assert picture.sha256 == undisturbed.sha256


async def test_an_end_that_nobody_was_told_is_told_at_the_next_start(
    model: Path, tmp_path: Path
) -> None:
    settings = settings_for(model, tmp_path)
    async with open_studio(settings) as studio:
        job = await studio.submit(RED_HEART, HERE, ANN)
        await studio.storage.jobs.fail(job.id, "It rained.")
    async with open_with_listener(settings) as (_, listener):
        told, _ = await listener.end_of(job)
        assert (told.status, told.error) == (JobStatus.FAILED, "It rained.")


async def test_a_job_of_a_model_that_is_gone_fails_with_a_sentence(
    model: Path, tmp_path: Path
) -> None:
    settings = settings_for(model, tmp_path)
    async with open_with_listener(settings) as (studio, _):
        studio.pool.pause()
        job = await studio.submit(RED_HEART, HERE, ANN)
    other = settings.model_copy(update={"models": {"other": settings.models["tiny"]}})
    async with open_with_listener(other) as (studio, listener):
        told, _ = await listener.end_of(job)
        assert told.status is JobStatus.FAILED
        assert "'tiny'" in told.error
        assert (await studio.storage.ledger.balance(5, 11)).held == 0


@SHARED
async def test_a_job_whose_picture_has_gone_fails_with_a_sentence_and_costs_nothing(
    opened: tuple[Studio, Listener],
) -> None:
    studio, listener = opened
    sha256 = await studio.keep(png_of(Image.new("RGB", (64, 64), "blue")))
    ask = Ask("a cat", Kind.VARIATION, seed=1, width=64, height=64, init_image=sha256, strength=0.5)
    studio.pool.pause()
    job = await studio.submit(ask, BOBS, BOB)
    studio.storage.images.path(sha256).unlink()
    with pytest.raises(RefusedError, match="is gone"):
        await studio.submit(ask, BOBS, BOB)
    studio.pool.resume()
    told, _ = await listener.end_of(job)
    assert told.status is JobStatus.FAILED
    assert "send it again" in told.error
    assert (await studio.storage.ledger.balance(5, 12)).held == 0


@SHARED
async def test_who_stops_waiting_for_an_acceptance_still_gets_the_picture(
    opened: tuple[Studio, Listener],
) -> None:
    studio, listener = opened
    impatient = Origin(user_id=13, guild_id=5, channel_id=7)
    asking = asyncio.create_task(studio.submit(RED_HEART, impatient, Member(13, 5)))
    while not asking.done() and not (jobs := await studio.storage.jobs.by_user(13, 5)):
        asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    # Cancelled before it was written down, or painted: nothing between.
    for job in jobs:
        told, _ = await listener.end_of(job)
        assert told.status is JobStatus.STORED


@SHARED
async def test_a_cancelled_job_keeps_what_it_used_where_the_owner_wants_it_so(
    opened: tuple[Studio, Listener],
) -> None:
    studio, listener = opened
    await studio.storage.guilds.change_settings(
        6, lambda now: replace(now, settles_cancelled=True), by=1
    )
    origin, member = Origin(user_id=14, guild_id=6, channel_id=7), Member(14, 6)
    job = await studio.submit(Ask("a cat", steps=100), origin, member)
    await listener.moved_on(job)
    assert await studio.cancel(job.id)
    told, _ = await listener.end_of(job)
    assert told.status is JobStatus.CANCELLED
    balance = await studio.storage.ledger.balance(6, 14)
    assert balance.held == 0
    assert 0 < balance.settled < job.new.cost


async def test_an_end_that_cannot_be_written_now_is_written_later(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "_RETRIES_S", (0.1,) * 100)
    async with open_with_listener(settings_for(model, tmp_path)) as (studio, listener):
        studio.pool.pause()
        job = await studio.submit(RED_HEART, HERE, ANN)
        pictures, aside = tmp_path / "pictures", tmp_path / "aside"
        pictures.rename(aside)
        pictures.write_text("A disk that takes no pictures.")
        refused = logged("limner.bot.endings", "can't be written yet")
        studio.pool.resume()
        await asyncio.wait_for(refused, timeout=120)
        pictures.unlink()
        aside.rename(pictures)
        told, (picture,) = await listener.end_of(job)
        assert told.status is JobStatus.STORED
        assert await studio.storage.images.read(picture.sha256)


@SHARED
async def test_inpainting_keeps_what_is_kept_byte_for_byte(
    opened: tuple[Studio, Listener],
) -> None:
    studio, listener = opened
    noise = Image.effect_noise((96, 80), 90).convert("RGB")
    mask = Image.new("L", noise.size, 0)
    mask.paste(255, (16, 16, 48, 48))
    window = (8, 8, 72, 72)
    part, part_mask = noise.crop(window), mask.crop(window)
    ask = Ask(
        "a cat",
        kind=Kind.INPAINT,
        seed=3,
        width=64,
        height=64,
        init_image=await studio.keep(png_of(part)),
        mask_image=await studio.keep(png_of(part_mask)),
        canvas=Canvas(await studio.keep(png_of(noise)), await studio.keep(png_of(mask)), window),
    )
    _, (picture,) = await listener.end_of(await studio.submit(ask, HERE, ANN))
    with Image.open(BytesIO(await studio.storage.images.read(picture.sha256))) as painted:
        assert painted.size == noise.size == (picture.width, picture.height)
        kept = Image.composite(Image.new("RGB", noise.size), painted.convert("RGB"), mask)
        expected = Image.composite(Image.new("RGB", noise.size), noise, mask)
        assert kept.tobytes() == expected.tobytes()
        assert painted.crop((16, 16, 48, 48)).tobytes() != noise.crop((16, 16, 48, 48)).tobytes()
        assert "a cat" in painted.info["parameters"]


async def test_prompts_are_logged_above_debug_only_where_the_owner_wants_them(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quiet = settings_for(model, tmp_path)
    loud = quiet.model_copy(update={"logging": LoggingSettings(prompts=True)})
    for settings, is_logged in ((quiet, False), (loud, True)):
        caplog.clear()
        async with open_studio(settings) as studio:
            studio.pool.pause()
            with caplog.at_level(logging.INFO):
                await studio.submit(RED_HEART, HERE, ANN)
        assert ("red heart" in caplog.text) is is_logged


async def test_without_any_model_it_says_which_file_is_wrong(tmp_path: Path) -> None:
    from limner.bot.errors import StartError

    settings = settings_for(tmp_path / "nowhere", tmp_path / "data")
    with pytest.raises(StartError, match="nowhere"):
        async with open_studio(settings):
            pass


def logged(name: str, words: str) -> asyncio.Future[None]:
    """Done once a logger of that name says these words."""
    loop = asyncio.get_running_loop()
    said = loop.create_future()
    logger = logging.getLogger(name)

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if words in record.getMessage():
                logger.removeHandler(self)
                said.set_result(None)

    logger.addHandler(Ear())
    return said


def png_of(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
