"""What a test runs in a process of its own, to kill it, to starve it, or to make it a stranger.

`python -m tests.storage.child WHAT FOLDER ...`; each line it prints is one thing that has happened.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import sqlite3
import sys
from pathlib import Path

from limner.storage import JobStatus, NewPicture, Storage
from limner.storage.errors import DiskFullError, StorageError

from .makers import ask

NOBODY = 65534


def say(*words: object) -> None:
    print(*words, flush=True)


async def write_for_ever(folder: Path) -> None:
    """Takes jobs through their lives, four at a time, and says each step once it is done."""
    async with Storage.open(folder) as storage:
        await storage.sweep(grace_s=0)
        for job in await storage.jobs.recover():
            await finish(storage, job.id)
        for job in await storage.jobs.untold():
            await storage.jobs.told(job.id)
            say("told", job.id)
        await asyncio.gather(*(live(storage, user) for user in range(4)))


async def live(storage: Storage, user: int) -> None:
    for number in itertools.count():
        source = await storage.images.put(b"source %d" % (number % 7))
        job = await storage.jobs.accept(ask(user, inputs=(source,), cost=1000 + number))
        say("accepted", job.id)
        await finish(storage, job.id)


async def finish(storage: Storage, job_id: int) -> None:
    await storage.jobs.start(job_id)
    match job_id % 5:
        case 0:
            await storage.jobs.fail(job_id, "It failed.")
            say("ended", job_id)
        case 1:
            await storage.jobs.cancel(job_id, settle=10)
            say("ended", job_id)
        case _:
            await storage.jobs.store(job_id, [picture(job_id, index) for index in range(2)])
            say("ended", job_id)
    await storage.jobs.told(job_id)
    say("told", job_id)


def picture(job_id: int, index: int) -> NewPicture:
    return NewPicture(index, content(job_id, index), index, 8, 8, "{}")


def content(job_id: int, index: int) -> bytes:
    """What "the same picture" means here: a repainted job brings the same bytes."""
    return b"picture %d of %d" % (index, job_id) * 500


async def hold(folder: Path) -> None:
    """Is the bot that already uses the folder."""
    async with Storage.open(folder):
        say("open")
        await asyncio.to_thread(sys.stdin.readline)


def lock(folder: Path) -> None:
    """Another program that keeps the database locked until it is told to go."""
    connection = sqlite3.connect(folder / "limner.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE jobs SET kind = kind")
    say("locked")
    sys.stdin.readline()
    connection.execute("ROLLBACK")
    connection.close()


async def starve(folder: Path, file_limit: int) -> None:
    """Fills a disk that has no more room, then gets room again."""
    async with Storage.open(folder) as storage:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))
        accepted: list[int] = []
        try:
            while True:
                job = await storage.jobs.accept(ask(prompt="a long wish " * 400))
                accepted.append(job.id)
        except DiskFullError:
            say("full after", len(accepted))
        except StorageError as error:
            say("refused by", type(error).__name__, "after", len(accepted))
        # Reading goes on, and so does everything once there is room.
        assert len(await storage.jobs.unfinished()) == len(accepted)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        for job_id in accepted:
            await storage.jobs.start(job_id)
            await storage.jobs.store(job_id, [picture(job_id, 0)])
            await storage.jobs.told(job_id)
        assert (await storage.jobs.counts())[JobStatus.DELIVERED] == len(accepted)
        say("sound", (await storage.check()).is_sound)


async def starve_pictures(folder: Path, file_limit: int) -> None:
    """A picture that doesn't fit, then the same one with room."""
    async with Storage.open(folder) as storage:
        job = await storage.jobs.accept(ask())
        await storage.jobs.start(job.id)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, resource.RLIM_INFINITY))
        big = NewPicture(0, b"x" * (file_limit + 1), 1, 8, 8, "{}")
        try:
            await storage.jobs.store(job.id, [big])
        except DiskFullError:
            say("full")
        say((await storage.jobs.get(job.id)).status)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        await storage.jobs.store(job.id, [big])
        say((await storage.jobs.get(job.id)).status)
        say("sound", (await storage.check()).is_sound)


async def open_and_say(folder: Path) -> None:
    """Opens, writes one job, and says what came of it."""
    try:
        async with Storage.open(folder) as storage:
            await storage.jobs.accept(ask())
            say("accepted")
    except StorageError as error:
        say(type(error).__name__)
        say(error)


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    match what:
        case "write":
            asyncio.run(write_for_ever(where))
        case "hold":
            asyncio.run(hold(where))
        case "lock":
            lock(where)
        case "starve":
            asyncio.run(starve(where, int(sys.argv[3])))
        case "starve_pictures":
            asyncio.run(starve_pictures(where, int(sys.argv[3])))
        case "open":
            asyncio.run(open_and_say(where))
        case "open_as_nobody":
            # Loads what is loaded lazily, while that is still allowed.
            asyncio.run(asyncio.to_thread(int))
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            asyncio.run(open_and_say(where))
        case _:
            raise SystemExit(f"unknown: {what}")
