"""The sweep: what goes by age and by room, what stays, and what it mends."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from limner.storage import JobStatus, Retention, Storage
from limner.storage.errors import InvalidSettingError

from .makers import ADMIN, DAY_S, GUILD, NOON, USER, Clock, ask, bring_to, painted

if TYPE_CHECKING:
    from pathlib import Path

    from limner.storage.records import Picture


async def delivered(storage: Storage, content: bytes, guild_id: int = GUILD) -> Picture:
    job = await storage.jobs.accept(ask(guild_id=guild_id))
    await storage.jobs.start(job.id)
    (picture,) = await storage.jobs.store(job.id, [painted(content)])
    await storage.jobs.told(job.id)
    return picture


async def remaining(storage: Storage, *pictures: Picture) -> list[bool]:
    return [not (await storage.images.picture(picture.id)).is_deleted for picture in pictures]


async def test_pictures_past_their_age_go_but_favourites_and_undelivered_ones_stay(
    tmp_path: Path, clock: Clock
) -> None:
    retention = Retention(pictures_days=30)
    async with Storage.open(tmp_path, retention=retention, clock=clock) as storage:
        old, loved = await delivered(storage, b"old"), await delivered(storage, b"loved")
        await storage.images.set_favourite(loved.id)
        waiting = await bring_to(storage, JobStatus.STORED)
        (unseen,) = await storage.images.of_job(waiting.id)
        clock.now += 20 * DAY_S
        young = await delivered(storage, b"young")
        clock.now += 11 * DAY_S
        swept = await storage.sweep(grace_s=0)
        assert await remaining(storage, old, loved, unseen, young) == [False, True, True, True]
        assert (swept.num_expired, swept.num_orphans, swept.num_bytes_freed) == (1, 1, 3)
        assert not storage.images.path(old.sha256).exists()
        assert (await storage.check()).is_sound


async def test_a_server_may_keep_its_pictures_shorter_but_not_longer(
    tmp_path: Path, clock: Clock
) -> None:
    retention = Retention(pictures_days=30)
    async with Storage.open(tmp_path, retention=retention, clock=clock) as storage:
        for guild, days in ((1, 10.0), (2, 90.0)):
            await storage.guilds.change_settings(
                guild, lambda old, days=days: replace(old, pictures_days=days), by=ADMIN
            )
        pictures = [await delivered(storage, b"%d" % guild, guild) for guild in (1, 2, 3)]
        clock.now += 11 * DAY_S
        await storage.sweep(grace_s=0)
        assert await remaining(storage, *pictures) == [False, True, True]
        clock.now += 20 * DAY_S
        await storage.sweep(grace_s=0)
        assert await remaining(storage, *pictures) == [False, False, False]


async def test_over_the_budget_the_oldest_go_first_and_favourites_not_at_all(
    tmp_path: Path, clock: Clock
) -> None:
    async with Storage.open(
        tmp_path, retention=Retention(budget_bytes=2500), clock=clock
    ) as storage:
        pictures = []
        for number in range(5):
            clock.now += 1
            pictures.append(await delivered(storage, b"%d" % number * 1000))
        await storage.images.set_favourite(pictures[0].id)
        swept = await storage.sweep(grace_s=0)
        assert await remaining(storage, *pictures) == [True, False, False, False, True]
        assert (swept.num_expired, swept.num_bytes_freed, swept.num_bytes_kept) == (3, 3000, 2000)


async def test_a_budget_that_only_favourites_fill_removes_nothing(
    tmp_path: Path, clock: Clock
) -> None:
    async with Storage.open(tmp_path, retention=Retention(budget_bytes=1), clock=clock) as storage:
        picture = await delivered(storage, b"loved")
        await storage.images.set_favourite(picture.id)
        swept = await storage.sweep(grace_s=0)
        assert await remaining(storage, picture) == [True]
        assert swept.num_bytes_kept == 5


async def test_hundreds_of_expired_pictures_go_in_one_sweep(tmp_path: Path, clock: Clock) -> None:
    async with Storage.open(
        tmp_path, retention=Retention(pictures_days=1, jobs_days=2), clock=clock
    ) as storage:
        job = await bring_to(storage, JobStatus.RUNNING)
        many = [painted(b"picture %d" % number, index=number) for number in range(450)]
        await storage.jobs.store(job.id, many)
        await storage.jobs.told(job.id)
        clock.now += 3 * DAY_S
        swept = await storage.sweep(grace_s=0)
        assert (swept.num_expired, swept.num_orphans, swept.num_jobs_dropped) == (450, 450, 1)
        assert swept.num_bytes_kept == 0


async def test_old_jobs_without_pictures_go_and_their_credits_stay(
    tmp_path: Path, clock: Clock
) -> None:
    async with Storage.open(tmp_path, retention=Retention(jobs_days=60), clock=clock) as storage:
        failed = await bring_to(storage, JobStatus.FAILED)
        untold = await bring_to(storage, JobStatus.CANCELLED)
        await storage.jobs.told(failed.id)
        shown = await delivered(storage, b"a picture")
        clock.now += 61 * DAY_S
        assert (await storage.sweep(grace_s=0)).num_jobs_dropped == 1
        left = [job.id for job in await storage.jobs.by_user(USER, GUILD)]
        assert left == [shown.job_id, untold.id]
        assert await storage.ledger.used(GUILD, USER) == 1000
        assert (await storage.check()).is_sound


async def test_an_orphan_goes_after_its_grace_and_not_before(storage: Storage) -> None:
    name = await storage.images.put(b"for a job that was never accepted")
    assert (await storage.sweep()).num_orphans == 0
    long_ago = time.time() - 7200
    os.utime(storage.images.path(name), (long_ago, long_ago))
    assert (await storage.check()).orphan_files == (name,)
    assert (await storage.sweep()).num_orphans == 1
    assert (await storage.check()).is_sound


async def test_an_old_orphan_that_is_put_again_counts_as_new(storage: Storage) -> None:
    name = await storage.images.put(b"wanted after all")
    os.utime(storage.images.path(name), (0, 0))
    await storage.images.put(b"wanted after all")
    assert (await storage.sweep()).num_orphans == 0


async def test_inputs_stay_while_their_job_is_unfinished_or_shown_and_a_day_after_it_failed(
    storage: Storage, clock: Clock
) -> None:
    names = [await storage.images.put(b"input %d" % number) for number in range(3)]
    await storage.jobs.accept(ask(inputs=(names[0],)))
    await bring_to(storage, JobStatus.DELIVERED, ask(inputs=(names[1],)))
    await bring_to(storage, JobStatus.FAILED, ask(inputs=(names[2],)))
    clock.now += DAY_S - 1
    assert (await storage.sweep(grace_s=0)).num_orphans == 0
    clock.now += 2
    assert (await storage.sweep(grace_s=0)).num_orphans == 1
    assert [storage.images.path(name).exists() for name in names] == [True, True, False]


async def test_a_missing_file_makes_its_picture_a_deleted_one(
    storage: Storage, clock: Clock
) -> None:
    picture = await delivered(storage, b"lost")
    storage.images.path(picture.sha256).unlink()
    findings = await storage.check()
    assert findings.missing_files == (picture.sha256,)
    assert "missing" in findings.sentences()[0]
    assert (await storage.sweep(grace_s=0)).num_missing == 1
    assert await remaining(storage, picture) == [False]


async def test_half_written_pictures_are_cleared_away(storage: Storage, tmp_path: Path) -> None:
    half = tmp_path / "data" / "pictures" / ".incoming" / "abc"
    half.write_bytes(b"half")
    await storage.sweep()
    assert half.exists()
    await storage.sweep(grace_s=0)
    assert not half.exists()


async def test_tokens_that_discord_no_longer_takes_are_forgotten(
    storage: Storage, clock: Clock
) -> None:
    job = await storage.jobs.accept(ask())
    await storage.sweep()
    assert (await storage.jobs.get(job.id)).new.origin.interaction_token == "the-token"
    clock.now = NOON + 3601
    await storage.sweep()
    assert (await storage.jobs.get(job.id)).new.origin.interaction_token == ""


async def test_an_altered_file_is_found_when_all_are_read(storage: Storage) -> None:
    picture = await delivered(storage, b"as painted")
    storage.images.path(picture.sha256).write_bytes(b"as_painted")
    assert (await storage.check()).is_sound
    assert (await storage.check(rehash=True)).altered_files == (picture.sha256,)
    # Painted again, it is the same picture: mend it for the fixture's own look.
    storage.images.path(picture.sha256).write_bytes(b"as painted")


@pytest.mark.parametrize("days", [0, -1])
async def test_a_server_cannot_keep_pictures_for_no_time(storage: Storage, days: float) -> None:
    with pytest.raises(InvalidSettingError):
        await storage.guilds.change_settings(
            GUILD, lambda old: replace(old, pictures_days=days), by=ADMIN
        )
