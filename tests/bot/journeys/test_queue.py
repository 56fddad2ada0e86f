"""/limner queue: what anybody may know of the painter, told to the one who asks alone."""

from __future__ import annotations

import asyncio
import logging
import shutil
from typing import TYPE_CHECKING

import psutil
import pytest

from limner.bot.opening import open_studio
from limner.bot.settings import ModelSettings

from .cards import PATIENCE_S, ask, done
from .conftest import StudioBot, settings_for

if TYPE_CHECKING:
    from pathlib import Path

    from limner.bot.studio import Studio
    from tests.wire.entities import Message

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def overview(place: Place) -> Message:
    reply = await place.wire.slash(place.alice, place.channel, "limner queue")
    message = await reply.message()
    assert message.is_ephemeral
    assert message.is_v2
    assert not message.pinged_user_ids
    # A phone shows some forty characters in a line; headings and states have to stand alone.
    assert len(message.text) < 1500
    return message


async def test_it_counts_who_waits_and_names_nobody(
    place: Place, bot: StudioBot, studio: Studio
) -> None:
    await done(await ask(place))
    studio.pool.pause()
    replies = [await ask(place, place.bob, prompt="a secret wish") for _ in range(2)]
    for reply in replies:
        await reply.message(lambda m: "queue" in m.text)
    text = (await overview(place)).text
    assert "2 jobs wait, the oldest for" in text
    assert "Nothing is being painted." in text
    assert "paused" in text
    assert "ready" in text
    assert "house, sketch" in text
    for word in ("secret", "bob", str(place.bob.id), "can't be used"):
        assert word not in text
    studio.pool.resume()
    for reply in replies:
        await done(reply)
    text = (await overview(place)).text
    assert "Nobody waits." in text
    assert "A picture of yours would begin" in text


async def test_a_queue_that_takes_nothing_says_why(
    place: Place, model: Path, tmp_path: Path
) -> None:
    settings = settings_for(model, tmp_path)
    limits = settings.limits.model_copy(update={"queue_length": 1})
    settings = settings.model_copy(update={"limits": limits})
    async with open_studio(settings) as studio, place.wire.connect(StudioBot(studio)):
        studio.pool.pause()
        await (await ask(place)).message(lambda m: "Cancel" in m.buttons)
        text = (await overview(place)).text
        assert "1 job waits" in text
        assert "Nothing new is taken now: The queue is full" in text.replace("*", "")


async def test_models_that_cannot_be_used_are_named_with_the_reason_and_the_rest_paints(
    place: Place, model: Path, tmp_path: Path
) -> None:
    """One was cut off before the start, another after it: what is there at a worker's start."""
    for name in ("early", "late"):
        shutil.copytree(model, tmp_path / name)
    cut(tmp_path / "early")
    settings = settings_for(model, tmp_path / "data")
    more = {
        name: ModelSettings(path=tmp_path / name, steps=2, size_px=128, sampler="euler")
        for name in ("early", "late")
    }
    settings = settings.model_copy(update={"models": settings.models | more})
    async with open_studio(settings) as studio, place.wire.connect(StudioBot(studio)):
        await studio.pool.ready()
        text = (await overview(place)).text
        assert "early: diffusion" in text.replace("*", "")
        assert "cut off; download it again" in text
        assert "late:" not in text.replace("*", "")
        cut(tmp_path / "late")
        found_out = said("limner.pipelines.serving.supervisor", "late cannot be used")
        (worker,) = studio.pool.state.workers
        assert worker.pid is not None
        psutil.Process(worker.pid).kill()
        await asyncio.wait_for(found_out, PATIENCE_S)
        text = (await overview(place)).text.replace("*", "")
        assert "early: " in text
        assert "late: " in text
        # Where the owner keeps models is nobody's business.
        assert str(tmp_path) not in text
        await done(await ask(place))


def cut(model: Path) -> None:
    """Half of its largest file; in place of the whole one, which somebody may have mapped."""
    weights = next((model / "unet").glob("*.safetensors"))
    half = weights.read_bytes()[: weights.stat().st_size // 2]
    aside = weights.with_name("half")
    aside.write_bytes(half)
    aside.replace(weights)


def said(name: str, words: str) -> asyncio.Future[None]:
    """Done once a logger of that name says these words."""
    heard = asyncio.get_running_loop().create_future()
    logger = logging.getLogger(name)

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if words in record.getMessage():
                logger.removeHandler(self)
                heard.set_result(None)

    logger.addHandler(Ear())
    return heard
