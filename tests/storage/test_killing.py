"""A process that writes is killed again and again; what it had said before must all be there."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from limner.storage import JobStatus, Storage
from limner.storage.checkup import check

from .child import content
from .makers import GUILD

if TYPE_CHECKING:
    from pathlib import Path

ENDED = (JobStatus.STORED, JobStatus.DELIVERED, JobStatus.FAILED, JobStatus.CANCELLED)


def run_and_kill(folder: Path, num_lines: int) -> list[tuple[str, int]]:
    """Lets it say so many things, kills it in the middle of the next, and returns what it said."""
    said: list[tuple[str, int]] = []
    with subprocess.Popen(
        [sys.executable, "-m", "tests.storage.child", "write", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            what, job_id = line.split()
            said.append((what, int(job_id)))
            if len(said) == num_lines:
                process.kill()
        # What was said between the count and the kill was said, too.
    assert process.returncode == -9
    return said


async def kill_and_look(folder: Path, num_kills: int) -> None:
    chance = random.Random(num_kills)
    said: list[tuple[str, int]] = []
    for _ in range(num_kills):
        said += run_and_kill(folder, chance.randrange(1, 60))
        findings = check(folder)
        assert not findings.damage
        assert not findings.unbalanced_jobs
        assert not findings.num_wrong_tallies
        assert not findings.missing_files

    async with Storage.open(folder) as storage:
        everybody = [await storage.jobs.by_user(user, GUILD, 10**6) for user in range(4)]
        jobs = {job.id: job for theirs in everybody for job in theirs}
        for what, job_id in said:
            assert job_id in jobs, f"job {job_id} was accepted and is gone"
            if what == "ended":
                assert jobs[job_id].status in ENDED
            if what == "told":
                assert jobs[job_id].told_at is not None
        # Ended and told once each, over all the lives of the process.
        for what in ("accepted", "ended", "told"):
            ids = [job_id for said_what, job_id in said if said_what == what]
            assert len(ids) == len(set(ids))
        for job in jobs.values():
            pictures = await storage.images.of_job(job.id)
            is_painted = job.status in (JobStatus.STORED, JobStatus.DELIVERED)
            assert len(pictures) == (2 if is_painted else 0)
            for picture in pictures:
                assert await storage.images.read(picture.sha256) == content(job.id, picture.index)
        await storage.sweep(grace_s=0)
        assert (await storage.check(rehash=True)).is_sound
        assert not list((folder / "pictures" / ".incoming").iterdir())


async def test_what_was_accepted_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    await kill_and_look(tmp_path, 5)


@pytest.mark.long
async def test_fifty_kills_lose_nothing(tmp_path: Path) -> None:
    await kill_and_look(tmp_path, 50)
