"""One worker that nothing happens to: everything a ticket can go through."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sys
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING

import psutil
import pytest
import pytest_asyncio
from PIL import Image

from limner.pipelines.checkpoint import Checkpoint, describe
from limner.pipelines.errors import InvalidRequestError, QueueFullError
from limner.pipelines.finish.png import read_parameters
from limner.pipelines.pictures import PictureFile
from limner.pipelines.serving.config import Limits, PoolConfig
from limner.pipelines.serving.pool import WorkerPool
from limner.pipelines.serving.state import WorkerStatus
from limner.pipelines.serving.updates import (
    Began,
    Broke,
    Cause,
    Done,
    Moved,
    Painted,
    Previewed,
    Update,
    Waiting,
    Withdrawn,
)

from .conftest import Ear, ticket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def torn(model: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A model whose weights were cut off after it was described."""
    folder: Path = tmp_path_factory.mktemp("torn") / "model"
    shutil.copytree(model.path, folder)
    checkpoint = describe(folder, name="torn")
    weights = next((folder / "unet").glob("*.safetensors"))
    with weights.open("r+b") as file:
        file.truncate(weights.stat().st_size // 2)
    return checkpoint


@pytest.fixture(scope="module")
def roomy(model: Checkpoint) -> Checkpoint:
    """The same model for pictures of 128 by 128 and more: they take memory worth limiting."""
    return describe(model.path, name="roomy", size_px=128, steps=1, sampler="ddim")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(
    model: Checkpoint, torn: Checkpoint, roomy: Checkpoint
) -> AsyncGenerator[tuple[WorkerPool, Ear]]:
    ear = Ear()
    limits = Limits(waiting=3, waiting_per_tenant=None, waiting_per_group=None)
    config = PoolConfig(
        (model, torn, roomy),
        devices=("cpu",),
        dtype="float32",
        limits=limits,
        fixed_bucket=8,
        max_rows=8,
    )
    async with WorkerPool(config, ear) as pool:
        await pool.ready()
        yield pool, ear


async def test_a_ticket_is_told_of_in_order_and_its_pictures_say_how_they_were_made(
    pool: WorkerPool, ear: Ear
) -> None:
    waiting = pool.submit(ticket("a", seeds=(7, 8), negative_prompt="bläulich"))
    assert waiting.place == 1
    assert await ear.end("a") == Done("a")
    told = ear.of("a")
    kinds = [type(update) for update in told if not isinstance(update, Moved | Waiting)]
    assert kinds == [Began, Painted, Painted, Done]
    moved = [update for update in told if isinstance(update, Moved)]
    assert [m.step for m in moved] == sorted(m.step for m in moved)
    assert all(m.steps == 8 for m in moved)
    for index, png in ear.painted("a").items():
        parameters = read_parameters(png)
        assert parameters is not None
        assert parameters.prompt == "a red cat"
        assert parameters.negative_prompt == "bläulich"
        assert (parameters.seed, parameters.steps, parameters.sampler) == (7 + index, 4, "ddim")
        assert parameters.model == "small"
        assert Image.open(BytesIO(png)).size == (parameters.width, parameters.height)


async def test_what_is_told_of_a_picture_is_what_its_file_says(pool: WorkerPool, ear: Ear) -> None:
    pool.submit(ticket("a"))
    await ear.end("a")
    painted = next(u for u in ear.of("a") if isinstance(u, Painted))
    assert json.loads(painted.parameters_json)["seed"] == painted.seed == 1
    assert painted.timings.denoised_s > 0


async def test_a_seed_gives_the_same_file_whatever_its_company(pool: WorkerPool, ear: Ear) -> None:
    pool.submit(ticket("alone"))
    await ear.end("alone")
    crowd = [ticket("x", seeds=(3, 4), steps=6), ticket("alone2"), ticket("y", guidance_scale=1.0)]
    for one in crowd:
        pool.submit(one)
    await ear.ends("x", "alone2", "y")
    image, again = (Image.open(BytesIO(ear.painted(key)[0])) for key in ("alone", "alone2"))
    assert image.tobytes() == again.tobytes()


async def test_a_request_without_a_seed_gets_one_that_makes_it_again(
    pool: WorkerPool, ear: Ear
) -> None:
    pool.submit(ticket("drawn", seeds=(None,)))
    await ear.end("drawn")
    drawn = next(u for u in ear.of("drawn") if isinstance(u, Painted))
    pool.submit(ticket("drawn!", seeds=(drawn.seed,)))
    await ear.end("drawn!")
    images = [Image.open(BytesIO(ear.painted(key)[0])) for key in ("drawn", "drawn!")]
    assert images[0].tobytes() == images[1].tobytes()


async def test_what_can_never_be_painted_breaks_alone_with_a_sentence(
    pool: WorkerPool, ear: Ear
) -> None:
    pool.submit(ticket("odd", width=13))
    pool.submit(ticket("fine"))
    odd, fine = await ear.ends("odd", "fine")
    assert isinstance(odd, Broke)
    assert odd.cause is Cause.REQUEST
    assert "multiples" in odd.sentence
    assert fine == Done("fine")


async def test_a_picture_in_a_file_is_painted_from_as_it_is_when_its_turn_comes(
    pool: WorkerPool, ear: Ear, tmp_path: Path
) -> None:
    later, never = (PictureFile(tmp_path / name) for name in ("later.png", "never.png"))
    picture = Image.new("RGB", (32, 32), "red")
    pool.pause()
    pool.submit(ticket("later", init_image=later, strength=0.5, width=32, height=32))
    pool.submit(ticket("never", init_image=never, strength=0.5, width=32, height=32))
    picture.save(later.path)
    pool.resume()
    pool.submit(ticket("now", init_image=picture, strength=0.5))
    ended, gone, _ = await ear.ends("later", "never", "now")
    assert ended == Done("later")
    assert isinstance(gone, Broke)
    assert gone.cause is Cause.REQUEST
    assert "send it again" in gone.sentence
    images = [Image.open(BytesIO(ear.painted(key)[0])) for key in ("later", "now")]
    assert images[0].tobytes() == images[1].tobytes()


class Heavy(PictureFile):
    """Too big for this machine's memory just now."""

    __slots__ = ()

    def open(self) -> Image.Image:
        raise MemoryError


async def test_a_picture_that_cannot_be_read_just_now_breaks_its_ticket_alone(
    pool: WorkerPool, ear: Ear, tmp_path: Path
) -> None:
    heavy = Heavy(tmp_path / "heavy.png")
    pool.submit(ticket("heavy", init_image=heavy, strength=0.5, width=32, height=32))
    pool.submit(ticket("fine"))
    broke, fine = await ear.ends("heavy", "fine")
    assert isinstance(broke, Broke)
    assert broke.cause is Cause.PAINTING
    assert "try again" in broke.sentence
    assert fine == Done("fine")


async def test_a_ticket_whose_work_cannot_be_told_is_refused_and_blocks_nobody(
    pool: WorkerPool, ear: Ear, tmp_path: Path
) -> None:
    """Its size is that of a picture that is gone."""
    gone = PictureFile(tmp_path / "gone.png")
    with pytest.raises(InvalidRequestError, match="send it again"):
        pool.submit(ticket("gone", init_image=gone, strength=0.5))
    assert pool.state.num_waiting == 0
    pool.submit(ticket("fine"))
    assert await ear.end("fine") == Done("fine")


async def test_a_torn_model_says_why_and_the_others_paint(pool: WorkerPool, ear: Ear) -> None:
    worker = pool.state.workers[0]
    assert worker.models == ("small", "roomy")
    assert "torn" in worker.broken_models["torn"]
    assert worker.reason
    pool.submit(ticket("lost", model="torn"))
    pool.submit(ticket("fine"))
    lost, fine = await ear.ends("lost", "fine")
    assert isinstance(lost, Broke)
    assert (lost.cause, lost.sentence) == (Cause.MODEL, worker.broken_models["torn"])
    assert fine == Done("fine")


async def test_cancelling_withdraws_what_waits_and_what_is_painted(
    pool: WorkerPool, ear: Ear
) -> None:
    for key in ("running", "waiting"):
        pool.submit(ticket(key, seeds=(1, 2, 3, 4), steps=100))
    await ear.until(lambda u: u == Began("running"))
    assert pool.cancel("waiting")
    assert pool.cancel("running")
    assert pool.cancel("running"), "it has not ended yet"
    ends = await ear.ends("waiting", "running")
    assert ends == [Withdrawn("waiting"), Withdrawn("running")]
    assert not ear.painted("running")
    assert not pool.cancel("running")
    assert pool.state.num_running == pool.state.num_waiting == 0


async def test_previews_come_while_somebody_watches(pool: WorkerPool, ear: Ear) -> None:
    pool.submit(ticket("watched", steps=100))
    pool.submit(ticket("unwatched", steps=100))
    pool.watch("watched", True)
    preview = await ear.until(lambda u: isinstance(u, Previewed))
    assert isinstance(preview, Previewed)
    assert preview.key == "watched"
    assert Image.open(BytesIO(preview.image)).format == "WEBP"
    for key in ("watched", "unwatched"):
        pool.cancel(key)
    await ear.ends("watched", "unwatched")
    assert not any(isinstance(u, Previewed) for u in ear.of("unwatched"))


async def test_a_pause_lets_tickets_wait_and_a_full_queue_says_when_again(
    pool: WorkerPool, ear: Ear
) -> None:
    pool.pause()
    try:
        places = [pool.submit(ticket(str(i))).place for i in range(3)]
        assert places == [1, 2, 3]
        with pytest.raises(QueueFullError) as refused:
            pool.submit(ticket("one too many"))
        # How long the pause will be is known to nobody.
        assert refused.value.again_s is None
        waiting = pool.submit(ticket("recovered"), is_recovered=True)
        assert waiting == Waiting("recovered", 4, None)
        assert pool.estimate_s(1.0, "somebody") is None
        assert (pool.state.num_waiting, pool.state.is_paused) == (4, True)
    finally:
        pool.resume()
    assert pool.estimate_s(1.0, "somebody") is not None
    assert await ear.ends("0", "1", "2", "recovered") == [
        Done(key) for key in ("0", "1", "2", "recovered")
    ]


async def test_a_burst_of_tickets_costs_a_few_plays_and_all_soon_hear_their_time(
    pool: WorkerPool, ear: Ear
) -> None:
    def wait_s(update: Update) -> float | None:
        return update.wait_s if isinstance(update, Waiting) else None

    # Fills the worker, so that all others wait.
    pool.submit(ticket("busy", seeds=(1, 2, 3, 4), steps=150))
    await ear.until(lambda u: isinstance(u, Began) and u.key == "busy")
    keys = ["busy", *(f"burst {i}" for i in range(400))]
    try:
        pool.restore([ticket(key, tenant=f"t{i % 7}") for i, key in enumerate(keys[1:300])])
        told = [pool.submit(ticket(key), is_recovered=True) for key in keys[300:]]
        assert [one.place > 0 for one in told] == [True] * 101
        assert told[0].wait_s is not None
        assert told[-1].wait_s is None
        last = await ear.until(lambda u: u.key == keys[-1] and wait_s(u) is not None)
        assert isinstance(last, Waiting)
        with pytest.raises(QueueFullError) as refused:
            pool.submit(ticket("one too many"))
        assert refused.value.again_s is not None
    finally:
        for key in keys:
            pool.cancel(key)
    await ear.ends(*keys)


async def test_one_whose_picture_is_gone_does_not_keep_others_from_being_restored(
    pool: WorkerPool, ear: Ear, tmp_path: Path
) -> None:
    gone = PictureFile(tmp_path / "gone.png")
    pool.restore([ticket("a"), ticket("of nothing", init_image=gone), ticket("b")])
    broke = await ear.end("of nothing")
    assert isinstance(broke, Broke)
    assert "is gone" in broke.sentence
    assert broke.cause is Cause.REQUEST
    assert await ear.ends("a", "b") == [Done("a"), Done("b")]


async def test_the_pool_has_no_task_of_its_own(pool: WorkerPool) -> None:
    assert pool.state.is_ready
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_no_prompt_is_logged_above_debug(
    pool: WorkerPool, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    # Longer than CLIP reads, which its tokenizer's library would like to warn about.
    pool.submit(ticket("long", prompt="secret " * 200))
    pool.submit(ticket("odd", prompt="secret", width=13))
    await ear.ends("long", "odd")
    assert "secret" not in caplog.text


async def test_the_state_tells_what_was_done(pool: WorkerPool, ear: Ear) -> None:
    before = pool.state
    pool.submit(ticket("one", seeds=(1, 2)))
    pool.submit(ticket("bad", width=13))
    await ear.ends("one", "bad")
    after = pool.state
    assert after.pictures == before.pictures + 2
    assert after.failures[Cause.REQUEST] == before.failures.get(Cause.REQUEST, 0) + 1
    worker = after.workers[0]
    assert worker.status is WorkerStatus.READY
    assert worker.ticks > before.workers[0].ticks
    assert worker.rows_per_tick > 0
    assert worker.memory_bytes > 10**7
    assert worker.tick_s is not None


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit")
async def test_what_does_not_fit_into_memory_ends_and_the_rest_is_painted(
    pool: WorkerPool, ear: Ear
) -> None:
    import resource

    pid = pool.state.workers[0].pid
    assert pid is not None
    before = resource.prlimit(pid, resource.RLIMIT_AS)
    limit = psutil.Process(pid).memory_info().vms + 32 * 2**20
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, before[1]))
    try:
        huge = {"model": "roomy", "width": 192, "height": 192, "steps": 1}
        pool.submit(ticket("huge", seeds=(1, 2, 3, 4), **huge))
        pool.submit(ticket("fine"))
        ended, fine = await ear.ends("huge", "fine")
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_AS, before)
    # Split, painted by a new process, or refused: it ends, and nobody else's fails.
    assert isinstance(ended, Broke | Done)
    assert fine == Done("fine")
    pool.submit(ticket("later"))
    assert await ear.end("later") == Done("later")
