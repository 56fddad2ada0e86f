"""Lives on a small disk of its own until that is full: what `test_full_disk` runs in a process.

`python -m tests.bot.full_disk FOLDER MODEL`; each line it prints is one thing that has happened.
"""

from __future__ import annotations

import asyncio
import errno
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from limner.bot import endings
from limner.bot.errors import RefusedError
from limner.bot.opening import open_studio
from limner.bot.settings import EngineSettings
from limner.storage.errors import StorageError

from .test_studio import ANN, HERE, RED_HEART, logged, open_with_listener, settings_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limner.bot.studio import Studio
    from limner.storage.records import Job, Picture


def say(*words: object) -> None:
    print(*words, flush=True)


def fill(ballast: Path) -> None:
    """Takes every byte that is left."""
    size = 1 << 20
    with ballast.open("ab", buffering=0) as file:
        while size:
            try:
                # Short where the room ends within it.
                file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2


async def are_like(
    studio: Studio, undisturbed: Picture, ended: Sequence[tuple[Job, Sequence[Picture]]]
) -> bool:
    """All stored, and the same but for what another batch size may do: 2 of 255."""
    names = [undisturbed.sha256, *(picture.sha256 for _, (picture,) in ended)]
    first, *others = [
        np.asarray(Image.open(io.BytesIO(await studio.storage.images.read(name)))).astype(int)
        for name in names
    ]
    return all(np.abs(other - first).max() <= 2 for other in others)


async def live(folder: Path, model: Path) -> None:
    settings = settings_for(model, folder / "data").model_copy(
        update={"engine": EngineSettings(dtype="float32")}
    )
    ballast = folder / "ballast"
    endings._RETRIES_S = (0.5,) * 200
    async with open_with_listener(settings) as (studio, listener):
        _, (undisturbed,) = await listener.end_of(await studio.submit(RED_HEART, HERE, ANN))
        studio.pool.pause()
        jobs = [await studio.submit(RED_HEART, HERE, ANN) for _ in range(3)]
        fill(ballast)
        try:
            await studio.submit(RED_HEART, HERE, ANN)
        except RefusedError as error:
            say("refused:", error)
        told_later = logged("limner.bot.endings", "can't be written yet")
        studio.pool.resume()
        await asyncio.wait_for(told_later, 240)
        ballast.unlink()
        # The first attempt that is made again.
        ended = [await listener.end_of(job) for job in jobs]
        say("stored", await are_like(studio, undisturbed, ended))

        studio.pool.pause()
        jobs = [await studio.submit(RED_HEART, HERE, ANN) for _ in range(2)]
        fill(ballast)
        told_later = logged("limner.bot.endings", "can't be written yet")
        studio.pool.resume()
        await asyncio.wait_for(told_later, 240)
    say("closed")
    try:
        async with open_studio(settings):
            say("opened")
    except StorageError as error:
        say("not opened:", error)
    ballast.unlink()
    async with open_with_listener(settings) as (studio, listener):
        ended = [await listener.end_of(job) for job in jobs]
        say("stored", await are_like(studio, undisturbed, ended))
        await studio.detach()
        balance = await studio.storage.ledger.balance(5, ANN.user_id)
        say("credits", balance.held, balance.settled)
        say("sound", (await studio.storage.check()).is_sound)


if __name__ == "__main__":
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    asyncio.run(live(Path(sys.argv[1]), Path(sys.argv[2])))
