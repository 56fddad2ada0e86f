"""`limner run` told to stop: polite, quick, and the next start goes on where it was."""

from __future__ import annotations

import asyncio
import hashlib
import io
import signal
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from PIL import Image

from limner.storage.records import JobStatus
from limner.storage.storage import Storage
from tests.pipelines.models import make_house_like
from tests.wire import Fault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire import Wire
    from tests.wire.entities import Message
    from tests.wire.replies import Reply

PAINTING_PATIENCE_S = 240.0
SHIPPED = "tests.acceptance.shipped:run"

CAT = {"prompt": "a cat", "seed": 8, "steps": 100, "count": 4}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to handle")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a bot whose model paints a hundred steps in some seconds."""
    model = make_house_like(tmp_path / "model")
    config = tmp_path / "config.toml"
    config.write_text(
        f"[models.tiny]\npath = {str(model)!r}\nsteps = 2\nsampler = 'ddim'\n"
        "[engine]\ndevice = 'cpu'\ndtype = 'float32'\n"
        # A card is edited at its beginning and at its end.
        "[discord]\nedit_interval_s = 60\n"
        "[limits]\ncredits_per_day = 10000\n"
        f"[storage]\nfolder = {str(tmp_path / 'data')!r}\nfree_mib = 1\n"
    )
    monkeypatch.setenv("LIMNER_CONFIG", str(config))
    return tmp_path / "data"


def is_painted(message: Message) -> bool:
    return len(message.gallery) == 1 and "Paint again" in message.buttons


def refusal_in(reply: Reply) -> Message | None:
    """At once, or beside a placeholder that came before the bot had heard of its end."""
    messages = [reply.interaction.original, *reply.interaction.followups]
    words = "restarted: ask again in a minute"
    return next((m for m in messages if m is not None and words in m.text), None)


def workers_of(pid: int) -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process(pid).children(recursive=True)
        if "limner.pipelines.serving.worker" in " ".join(process.cmdline())
    ]


async def test_a_stopped_bot_refuses_kindly_leaves_in_time_and_goes_on_at_the_next_start(
    wire: Wire, data: Path
) -> None:
    guild = wire.world.guild()
    channel, ann, ben = guild.channel(), guild.member("ann"), guild.member("ben")
    async with wire.spawn(SHIPPED) as bot:
        # The end of a short one is on its way, which keeps the bot from leaving at once.
        upload = wire.faults.order(Fault.slow(), "/webhooks/*", method="PATCH", after=1)
        short = await wire.slash(ann, channel, "imagine", prompt="a red heart", seed=7)
        await upload.reached(PAINTING_PATIENCE_S)
        long = await wire.slash(ann, channel, "imagine", **CAT)
        await long.message(lambda m: "Cancel" in m.buttons)
        (worker,) = workers_of(bot.pid)
        began = time.monotonic()
        bot.send_signal(signal.SIGTERM)
        late = await wire.slash(ben, channel, "imagine", prompt="a dog")
        refusal = await wire.until(lambda: refusal_in(late), "a refusal")
        assert refusal.is_ephemeral
        upload.release()
        assert await bot.wait() == 0
        assert time.monotonic() - began < 10
    _, alive = await asyncio.to_thread(psutil.wait_procs, [worker], timeout=60)
    assert not alive
    unpainted = await long.message()
    assert not unpainted.gallery

    async with Storage.open(data) as storage:
        jobs = await storage.jobs.by_user(ann.id, guild.id)
        (job,) = [job for job in jobs if job.new.prompt == CAT["prompt"]]
        assert job.status in (JobStatus.QUEUED, JobStatus.RUNNING)
        assert not await storage.jobs.by_user(ben.id, guild.id)

    async with wire.spawn(SHIPPED) as bot:
        painted = await long.message(lambda m: len(m.gallery) == 4, timeout_s=PAINTING_PATIENCE_S)
        assert painted.id == unpainted.id
        await short.message(is_painted, timeout_s=PAINTING_PATIENCE_S)
        received = [await wire.fetch(picture.url) for picture in painted.gallery]
        again = await wire.slash(
            ann, channel, "imagine", prompt="a cat", seed=8, steps=100, count=4
        )
        same = await again.message(lambda m: len(m.gallery) == 4, timeout_s=PAINTING_PATIENCE_S)
        # Undisturbed, the same, but for what other sizes of batch may change: 2 of 255.
        undisturbed = [await wire.fetch(picture.url) for picture in same.gallery]
        for one, other in zip(received, undisturbed, strict=True):
            apart = [np.asarray(Image.open(io.BytesIO(png))).astype(int) for png in (one, other)]
            assert np.abs(apart[0] - apart[1]).max() <= 2
        bot.send_signal(signal.SIGTERM)
        assert await bot.wait() == 0
    assert sum(bool(message.gallery) for message in channel.timeline) == 3

    async with Storage.open(data) as storage:
        ended = await storage.jobs.get(job.id)
        assert ended.status is JobStatus.DELIVERED
        pictures = await storage.images.of_job(job.id)
        assert [p.sha256 for p in pictures] == [hashlib.sha256(png).hexdigest() for png in received]
        assert (await storage.check()).is_sound
