"""Pictures that a safety checker found unsafe: kept as hashes, or kept and marked for good."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from limner.storage import JobStatus, Storage
from limner.storage.errors import IllegalTransitionError, NoSuchPictureError
from limner.storage.folder import Folder
from limner.storage.migrations import known_migrations, migrate
from limner.storage.records import NewBlock

from .makers import GUILD, NOON, USER, ask, bring_to, painted, sha256

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

BLOCK = NewBlock(sha256(b"unsafe"), "opennsfw", "nsfw 0.97")
ENDS: dict[str, Callable[[Storage, int], Awaitable[object]]] = {
    "store": lambda storage, job_id: storage.jobs.store(job_id, [painted()], blocks=[BLOCK]),
    "fail": lambda storage, job_id: storage.jobs.fail(job_id, "Unsafe.", blocks=[BLOCK]),
    "cancel": lambda storage, job_id: storage.jobs.cancel(job_id, blocks=[BLOCK]),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_block_is_written_once_with_the_end_of_its_job(storage: Storage, end: str) -> None:
    job = await bring_to(storage, JobStatus.RUNNING)
    await ENDS[end](storage, job.id)
    with pytest.raises(IllegalTransitionError):
        await ENDS[end](storage, job.id)
    (block,) = await storage.moderation.blocked(GUILD)
    assert (block.user_id, block.job_id, block.sha256) == (USER, job.id, BLOCK.sha256)
    assert (block.checker, block.verdict) == ("opennsfw", "nsfw 0.97")
    with pytest.raises(NoSuchPictureError):
        await storage.images.read(BLOCK.sha256)
    assert (await storage.check()).is_sound


async def test_a_kept_unsafe_picture_stays_marked_after_a_restart(tmp_path: Path) -> None:
    async with Storage.open(tmp_path) as storage:
        job = await bring_to(storage, JobStatus.RUNNING, ask(num_pictures=2))
        unsafe = replace(painted(b"unsafe"), is_unsafe=True)
        stored = await storage.jobs.store(job.id, [unsafe, painted(index=1)])
        assert [picture.is_unsafe for picture in stored] == [True, False]
    async with Storage.open(tmp_path) as storage:
        assert await storage.images.of_job(job.id) == stored
        export = await storage.export_user(USER)
        assert [row["is_unsafe"] for row in export.tables["pictures"]] == [1, 0]


async def test_pictures_of_an_older_database_count_as_safe(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.make()
    with closing(sqlite3.connect(folder.database, isolation_level=None)) as connection:
        migrate(connection, folder, known_migrations()[:2])
        connection.execute(
            "INSERT INTO jobs (id, status, kind, user_id, guild_id, channel_id, application_id,"
            " interaction_id, interaction_token, interaction_at, message_id, is_private,"
            " is_user_install, request_json, prompt, num_pictures, num_pixels, seed, model,"
            " model_fingerprint, cost, accepted_at) VALUES (1, 'delivered', 'imagine', 7, 8, 5, 6,"
            f" 7, '', 0, 0, 0, 0, '{{}}', 'a cat', 1, 1, '41', 'house', 'f', 1000, {NOON})"
        )
        connection.execute(
            "INSERT INTO pictures (job_id, position, sha256, seed, width, height, num_bytes,"
            f" parameters_json, created_at) VALUES (1, 0, '{'a' * 64}', '41', 1, 1, 1, '{{}}', 0)"
        )
    async with Storage.open(tmp_path) as storage:
        (picture,) = await storage.images.of_job(1)
        assert not picture.is_unsafe
        assert not (await storage.jobs.get(1)).new.origin.is_age_restricted


async def test_a_blocked_input_is_not_kept_unless_somebody_else_needs_it(storage: Storage) -> None:
    ours, shared = [await storage.images.put(data) for data in (b"ours", b"shared")]
    another = await bring_to(storage, JobStatus.QUEUED, ask(inputs=(shared,)))
    job = await bring_to(storage, JobStatus.RUNNING, ask(inputs=(ours, shared)))
    await storage.jobs.fail(job.id, "Unsafe.", blocks=[BLOCK], drops_inputs=True)
    with pytest.raises(NoSuchPictureError):
        await storage.images.read(ours)
    assert await storage.images.read(shared) == b"shared"
    assert (await storage.jobs.get(job.id)).new.input_hashes == ()
    assert (await storage.jobs.get(another.id)).new.input_hashes == (shared,)
