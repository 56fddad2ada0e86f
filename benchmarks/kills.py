"""Kills the worker and the whole bot at random moments under load, and counts what was lost.

Run as `python -m limner.benchmarks.kills --worker-kills 50 --bot-kills 50`. Half of the kills come
at any moment, the worker's start included; the other half once something was painted since the
last one. A bot here is a studio with a teller that writes down whom it told; Discord's part of
delivery is tested on the wire.
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
from collections import Counter
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
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
    from collections.abc import Callable, Mapping, Sequence
    from io import TextIOWrapper

    from ..bot.studio import Studio
    from ..pipelines.serving.updates import Update
    from ..storage.records import Job, Picture

_SAME = 2
"""Of 255: what another batch size may do to a picture."""
_USERS = 5
_NOTEBOOK = "notebook.jsonl"
_MOST_WAIT_S = 60.0
"""For something to be painted, or for a worker to be there, before a kill comes all the same."""
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Load:
    """What goes on while there is killing."""

    under_way: int = 12
    """Jobs that wait or are painted at a time: enough that every phase is hit."""
    mean_s: float = 2.0
    """Between two kills, in the mean; and after something was painted, half of it."""
    steps: int = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found after the last life. All well: `accepted == ended`, and zeros."""

    accepted: int
    """Jobs whose acceptance their owner was told of."""
    ended: int
    delivered: int
    failed: int
    sentences: Mapping[str, int]
    """What those who failed were told, and how many of them."""
    told_twice: int
    """Ends that were told again after having been written down as told."""
    largest_difference: int
    """Of any pixel, out of 255, between pictures of one prompt and seed: those of the last life,
    which nothing disturbed, are among them."""
    problems: tuple[str, ...]
    """What storage's own check says: credits, orphans, missing files."""
    worker_kills: int
    """Of workers that were there to be killed."""
    bot_kills: int
    kills_after_painting: int
    """Of them, those that came when something had been painted since the one before."""
    seconds: float

    @property
    def is_well(self) -> bool:
        return (
            self.accepted == self.ended
            and not self.told_twice
            and self.largest_difference <= _SAME
            and not self.problems
        )


def settings_for(model: Path, folder: Path, steps: int) -> Settings:
    return Settings(
        models={"model": ModelSettings(path=model, steps=steps, sampler="euler_a")},
        engine=EngineSettings(device="cpu", dtype="float32", threads=1),
        limits=LimitSettings(queue_length=1000, waiting_per_user=1000, credits_per_day=0),
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


async def live(model: Path, folder: Path, load: Load, *, is_last: bool) -> None:
    """One life of a bot: load until it is killed, or, the last, until all is done."""
    with closing(Notebook(folder / _NOTEBOOK)) as notebook:
        settings = settings_for(model, folder / "data", load.steps)
        await _live(settings, notebook, load.under_way, is_last=is_last)


async def _live(settings: Settings, notebook: Notebook, under_way: int, *, is_last: bool) -> None:
    async with open_studio(settings) as studio:
        teller = WritingTeller(studio, notebook)
        await studio.attach(teller)
        choices = asks()
        turn = 0
        print("alive", flush=True)
        while not is_last:
            if len(await studio.storage.jobs.unfinished()) < under_way:
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
                await asyncio.sleep(0.05)
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
    model: Path,
    folder: Path,
    *,
    worker_kills: int,
    bot_kills: int,
    seed: int = 0,
    load: Load = Load(),
) -> Verdict:
    """Lets a bot live and be killed so many times, then once to its end, and judges."""
    began = time.monotonic()
    dice = random.Random(seed)
    kills = ["worker"] * worker_kills + ["bot"] * bot_kills
    dice.shuffle(kills)
    notebook = folder / _NOTEBOOK
    bot = _start(model, folder, load)
    num_told = after_painting = 0
    for number, kind in enumerate(kills):
        if number % 2:
            _wait(lambda: _num_told(notebook) > num_told)  # noqa: B023 - it is called at once
            time.sleep(dice.uniform(0.0, load.mean_s))
        else:
            time.sleep(dice.uniform(0.0, 2 * load.mean_s))
        if kind == "worker":
            _wait(lambda: _workers_of(bot.pid))  # noqa: B023
            for pid in _workers_of(bot.pid):
                _kill(pid)
        else:
            _kill(bot.pid)
            bot.wait()
        told = _num_told(notebook)
        after_painting += told > num_told
        num_told = told
        if kind == "bot":
            bot = _start(model, folder, load)
    _kill(bot.pid)
    bot.wait()
    last = _start(model, folder, load, is_last=True)
    if last.wait() != 0:
        raise RuntimeError("the last life did not come to its end")
    found = asyncio.run(_judge(folder))
    return replace(
        found,
        worker_kills=worker_kills,
        bot_kills=bot_kills,
        kills_after_painting=after_painting,
        seconds=time.monotonic() - began,
    )


def _wait(is_so: Callable[[], object]) -> None:
    """Until something is so, or for long enough."""
    deadline = time.monotonic() + _MOST_WAIT_S
    while not is_so() and time.monotonic() < deadline:
        time.sleep(_LOOK_S)


def _num_told(notebook: Path) -> int:
    return notebook.read_bytes().count(b'["told"')


async def _judge(folder: Path) -> Verdict:
    lines = [json.loads(line) for line in (folder / _NOTEBOOK).read_text().splitlines()]
    accepted = [words[1] for words in lines if words[0] == "accepted"]
    told: set[int] = set()
    told_twice = 0
    for verb, job_id, *_ in lines:
        told_twice += verb == "tells" and job_id in told
        if verb == "told":
            told.add(job_id)
    statuses: list[JobStatus] = []
    sentences: Counter[str] = Counter()
    pictures: dict[tuple[str, int], list[bytes]] = {}
    async with Storage.open(folder / "data") as storage:
        for job_id in accepted:
            job = await storage.jobs.get(job_id)
            statuses.append(job.status)
            if job.error:
                sentences[job.error] += 1
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
        failed=sum(sentences.values()),
        sentences=dict(sentences),
        told_twice=told_twice,
        largest_difference=max(map(_spread, pictures.values()), default=0),
        problems=tuple(problems),
        worker_kills=0,
        bot_kills=0,
        kills_after_painting=0,
        seconds=0.0,
    )


def _spread(pngs: list[bytes]) -> int:
    """The largest difference of a pixel among pictures, out of 255."""
    images = [Image.open(io.BytesIO(png)).convert("RGB") for png in set(pngs)]
    differences = [ImageChops.difference(images[0], image) for image in images[1:]]
    return max((max(band.tobytes()) for d in differences for band in d.split()), default=0)


def _start(
    model: Path, folder: Path, load: Load, *, is_last: bool = False
) -> subprocess.Popen[str]:
    """A bot in a process of its own; returns once it accepts jobs."""
    command = [sys.executable, "-P", "-m", "limner.benchmarks.kills", "--live", str(folder)]
    command += ["--model", str(model), *(["--last"] if is_last else [])]
    command += ["--under-way", str(load.under_way), "--steps", str(load.steps)]
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
    parser.add_argument("--under-way", type=int, default=60, help="jobs, at a time")
    parser.add_argument("--mean-s", type=float, default=2.0, help="between two kills")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--live", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--last", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    load = Load(chosen.under_way, chosen.mean_s, chosen.steps)
    if chosen.live is not None:
        asyncio.run(live(chosen.model, chosen.live, load, is_last=chosen.last))
        return
    with TemporaryDirectory() as folder:
        verdict = kill_many(
            chosen.model,
            Path(folder),
            worker_kills=chosen.worker_kills,
            bot_kills=chosen.bot_kills,
            seed=chosen.seed,
            load=load,
        )
    for name, value in asdict(verdict).items():
        if name == "sentences":
            for sentence, count in sorted(verdict.sentences.items()):
                print(f"{count:20} {sentence}")
        else:
            print(f"{name:20} {value}")
    sys.exit(0 if verdict.is_well else 1)


if __name__ == "__main__":
    main()
