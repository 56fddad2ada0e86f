"""Through the real studio and the shipped model: variations leave their picture as far as the
strength says, inpainting changes what is masked and nothing else."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image, ImageDraw

import limner.pipelines
from limner.bot.ask import Ask
from limner.bot.member import Member
from limner.bot.opening import open_studio
from limner.bot.settings import ModelSettings, Settings, StorageSettings
from limner.bot.underlay import lay_part, vary
from limner.storage.records import Origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from limner.bot.studio import Studio
    from limner.pipelines.serving.updates import Update
    from limner.storage.records import Job, Picture

HOUSE = Path(limner.pipelines.__file__).parent / "house"
MEMBER = Member(user_id=3, guild_id=4)
ORIGIN = Origin(user_id=3, guild_id=4)

pytestmark = pytest.mark.asyncio(loop_scope="module")


def disc() -> Image.Image:
    """One plain shape on a plain ground."""
    image = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(image).ellipse((30, 30, 98, 98), fill=(200, 30, 30))
    return image


class Ends:
    """A teller that hands over every job's pictures."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._ended: dict[int, asyncio.Future[Sequence[Picture]]] = {}

    def _future(self, job_id: int) -> asyncio.Future[Sequence[Picture]]:
        return self._ended.setdefault(job_id, asyncio.get_running_loop().create_future())

    def moved(self, job: Job, update: Update) -> None:
        pass

    async def ended(self, job: Job, pictures: Sequence[Picture]) -> None:
        await self._studio.storage.jobs.told(job.id)
        self._future(job.id).set_result(pictures)

    async def paint(self, ask: Ask) -> Image.Image:
        job = await self._studio.submit(ask, ORIGIN, MEMBER)
        (picture,) = await asyncio.wait_for(self._future(job.id), 240)
        png = await self._studio.storage.images.read(picture.sha256)
        image = Image.open(io.BytesIO(png))
        assert image.size == (picture.width, picture.height)
        return image.convert("RGB")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def easel(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Studio, Ends]]:
    settings = Settings(
        models={"house": ModelSettings(path=HOUSE, steps=8, guidance_scale=1.0, sampler="ddim")},
        storage=StorageSettings(folder=tmp_path_factory.mktemp("data"), free_mib=1),
    )
    async with open_studio(settings) as studio:
        ends = Ends(studio)
        await studio.attach(ends)
        yield studio, ends
        await studio.detach()


def array(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), dtype=np.float64)


async def test_the_distance_from_the_picture_grows_with_strength(
    easel: tuple[Studio, Ends],
) -> None:
    studio, ends = easel
    picture = disc()
    distances: list[float] = []
    for strength in (0.13, 0.5, 1.0):
        ask = await vary(studio, Ask("a blue star", seed=5), picture, strength)
        painted = await ends.paint(ask)
        distances.append(float(np.sqrt(((array(painted) - array(picture)) ** 2).mean())))
    assert distances[0] < distances[1] < distances[2], distances
    assert distances[0] < 0.6 * distances[2], distances


async def test_inpainting_changes_what_is_masked_and_nothing_else(
    easel: tuple[Studio, Ends],
) -> None:
    studio, ends = easel
    rng = np.random.default_rng(3)
    large = Image.fromarray(rng.integers(0, 256, (300, 420, 3), np.uint8))
    mask = Image.new("L", large.size, 0)
    mask.paste(255, (250, 40, 330, 120))
    ask = await lay_part(studio, Ask("a red heart", seed=5), large, mask)
    assert ask.canvas is not None
    painted = await ends.paint(ask)
    before, after, shape = array(large), array(painted), np.asarray(mask)
    assert (after[shape == 0] == before[shape == 0]).all()
    assert (after[shape == 255] != before[shape == 255]).mean() > 0.9
