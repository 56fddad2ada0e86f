"""Nothing leaves a worker unjudged: finished pictures, previews, and what a ticket starts from."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from PIL import Image

from limner.pipelines.errors import WorkerError
from limner.pipelines.safety.checker import Safety, Verdict
from limner.pipelines.serving.config import Patience, PoolConfig
from limner.pipelines.serving.pool import WorkerPool
from limner.pipelines.serving.state import WorkerStatus
from limner.pipelines.serving.updates import (
    Blocked,
    Broke,
    Cause,
    Done,
    Moved,
    Painted,
    Previewed,
    Withdrawn,
)
from tests.pipelines.safety.models import make_checker

from .conftest import PATIENCE_S, Ear, strike, ticket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from limner.pipelines.checkpoint import Checkpoint

MODULE = pytest.mark.asyncio(loop_scope="module")
RED, BLUE, GREY = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "grey"))
SEEDS = (1, 2, 3)


def config(model: Checkpoint, safety: Safety | None) -> PoolConfig:
    return PoolConfig(
        (model,),
        devices=("cpu",),
        dtype="float32",
        patience=Patience(restart_s=0.01, tick_s=30.0),
        max_rows=8,
        fixed_bucket=8,
        safety=safety,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pngs(model: Checkpoint) -> dict[int, bytes]:
    """What each seed paints where nobody judges."""
    ear = Ear()
    async with WorkerPool(config(model, None), ear) as pool:
        pool.submit(ticket("plain", seeds=SEEDS))
        assert await ear.end("plain") == Done("plain")
    for update in ear.updates:
        assert not isinstance(update, Painted) or update.verdict is None
    return {seed: ear.painted("plain")[index] for index, seed in enumerate(SEEDS)}


@pytest.fixture(scope="module")
def folder(pngs: dict[int, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checker to which a red picture is unsafe, and what seed 2 paints."""
    folder = tmp_path_factory.mktemp("checker")
    painted = {seed: Image.open(BytesIO(png)) for seed, png in pngs.items()}
    make_checker(folder, unsafe=[RED, painted.pop(2)], safe=[BLUE, GREY, *painted.values()])
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(model: Checkpoint, folder: Path) -> AsyncGenerator[tuple[WorkerPool, Ear]]:
    ear = Ear()
    async with WorkerPool(config(model, Safety(str(folder))), ear) as pool:
        await pool.ready()
        yield pool, ear


def finished(ear: Ear, key: str) -> list[int]:
    """Whatever the checker thinks of them."""
    return sorted(u.index for u in ear.of(key) if isinstance(u, Painted | Blocked))


@MODULE
async def test_an_unsafe_picture_stays_in_the_worker_and_its_companions_come(
    pool: WorkerPool, ear: Ear, pngs: dict[int, bytes]
) -> None:
    pool.submit(ticket("a", seeds=SEEDS))
    assert await ear.end("a") == Done("a")
    (blocked,) = [update for update in ear.of("a") if isinstance(update, Blocked)]
    assert blocked.index == 1
    assert blocked.sha256 == hashlib.sha256(pngs[2]).hexdigest()
    assert blocked.verdict.is_unsafe
    assert blocked.verdict.checker == "stable-diffusion"
    assert ear.painted("a") == {0: pngs[1], 2: pngs[3]}
    verdicts = [update.verdict for update in ear.of("a") if isinstance(update, Painted)]
    assert all(verdict is not None and not verdict.is_unsafe for verdict in verdicts)


@MODULE
async def test_where_it_may_be_shown_it_comes_with_its_verdict(
    pool: WorkerPool, ear: Ear, pngs: dict[int, bytes]
) -> None:
    pool.submit(replace(ticket("a", seeds=(2, 3)), shows_unsafe=True))
    assert await ear.end("a") == Done("a")
    told = {u.index: u.verdict for u in ear.of("a") if isinstance(u, Painted)}
    assert {i: v is not None and v.is_unsafe for i, v in told.items()} == {0: True, 1: False}
    assert ear.painted("a")[0] == pngs[2]


@MODULE
async def test_a_ticket_that_starts_from_an_unsafe_picture_paints_nothing(
    pool: WorkerPool, ear: Ear
) -> None:
    for key, ground in (("red", RED), ("blue", BLUE)):
        one = ticket(key, seeds=(1, 3), init_image=ground, strength=0.5)
        pool.submit(replace(one, ground=ground))
    ended = await ear.end("red")
    assert isinstance(ended, Broke)
    assert ended.cause is Cause.UNSAFE
    assert isinstance(ended.verdict, Verdict)
    assert ended.verdict.is_unsafe
    assert "unsafe" in ended.sentence
    assert await ear.end("blue") == Done("blue")
    assert finished(ear, "blue") == [0, 1]
    assert not [u for u in ear.of("red") if isinstance(u, Moved | Painted | Previewed)]


@MODULE
async def test_where_it_may_be_shown_what_starts_from_an_unsafe_picture_is_unsafe(
    pool: WorkerPool, ear: Ear
) -> None:
    for key, ground in (("red", RED), ("blue", BLUE)):
        # Harmless themselves, both.
        pool.submit(replace(ticket(key, seeds=(1, 3)), ground=ground, shows_unsafe=True))
    assert await ear.end("red") == Done("red")
    assert await ear.end("blue") == Done("blue")
    for key, is_unsafe in (("red", True), ("blue", False)):
        told = {u.index: u.verdict for u in ear.of(key) if isinstance(u, Painted)}
        assert {i: v is not None and v.is_unsafe for i, v in told.items()} == {
            0: is_unsafe,
            1: is_unsafe,
        }


@MODULE
async def test_cancelled_while_its_ground_is_judged_it_ends_once_and_its_name_is_free_again(
    pool: WorkerPool, ear: Ear
) -> None:
    """Both messages are in the pipe before the verdict is: it finds nobody waiting."""
    for _ in range(3):
        ear.updates.clear()
        pool.submit(replace(ticket("a", init_image=BLUE, strength=0.5), ground=BLUE))
        asyncio.get_running_loop().call_soon(pool.cancel, "a")
        assert await ear.end("a") == Withdrawn("a")
    ear.updates.clear()
    pool.submit(replace(ticket("a", init_image=BLUE, strength=0.5), ground=BLUE))
    assert await ear.end("a") == Done("a")
    assert finished(ear, "a") == [0]


@MODULE
async def test_a_killed_worker_judges_again_when_it_is_back(
    pool: WorkerPool, ear: Ear, pngs: dict[int, bytes]
) -> None:
    pool.submit(replace(ticket("a", seeds=(2,), steps=30), ground=GREY))
    await ear.until(lambda u: isinstance(u, Moved))
    strike(pool)
    pool.submit(replace(ticket("red", init_image=RED, strength=0.5), ground=RED))
    assert isinstance(await ear.end("red"), Broke)
    assert await ear.end("a") == Done("a")


async def test_no_preview_of_an_unsafe_picture_leaves(model: Checkpoint, tmp_path: Path) -> None:
    """With a checker so strict that everything is unsafe to it."""
    strict = make_checker(tmp_path)
    strict.concept_embeds_weights.data.fill_(-1.0)
    strict.save_pretrained(tmp_path / "safety_checker")
    ear = Ear()
    async with WorkerPool(config(model, Safety(str(tmp_path))), ear) as pool:
        pool.submit(replace(ticket("a", steps=120), wants_previews=True))
        pool.submit(replace(ticket("b", steps=60), wants_previews=True, shows_unsafe=True))
        assert await ear.end("a") == Done("a")
        assert await ear.end("b") == Done("b")
    assert not [update for update in ear.updates if isinstance(update, Previewed)]
    assert not ear.painted("a")
    assert set(ear.painted("b")) == {0}


async def test_with_a_broken_checker_nothing_is_painted_and_the_reason_is_told_at_once(
    model: Checkpoint, folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "checker"
    shutil.copytree(folder, broken)
    weights = broken / "safety_checker" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    ear = Ear()
    patience = Patience(broken_s=0.5)
    async with WorkerPool(
        replace(config(model, Safety(str(broken))), patience=patience), ear
    ) as pool:
        pool.submit(ticket("early"))
        with pytest.raises(WorkerError, match="safety checker"):
            await asyncio.wait_for(pool.ready(), PATIENCE_S)
        ended = await ear.end("early")
        assert isinstance(ended, Broke)
        assert "safety checker can't be loaded" in ended.sentence
        (worker,) = pool.state.workers
        assert worker.status is WorkerStatus.BROKEN
        assert str(broken) in worker.reason
        assert worker.restarts == 1
        with pytest.raises(WorkerError, match="Nothing is painted"):
            pool.submit(ticket("late"))
        # Mended, it opens by itself.
        weights.write_bytes(whole)
        while not pool.state.is_ready:
            await ear.moment()
        pool.submit(ticket("mended"))
        assert await ear.end("mended") == Done("mended")
    assert not ear.painted("early")
