"""Everything that is kept about a user, as zip files that Discord takes: rows first, then pictures.

What belongs to it is storage's to say; sending it is `cogs.privacy`'s.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .fitting import Named, fit_one

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

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


@dataclass(slots=True)
class _Box:
    """A zip file that is being filled."""

    limit_bytes: int
    num_bytes: int = _OVERHEAD
    num_pictures: int = 0
    entries: list[tuple[str, bytes, int]] = field(default_factory=list[tuple[str, bytes, int]])

    def takes(self, num_bytes: int) -> bool:
        return not self.entries or self.num_bytes + num_bytes + _OVERHEAD <= self.limit_bytes

    def add(self, name: str, data: bytes, kind: int, num_bytes: int) -> None:
        self.entries.append((name, data, kind))
        self.num_bytes += num_bytes + _OVERHEAD

    def closed(self) -> Parcel:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, data, kind in self.entries:
                archive.writestr(name, data, kind)
        return Parcel(out.getvalue(), self.num_pictures)


async def parcels(export: UserExport, limit_bytes: int) -> AsyncIterator[Parcel]:
    """None larger than the limit; the newest pictures first. Pictures too large are made to fit."""
    box = _Box(limit_bytes)
    for name, text in _rows(export):
        data = text.encode()
        # Zip's deflate is zlib's.
        num_bytes = len(zlib.compress(data, 6))
        if not box.takes(num_bytes):
            yield box.closed()
            box = _Box(limit_bytes)
        box.add(name, data, zipfile.ZIP_DEFLATED, num_bytes)
    for sha256 in _newest_first(export):
        try:
            data = export.files[sha256].read_bytes()
        except OSError:
            continue  # deleted meanwhile
        file = await fit_one(Named(f"{sha256}.png", data), limit_bytes - 3 * _OVERHEAD)
        if not box.takes(len(file.data)):
            yield box.closed()
            box = _Box(limit_bytes)
        box.add(f"pictures/{file.name}", file.data, zipfile.ZIP_STORED, len(file.data))
        box.num_pictures += 1
    yield box.closed()


def _rows(export: UserExport) -> Iterator[tuple[str, str]]:
    """`data.json` with every table; where there are very many rows, several such files."""
    tables = {name: list(rows) for name, rows in export.tables.items()}
    longest = max(map(len, tables.values()), default=0)
    for start in range(0, max(1, longest), _ROWS):
        part = {name: rows[start : start + _ROWS] for name, rows in tables.items()}
        name = "data.json" if not start else f"data-{start // _ROWS + 1}.json"
        text = json.dumps({"user_id": export.user_id, **part}, ensure_ascii=False, indent=1)
        yield name, text


def _newest_first(export: UserExport) -> list[str]:
    painted = sorted(
        export.tables["pictures"], key=lambda row: float(str(row["created_at"])), reverse=True
    )
    hashes = [str(row["sha256"]) for row in painted]
    return [sha256 for sha256 in dict.fromkeys([*hashes, *export.files]) if sha256 in export.files]
