"""Kills the worker and the whole bot at random moments under load, and counts what was lost.

Run as `python -m limner.benchmarks.kills --model FOLDER --worker-kills 50 --bot-kills 50`. A bot
here is a studio with a teller that writes down whom it told; Discord's part of delivery is tested
on the wire.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psutil
from PIL import Image, ImageChops

from ..bot.ask import Ask
from ..bot.errors import RefusedError
from ..bot.member import Member
from ..bot.opening import open_studio
from ..bot.settings import (
    HOUSE_MODEL,
    EngineSettings,
    LimitSettings,
    ModelSettings,
    Settings,
    StorageSettings,
)
from ..storage.records import JobStatus, Origin
from ..storage.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import TextIOWrapper

    from ..bot.studio import Studio
    from ..pipelines.serving.updates import Update
    from ..storage.records import Job, Picture

_SAME = 2
"""Of 255: what another batch size may do to a picture."""
_USERS = 5
_WAITING = 12
"""Jobs under way at a time: enough that every phase is hit."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found after the last life. All well: `accepted == ended`, and zeros."""

    accepted: int
    """Jobs whose acceptance their owner was told of."""
    ended: int
    delivered: int
    failed: int
    told_twice: int
    """Ends that were told again after having been written down as told."""
    largest_difference: int
    """Of any pixel, out of 255, between pictures of one prompt and seed: those of the last life,
    which nothing disturbed, are among them."""
    problems: tuple[str, ...]
    """What storage's own check says: credits, orphans, missing files."""
    worker_kills: int
    bot_kills: int
    seconds: float

    @property
    def is_well(self) -> bool:
        return (
            self.accepted == self.ended
            and not self.told_twice
            and self.largest_difference <= _SAME
            and not self.problems
        )


def settings_for(model: Path, folder: Path) -> Settings:
    return Settings(
        models={"model": ModelSettings(path=model, steps=4, sampler="euler_a")},
        engine=EngineSettings(device="cpu", dtype="float32", threads=1),
        limits=LimitSettings(waiting_per_user=100, credits_per_day=0),
        storage=StorageSettings(folder=folder, free_mib=1),
    )


def asks() -> list[Ask]:
    """A few prompts, so that a picture can be compared with an undisturbed one of the same ask."""
    return [
        Ask(prompt, seed=seed, count=1 + seed % 2)
        for seed, prompt in enumerate(("a red heart", "a cat", "a blue star", "a dog"))
    ]


class Notebook:
    """Lines that are on the disk before anybody is told of them."""

    def __init__(self, path: Path) -> None:
        self._file: TextIOWrapper = path.open("a", encoding="utf-8")

    def close(self) -> None:
        self._file.close()

    def write(self, *words: object) -> None:
        self._file.write(json.dumps(words) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


class WritingTeller:
    """Tells by writing; a second telling of what is written down as told would be seen."""

    def __init__(self, studio: Studio, notebook: Notebook) -> None:
        self._studio = studio
        self._notebook = notebook
        self.has_told = asyncio.Event()

    def moved(self, job: Job, update: Update) -> None:
        """Progress is not what is tested here."""

    async def ended(self, job: Job, pictures: Sequence[Picture]) -> None:
        self._notebook.write("tells", job.id)
        await self._studio.storage.jobs.told(job.id)
        self._notebook.write("told", job.id)
        self.has_told.set()


async def live(model: Path, folder: Path, *, is_last: bool) -> None:
    """One life of a bot: load until it is killed, or, the last, until all is done."""
    with closing(Notebook(folder / "notebook.jsonl")) as notebook:
        await _live(settings_for(model, folder / "data"), notebook, is_last=is_last)


async def _live(settings: Settings, notebook: Notebook, *, is_last: bool) -> None:
    async with open_studio(settings) as studio:
        teller = WritingTeller(studio, notebook)
        await studio.attach(teller)
        choices = asks()
        turn = 0
        print("alive", flush=True)
        while not is_last:
            if len(await studio.storage.jobs.unfinished()) < _WAITING:
                user = 1 + turn % _USERS
                ask = choices[turn % len(choices)]
                turn += 1
                try:
                    job = await studio.submit(ask, Origin(user, 1, 1), Member(user, 1))
                except RefusedError:
                    await asyncio.sleep(0.05)
                    continue
                notebook.write("accepted", job.id, turn % len(choices))
            else:
                await asyncio.sleep(0.02)
        await _done(studio, teller)
        for number, ask in enumerate(choices):
            job = await studio.submit(ask, Origin(1, 1, 1), Member(1, 1))
            notebook.write("accepted", job.id, number)
        await _done(studio, teller)
        await studio.detach()


async def _done(studio: Studio, teller: WritingTeller) -> None:
    jobs = studio.storage.jobs
    while await jobs.unfinished() or await jobs.untold():
        await teller.has_told.wait()
        teller.has_told.clear()


def kill_many(
    model: Path, folder: Path, *, worker_kills: int, bot_kills: int, seed: int = 0
) -> Verdict:
    """Lets a bot live and be killed so many times, then once to its end, and judges."""
    began = time.monotonic()
    dice = random.Random(seed)
    kills = ["worker"] * worker_kills + ["bot"] * bot_kills
    dice.shuffle(kills)
    bot = _start(model, folder)
    for kind in kills:
        time.sleep(dice.uniform(0.2, 4.0))
        if kind == "worker":
            for pid in _workers_of(bot.pid):
                _kill(pid)
        else:
            _kill(bot.pid)
            bot.wait()
            bot = _start(model, folder)
    _kill(bot.pid)
    bot.wait()
    last = _start(model, folder, is_last=True)
    if last.wait() != 0:
        raise RuntimeError("the last life did not come to its end")
    return asyncio.run(_judge(model, folder, worker_kills, bot_kills, began))


async def _judge(
    model: Path, folder: Path, worker_kills: int, bot_kills: int, began: float
) -> Verdict:
    lines = [json.loads(line) for line in (folder / "notebook.jsonl").read_text().splitlines()]
    accepted = [words[1] for words in lines if words[0] == "accepted"]
    told: set[int] = set()
    told_twice = 0
    for verb, job_id, *_ in lines:
        told_twice += verb == "tells" and job_id in told
        if verb == "told":
            told.add(job_id)
    statuses: list[JobStatus] = []
    pictures: dict[tuple[str, int], list[bytes]] = {}
    async with Storage.open(folder / "data") as storage:
        for job_id in accepted:
            job = await storage.jobs.get(job_id)
            statuses.append(job.status)
            for picture in await storage.images.of_job(job_id):
                png = await storage.images.read(picture.sha256)
                pictures.setdefault((job.new.prompt, picture.seed), []).append(png)
        await storage.sweep(grace_s=0)
        problems = (await storage.check(rehash=True)).sentences()
    ended = [status for status in statuses if status not in (JobStatus.QUEUED, JobStatus.RUNNING)]
    return Verdict(
        accepted=len(accepted),
        ended=len(ended),
        delivered=statuses.count(JobStatus.DELIVERED),
        failed=statuses.count(JobStatus.FAILED),
        told_twice=told_twice,
        largest_difference=max(map(_spread, pictures.values()), default=0),
        problems=tuple(problems),
        worker_kills=worker_kills,
        bot_kills=bot_kills,
        seconds=time.monotonic() - began,
    )


def _spread(pngs: list[bytes]) -> int:
    """The largest difference of a pixel among pictures, out of 255."""
    images = [Image.open(io.BytesIO(png)).convert("RGB") for png in set(pngs)]
    extremes = [ImageChops.difference(images[0], image).getextrema() for image in images[1:]]
    return max((int(high) for bands in extremes for _, high in bands), default=0)


def _start(model: Path, folder: Path, *, is_last: bool = False) -> subprocess.Popen[str]:
    """A bot in a process of its own; returns once it accepts jobs."""
    command = [sys.executable, "-P", "-m", "limner.benchmarks.kills", "--live", str(folder)]
    command += ["--model", str(model), *(["--last"] if is_last else [])]
    bot = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert bot.stdout is not None
    with bot.stdout as said:
        if not said.readline().startswith("alive"):
            raise RuntimeError("a bot did not come to life")
    return bot


def _workers_of(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children()]


def _kill(pid: int) -> None:
    """SIGKILL; a process that is gone already is as dead as can be."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=HOUSE_MODEL)
    parser.add_argument("--worker-kills", type=int, default=50)
    parser.add_argument("--bot-kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--live", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--last", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.live is not None:
        asyncio.run(live(chosen.model, chosen.live, is_last=chosen.last))
        return
    with TemporaryDirectory() as folder:
        verdict = kill_many(
            chosen.model,
            Path(folder),
            worker_kills=chosen.worker_kills,
            bot_kills=chosen.bot_kills,
            seed=chosen.seed,
        )
    for name, value in asdict(verdict).items():
        print(f"{name:20} {value}")
    sys.exit(0 if verdict.is_well else 1)


if __name__ == "__main__":
    main()
