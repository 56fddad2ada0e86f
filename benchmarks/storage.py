"""Measures storage at scale: submitting, the quota check and recovery, on a filled database.

What is measured is `limner.storage`; this file only fills it, by plain SQL, and reads a clock.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..storage import Allowance, NewJob, Origin, Period, Rule, Storage, Window
from ..storage.quota_rules import Scope
from ..storage.quotas import Ask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DAY_S = 86400.0
NUM_GUILDS = 50
NUM_USERS = 2000
SPAN_DAYS = 90
BUSY_GUILD = 1
"""Three jobs in ten are this server's, and one in a hundred this member's."""
BUSY_USER = 1


@dataclass(frozen=True, slots=True)
class Size:
    num_jobs: int = 100_000
    num_unfinished: int = 10_000
    num_entries: int = 1_000_000
    """Ledger rows; most are of jobs whose own rows were dropped."""
    num_samples: int = 2_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. Milliseconds, but where the name says otherwise."""

    name: str
    p50: float
    p99: float
    worst: float
    work: float
    """Processor time of one, in the mean: what a busy machine doesn't stretch."""
    bound: float
    """Of the p99."""


@dataclass(frozen=True, slots=True)
class Figures:
    rows: tuple[Figure, ...]
    database_bytes: int
    grown_bytes: int
    """Of the process, while submits and checks went on."""


def fill(database: Path, size: Size, now: float, *, seed: int = 0) -> None:
    """Rows as years of use would leave them, triggers and all."""
    chance = random.Random(seed)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        num_ended = size.num_jobs - size.num_unfinished
        # Each ended job has two rows, each unfinished one a single one.
        num_dropped = max(0, (size.num_entries - size.num_unfinished) // 2 - num_ended)
        entries: list[tuple[object, ...]] = []
        jobs: list[tuple[object, ...]] = []
        total = num_dropped + size.num_jobs
        for index in range(total):
            at = now - SPAN_DAYS * DAY_S * (1 - index / total)
            guild = BUSY_GUILD if chance.random() < 0.3 else chance.randrange(1, NUM_GUILDS + 1)
            user = BUSY_USER if chance.random() < 0.01 else chance.randrange(1, NUM_USERS + 1)
            cost = chance.choice((500, 1000, 2000, 4000))
            job_id = index + 1
            entries.append(("hold", job_id, guild, user, cost, at, at))
            is_unfinished = index >= total - size.num_unfinished
            if not is_unfinished:
                kind = "release" if chance.random() < 0.05 else "settle"
                entries.append((kind, job_id, guild, user, cost, at + 20, at))
            if index >= num_dropped:
                status = chance.choice(("queued", "running")) if is_unfinished else "delivered"
                ended = None if is_unfinished else at + 20
                jobs.append((job_id, status, user, guild, cost, at, ended, ended, ended))
        connection.executemany(
            "INSERT INTO ledger (kind, job_id, guild_id, user_id, amount, at, counts_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            entries,
        )
        connection.executemany(
            "INSERT INTO jobs (id, status, kind, user_id, guild_id, channel_id, application_id, "
            "interaction_id, interaction_token, interaction_at, message_id, is_private, "
            "is_user_install, request_json, prompt, num_pictures, num_pixels, seed, model, "
            "model_fingerprint, cost, accepted_at, stored_at, ended_at, told_at) "
            "VALUES (?, ?, 'imagine', ?, ?, 9, 9, 9, '', 0, 9, 0, 0, "
            f"'{{\"prompt\": \"{'a cat ' * 40}\"}}', '{'a cat ' * 40}', 4, 262144, '7', 'house', "
            "'fingerprint', ?, ?, ?, ?, ?)",
            jobs,
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def measure(size: Size, folder: Path) -> Figures:
    """Fills a folder and measures what a bot would feel."""
    async with Storage.open(folder) as storage:
        await _set_rules(storage)
    await asyncio.to_thread(fill, folder / "limner.db", size, time.time())

    rows: list[Figure] = []
    started, worked = time.perf_counter(), time.process_time()
    async with Storage.open(folder) as storage:
        recovered = await storage.jobs.recover()
        took = (time.perf_counter() - started) * 1e3
        work = (time.process_time() - worked) * 1e3
        assert len(recovered) == size.num_unfinished, "the benchmark's own filling is wrong"
        rows.append(
            Figure(f"open and list {len(recovered):,} unfinished", took, took, took, work, 5000)
        )
        del recovered

        async def submit(guild: int, user: int) -> None:
            await storage.jobs.accept(_new(guild, user), role_ids=(1, 2, 3))

        async def check(guild: int, user: int) -> None:
            await storage.quotas.check(guild, user, Ask(1000, 4, 262_144), (1, 2, 3))

        chance = random.Random(1)
        members = [
            (chance.randrange(1, NUM_GUILDS + 1), chance.randrange(1, NUM_USERS + 1))
            for _ in range(size.num_samples)
        ]
        busiest = [(BUSY_GUILD, BUSY_USER)] * (size.num_samples // 4)
        await _timed(submit, members[:50])
        rows.append(_figure("submit", await _timed(submit, members), 20))
        before = _resident_bytes()
        rows.append(_figure("submit, the busiest member", await _timed(submit, busiest), 20))
        rows.append(_figure("quota check", await _timed(check, members), 5))
        rows.append(_figure("quota check, the busiest member", await _timed(check, busiest), 5))
        for _ in range(9):
            await _timed(check, members)
        grown = _resident_bytes() - before
    return Figures(tuple(rows), (folder / "limner.db").stat().st_size, grown)


async def _set_rules(storage: Storage) -> None:
    """Every kind of rule, so that a check reads every kind of sum; all generous."""
    rolling = Period(Window.ROLLING, 7 * DAY_S)
    plenty = 10**12
    for guild in range(1, NUM_GUILDS + 1):
        default = Rule(Allowance(plenty, Period(Window.DAY)), max_unfinished=10**6)
        await storage.rules.set(guild, Scope.DEFAULT, 0, default, by=1)
        for role, period in ((1, rolling), (2, Period(Window.MONTH)), (3, Period(Window.HOUR))):
            await storage.rules.set(guild, Scope.ROLE, role, Rule(Allowance(plenty, period)), by=1)
        budget = Rule(Allowance(plenty, Period(Window.MONTH)))
        await storage.rules.set(guild, Scope.BUDGET, 0, budget, by=1)
    for user in range(1, NUM_USERS + 1, 20):
        await storage.rules.set(BUSY_GUILD, Scope.USER, user, Rule(max_pictures=9), by=1)


def _new(guild: int, user: int) -> NewJob:
    return NewJob(
        origin=Origin(user, guild, 3, 4, 5, "token", time.time()),
        kind="imagine",
        request_json='{"prompt": "a cat"}',
        prompt="a cat",
        num_pictures=4,
        seed=7,
        model="house",
        model_fingerprint="fingerprint",
        cost=1000,
        num_pixels=262_144,
    )


async def _timed(
    call: Callable[[int, int], Awaitable[None]], members: list[tuple[int, int]]
) -> tuple[list[float], float]:
    """Milliseconds of each, and the processor's for one."""
    times: list[float] = []
    worked = time.process_time()
    for guild, user in members:
        started = time.perf_counter()
        await call(guild, user)
        times.append((time.perf_counter() - started) * 1e3)
    return times, (time.process_time() - worked) * 1e3 / len(members)


def _figure(name: str, measured: tuple[list[float], float], bound: float) -> Figure:
    times, work = measured
    ordered = sorted(times)
    return Figure(
        name,
        ordered[len(ordered) // 2],
        ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        ordered[-1],
        work,
        bound,
    )


def _resident_bytes() -> int:
    """Now, where the system tells (Linux); 0 elsewhere, for the peak would hide any growth."""
    statistics = Path("/proc/self/statm")
    if not statistics.exists():
        return 0
    return int(statistics.read_text().split()[1]) * resource.getpagesize()


def print_table(figures: Figures, size: Size) -> None:
    print(
        f"{size.num_jobs:,} jobs, {size.num_entries:,} ledger rows, "
        f"{figures.database_bytes / 2**20:.0f} MiB"
    )
    print(f"{'milliseconds':40} {'p50':>9} {'p99':>9} {'worst':>9} {'work':>7} {'bound':>7}")
    for row in figures.rows:
        verdict = "" if row.p99 <= row.bound else "  over"
        print(
            f"{row.name:40} {row.p50:9.2f} {row.p99:9.2f} {row.worst:9.2f} {row.work:7.2f} "
            f"{row.bound:7.0f}{verdict}"
        )
    print(f"memory grew by {figures.grown_bytes / 2**20:.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--unfinished", type=int, default=10_000)
    parser.add_argument("--ledger", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=2_000)
    chosen = parser.parse_args()
    size = Size(chosen.jobs, chosen.unfinished, chosen.ledger, chosen.samples)
    with tempfile.TemporaryDirectory() as folder:
        print_table(asyncio.run(measure(size, Path(folder))), size)


if __name__ == "__main__":
    main()
