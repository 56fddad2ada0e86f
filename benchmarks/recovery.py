"""How long a start takes that finds many unfinished jobs, and what it costs the event loop.

Run as `python -m limner.benchmarks.recovery`. A job in ten starts from a picture of its own. The
worker is started, as always, but not waited for.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import logging
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psutil
from PIL import Image

from ..bot.ask import Ask, Kind
from ..bot.member import Member
from ..bot.opening import open_studio
from ..bot.settings import HOUSE_MODEL, LimitSettings, ModelSettings, Settings, StorageSettings
from ..storage.records import JobStatus, Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..bot.studio import Studio
    from ..pipelines.serving.updates import Update
    from ..storage.records import Job, Picture

_BOUND_S = 5.0
_SIDE_PX = 512


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one start."""

    jobs: int
    with_pictures: int
    seconds: float
    """From the database's being open until every job waits in the queue again."""
    work_s: float
    """Of this process's processor time in them: what a busy machine doesn't stretch."""
    longest_block_s: float
    """That nothing else on the event loop could do anything, then and in the seconds after."""
    grown_bytes: int
    """Of the process."""


class _Silent:
    """Tells nobody."""

    def moved(self, job: Job, update: Update) -> None:
        pass

    async def ended(self, job: Job, pictures: Sequence[Picture]) -> None:
        pass


def settings_for(model: Path, folder: Path) -> Settings:
    return Settings(
        models={"model": ModelSettings(path=model)},
        limits=LimitSettings(credits_per_day=0),
        storage=StorageSettings(folder=folder, free_mib=1),
    )


async def measure(settings: Settings, num_jobs: int, *, watch_s: float = 3.0) -> Cost:
    """Leaves so many jobs unfinished in the settings' folder, and starts again."""
    async with open_studio(settings) as studio:
        studio.pool.pause()
        plain = await _accepted(studio, Ask("a red heart", seed=1))
        ask = Ask("a cat", kind=Kind.VARIATION, seed=1, strength=0.5, width=64, height=64)
        painted = [await _picture(studio, number) for number in range(num_jobs // 10)]
        seeds = [await _accepted(studio, replace(ask, init_image=painted[0]))] if painted else []
        assert plain.status is JobStatus.QUEUED
    database = settings.storage.folder / "limner.db"
    await asyncio.to_thread(_multiply, database, plain, [j.id for j in seeds], painted, num_jobs)

    async with open_studio(settings) as studio:
        studio.pool.pause()
        before = psutil.Process().memory_info().rss
        heart = _Heart()
        beating = asyncio.create_task(heart.beat(), name="limner: heart")
        began, worked = time.perf_counter(), time.process_time()
        await studio.attach(_Silent())
        seconds, work_s = time.perf_counter() - began, time.process_time() - worked
        assert studio.pool.state.num_waiting == num_jobs, "the benchmark's own filling is wrong"
        await asyncio.sleep(watch_s)
        beating.cancel()
        grown = psutil.Process().memory_info().rss - before
        await studio.detach()
    return Cost(num_jobs, len(painted), seconds, work_s, heart.longest_s, grown)


class _Heart:
    """Beats as often as the loop lets it."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def beat(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            self.longest_s = max(self.longest_s, time.perf_counter() - before - 0.005)


async def _accepted(studio: Studio, ask: Ask) -> Job:
    return await studio.submit(ask, Origin(1, 1, 1), Member(1, 1))


async def _picture(studio: Studio, number: int) -> str:
    """Kept, and unlike the others; noise, so that its size is a photograph's."""
    out = io.BytesIO()
    noise = Image.frombytes("L", (_SIDE_PX, _SIDE_PX), os.urandom(_SIDE_PX * _SIDE_PX))
    Image.merge("RGB", (noise, noise, Image.new("L", noise.size, number % 256))).save(
        out, "PNG", compress_level=1
    )
    return await studio.keep(out.getvalue())


def _multiply(
    database: Path, plain: Job, painted_ids: list[int], painted: list[str], num_jobs: int
) -> None:
    """Rows like those of the accepted jobs, for many members, by plain SQL."""
    with closing(sqlite3.connect(database)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(jobs)")]
        entries = [row[1] for row in connection.execute("PRAGMA table_info(ledger)")]

        def copy(of: int, user_id: int, request_json: str) -> int:
            values = _row(connection, "jobs", "id", of, columns)
            values |= {"id": None, "user_id": user_id, "request_json": request_json}
            job_id = _insert(connection, "jobs", values)
            held = _row(connection, "ledger", "job_id", of, entries)
            _insert(connection, "ledger", held | {"id": None, "user_id": user_id, "job_id": job_id})
            return job_id

        for number, sha256 in enumerate(painted[1:], 1):
            accepted = _row(connection, "jobs", "id", painted_ids[0], columns)["request_json"]
            text = json.dumps(json.loads(accepted) | {"init_image": sha256})
            job_id = copy(painted_ids[0], 1 + number % 500, text)
            connection.execute(
                "INSERT INTO job_inputs (job_id, position, sha256) VALUES (?, 0, ?)",
                (job_id, sha256),
            )
        for number in range(num_jobs - len(painted) - 1):
            copy(plain.id, 1 + number % 500, plain.new.request_json)
        connection.commit()


def _row(
    connection: sqlite3.Connection, table: str, key: str, value: int, columns: list[str]
) -> dict[str, Any]:
    (row,) = connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", (value,))
    return dict(zip(columns, row, strict=True))


def _insert(connection: sqlite3.Connection, table: str, values: Mapping[str, object]) -> int:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    cursor = connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values())
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=HOUSE_MODEL)
    parser.add_argument("--jobs", type=int, default=10_000)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    with TemporaryDirectory() as folder:
        settings = settings_for(chosen.model, Path(folder))
        cost = asyncio.run(measure(settings, chosen.jobs))
    for name, value in asdict(cost).items():
        print(f"{name:20} {value:,.3f}" if isinstance(value, float) else f"{name:20} {value:,}")
    print("well" if cost.seconds < _BOUND_S else f"over the bound of {_BOUND_S:.0f} s")


if __name__ == "__main__":
    main()
