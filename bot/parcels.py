"""Everything that is kept about a user, as zip files that Discord takes: rows first, then pictures.

What belongs to it is storage's to say; sending it is `cogs.privacy`'s.
"""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .fitting import Named, fit_one

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..storage.privacy import UserExport

_ROWS = 5000
"""In one JSON file: of many more none would fit into a part."""
_OVERHEAD = 1024
"""Bytes of an entry besides its content, and of a zip file's end; both are less."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One zip file."""

    data: bytes = field(repr=False)
    num_pictures: int


class _Box:
    """A zip file that is being filled; one entry always fits, and it is never opened again."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._num_bytes = _OVERHEAD
        self._num_pictures = 0
        self._out = io.BytesIO()
        self._archive = zipfile.ZipFile(self._out, "w")

    def takes(self, most_bytes: int) -> bool:
        is_empty = not self._archive.filelist
        return is_empty or self._num_bytes + most_bytes + _OVERHEAD <= self._limit_bytes

    def add(self, name: str, data: bytes, kind: int) -> None:
        self._archive.writestr(name, data, kind)
        self._num_bytes += self._archive.getinfo(name).compress_size + _OVERHEAD
        self._num_pictures += kind == zipfile.ZIP_STORED

    def closed(self) -> Parcel:
        self._archive.close()
        return Parcel(self._out.getvalue(), self._num_pictures)


async def parcels(export: UserExport, limit_bytes: int) -> AsyncIterator[Parcel]:
    """None larger than the limit; the newest pictures first. Pictures too large are made to fit.

    Reading and packing years of pictures takes seconds, so threads do it.
    """
    box = _Box(limit_bytes)
    async for name, data, kind in _entries(export, limit_bytes):
        if not box.takes(len(data)):
            yield await asyncio.to_thread(box.closed)
            box = _Box(limit_bytes)
        await asyncio.to_thread(box.add, name, data, kind)
    yield await asyncio.to_thread(box.closed)


async def _entries(export: UserExport, limit_bytes: int) -> AsyncIterator[tuple[str, bytes, int]]:
    """Name, content, and how it is packed: pictures don't shrink."""
    longest = max(map(len, export.tables.values()), default=0)
    for start in range(0, max(1, longest), _ROWS):
        name = "data.json" if not start else f"data-{start // _ROWS + 1}.json"
        yield name, await asyncio.to_thread(_rows, export, start), zipfile.ZIP_DEFLATED
    for sha256 in await asyncio.to_thread(_newest_first, export):
        try:
            data = await asyncio.to_thread(export.files[sha256].read_bytes)
        except OSError:
            continue  # deleted meanwhile
        file = await fit_one(Named(f"{sha256}.png", data), limit_bytes - 3 * _OVERHEAD)
        yield f"pictures/{file.name}", file.data, zipfile.ZIP_STORED


def _rows(export: UserExport, start: int) -> bytes:
    """Every table as JSON; where there are very many rows, only so many from `start` on."""
    part = {name: rows[start : start + _ROWS] for name, rows in export.tables.items()}
    return json.dumps({"user_id": export.user_id, **part}, ensure_ascii=False, indent=1).encode()


def _newest_first(export: UserExport) -> list[str]:
    painted = sorted(
        export.tables["pictures"], key=lambda row: float(str(row["created_at"])), reverse=True
    )
    hashes = [str(row["sha256"]) for row in painted]
    return [sha256 for sha256 in dict.fromkeys([*hashes, *export.files]) if sha256 in export.files]
