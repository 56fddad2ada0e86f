"""An export as Discord takes it: every row and picture, in files that are small enough."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from pathlib import PosixPath
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from limner.bot.parcels import parcels
from limner.storage.privacy import UserExport
from tests.storage.makers import sha256

if TYPE_CHECKING:
    from collections.abc import ItemsView
    from pathlib import Path

LIMIT = 60_000


def noise(seed: int, side: int = 64) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), "uint8")
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def export_of(folder: Path, pictures: list[bytes], num_jobs: int = 1) -> UserExport:
    files: dict[str, Path] = {}
    rows: list[dict[str, object]] = []
    for number, data in enumerate(pictures):
        path = folder / sha256(data)
        path.write_bytes(data)
        files[path.name] = path
        rows.append({"sha256": path.name, "created_at": float(number)})
    jobs = tuple({"id": n, "prompt": f"wish {n} " * 20} for n in range(num_jobs))
    return UserExport(7, {"jobs": jobs, "pictures": tuple(rows)}, dict(sorted(files.items())))


async def opened(export: UserExport, limit_bytes: int = LIMIT) -> list[zipfile.ZipFile]:
    made = [parcel async for parcel in parcels(export, limit_bytes)]
    assert all(len(parcel.data) <= limit_bytes for parcel in made)
    archives = [zipfile.ZipFile(io.BytesIO(parcel.data)) for parcel in made]
    assert all(archive.testzip() is None for archive in archives)
    assert sum(parcel.num_pictures for parcel in made) == sum(
        name.startswith("pictures/") for archive in archives for name in archive.namelist()
    )
    return archives


async def test_every_picture_is_there_byte_for_byte_the_newest_first(tmp_path: Path) -> None:
    pictures = [noise(seed) for seed in range(12)]
    archives = await opened(export_of(tmp_path, pictures))
    assert len(archives) > 1
    names = [name for archive in archives for name in archive.namelist()]
    newest_first = [f"pictures/{sha256(data)}.png" for data in reversed(pictures)]
    assert names == ["data.json", *newest_first]
    data = json.loads(archives[0].read("data.json"))
    assert data["user_id"] == 7
    found = {archive.read(name) for archive in archives for name in archive.namelist()}
    assert set(pictures) < found


async def test_a_picture_larger_than_a_file_may_be_is_made_to_fit(tmp_path: Path) -> None:
    archives = await opened(export_of(tmp_path, [noise(1, 256)]))
    (name,) = [n for archive in archives for n in archive.namelist() if "pictures/" in n]
    with Image.open(io.BytesIO(archives[-1].read(name))) as picture:
        picture.load()


async def test_rows_of_years_are_split_and_none_is_lost(tmp_path: Path) -> None:
    export = export_of(tmp_path, [], num_jobs=12_000)
    archives = await opened(export, 200_000)
    parts = [json.loads(a.read(name)) for a in archives for name in a.namelist()]
    assert [job["id"] for part in parts for job in part["jobs"]] == list(range(12_000))


async def test_a_file_that_is_gone_meanwhile_is_left_out(tmp_path: Path) -> None:
    export = export_of(tmp_path, [noise(1), noise(2)])
    next(iter(export.files.values())).unlink()
    (archive,) = await opened(export)
    assert len(archive.namelist()) == 2


async def test_nothing_kept_is_an_export_too(tmp_path: Path) -> None:
    (archive,) = await opened(export_of(tmp_path, [], num_jobs=0))
    assert json.loads(archive.read("data.json")) == {"user_id": 7, "jobs": [], "pictures": []}


async def test_rows_and_pictures_are_read_and_packed_by_threads(tmp_path: Path) -> None:
    """The event loop goes on meanwhile, however many there are."""
    readers = set[str]()

    class Row(dict[str, object]):
        def items(self) -> ItemsView[str, object]:
            readers.add("rows by the loop" if _is_loop() else "rows")
            return super().items()

    class Watched(PosixPath):
        def read_bytes(self) -> bytes:
            readers.add("pictures by the loop" if _is_loop() else "pictures")
            return super().read_bytes()

    plain = export_of(tmp_path, [noise(1)])
    tables = {name: tuple(map(Row, rows)) for name, rows in plain.tables.items()}
    files: dict[str, Path] = {name: Watched(path) for name, path in plain.files.items()}
    await opened(UserExport(7, tables, files))
    assert readers == {"rows", "pictures"}


def _is_loop() -> bool:
    return threading.current_thread() is threading.main_thread()


@pytest.mark.parametrize("limit_bytes", [10 * 2**20])
async def test_usually_it_is_one_file(tmp_path: Path, limit_bytes: int) -> None:
    export = export_of(tmp_path, [noise(seed) for seed in range(5)])
    (archive,) = await opened(export, limit_bytes)
    assert len(archive.namelist()) == 6
