"""Picture files and their rows: kept once, named by content, never another file than theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from limner.storage import JobStatus, Storage
from limner.storage.errors import NoSuchPictureError

from .makers import ask, bring_to, painted, sha256

if TYPE_CHECKING:
    from pathlib import Path


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "data" / "pictures").rglob("*") if path.is_file())


async def test_the_same_bytes_are_kept_once_under_their_hash(
    storage: Storage, tmp_path: Path
) -> None:
    names = {await storage.images.put(b"a picture") for _ in range(3)}
    assert names == {sha256(b"a picture")}
    assert files(tmp_path) == [sha256(b"a picture")]
    assert await storage.images.read(sha256(b"a picture")) == b"a picture"


async def test_a_file_that_was_cut_short_is_written_anew(storage: Storage) -> None:
    name = await storage.images.put(b"a picture")
    storage.images.path(name).write_bytes(b"a pic")
    await storage.images.put(b"a picture")
    assert await storage.images.read(name) == b"a picture"


@pytest.mark.parametrize("name", ["", "../limner.db", "A" * 64, "ab/../../limner.db", "0" * 65])
async def test_a_name_that_is_no_hash_names_no_file(storage: Storage, name: str) -> None:
    with pytest.raises(NoSuchPictureError):
        await storage.images.read(name)


async def test_stored_pictures_come_back_in_order_with_all_that_was_said_of_them(
    storage: Storage,
) -> None:
    job = await bring_to(storage, JobStatus.RUNNING)
    new = [painted(b"second", index=1, seed=2**64 - 3), painted(b"first", index=0)]
    returned = await storage.jobs.store(job.id, new)
    stored = await storage.images.of_job(job.id)
    assert sorted(returned, key=lambda picture: picture.index) == stored
    assert [picture.sha256 for picture in stored] == [sha256(b"first"), sha256(b"second")]
    assert [picture.seed for picture in stored] == [41, 2**64 - 2]
    one = stored[0]
    assert (one.width, one.height, one.num_bytes, one.parameters_json) == (
        64,
        48,
        5,
        '{"steps": 20}',
    )
    assert await storage.images.picture(one.id) == one


async def test_deleting_a_picture_removes_its_file_and_keeps_its_row(
    storage: Storage, tmp_path: Path
) -> None:
    job = await bring_to(storage, JobStatus.DELIVERED)
    (picture,) = await storage.images.of_job(job.id)
    child = await storage.jobs.accept(ask(parent=picture.id))
    await storage.images.delete(picture.id)
    assert (await storage.images.picture(picture.id)).is_deleted
    assert (await storage.jobs.get(child.id)).new.parent_picture_id == picture.id
    assert files(tmp_path) == []
    for call in (storage.images.delete, storage.images.set_favourite):
        with pytest.raises(NoSuchPictureError):
            await call(picture.id)


async def test_a_file_that_somebody_else_needs_outlives_a_deleted_picture(
    storage: Storage, tmp_path: Path
) -> None:
    pictures = []
    for _ in range(2):
        job = await bring_to(storage, JobStatus.RUNNING)
        pictures += await storage.jobs.store(job.id, [painted(b"the same")])
    job = await storage.jobs.accept(ask(inputs=(pictures[0].sha256,)))
    await storage.images.delete(pictures[0].id)
    assert await storage.images.read(pictures[1].sha256) == b"the same"
    await storage.images.delete(pictures[1].id)
    # The job that varies it still waits.
    assert await storage.images.read(pictures[1].sha256) == b"the same"


async def test_a_picture_that_never_was_is_said_to_be_gone(storage: Storage) -> None:
    with pytest.raises(NoSuchPictureError):
        await storage.images.picture(404)
    with pytest.raises(NoSuchPictureError):
        await storage.images.delete(404)
