"""The sizes that an AVIF really codes, read from its boxes and its AV1 sequence headers.

Its boxes alone may lie: a decoder obeys the coded stream, and fills memory with what that says.

Source: ISO/IEC 14496-12 (boxes, iloc, iinf); AV1 bitstream specification, sections 5.3 and 5.5.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Sides = tuple[int, int]

_MAX_ITEMS = 300


class BoxError(Exception):
    """The boxes do not say where a still picture lies."""


def coded_sizes(data: bytes) -> tuple[Sides, Sides]:
    """The largest size that its boxes declare, and the largest that its streams code.

    Raises `BoxError`: an animation, or nothing that could be decoded safely.
    """
    boxes = dict(_boxes(data, 0, len(data)))
    if b"moov" in boxes:
        raise BoxError("an animation")
    if b"meta" not in boxes:
        raise BoxError("no pictures")
    start, end = boxes[b"meta"]
    inside = dict(_boxes(data, start + 4, end))
    if not {b"iloc", b"iinf", b"iprp"} <= inside.keys():
        raise BoxError("no pictures")
    kinds = _kinds(data, *inside[b"iinf"])
    idat = inside.get(b"idat", (0, 0))
    sizes = _declared(data, *inside[b"iprp"])
    coded = [
        size
        for item, stream in _streams(data, *inside[b"iloc"], idat=idat)
        if kinds.get(item) == b"av01"
        for size in _sequence_sizes(stream)
    ]
    if not sizes or not coded:
        raise BoxError("no coded picture")
    return max(sizes, key=_area), max(coded, key=_area)


def _area(sides: Sides) -> int:
    return sides[0] * sides[1]


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        body = start + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, body)
            body += 8
        stop = end if size == 0 else start + size
        if stop < body or stop > end:
            raise BoxError("a box that is cut off")
        yield kind, (body, stop)
        start = stop


def _declared(data: bytes, start: int, end: int) -> list[Sides]:
    return [
        struct.unpack_from(">II", data, body + 4)
        for kind, (inside, stop) in _boxes(data, start, end)
        if kind == b"ipco"
        for name, (body, _) in _boxes(data, inside, stop)
        if name == b"ispe"
    ]


def _kinds(data: bytes, start: int, end: int) -> dict[int, bytes]:
    kinds: dict[int, bytes] = {}
    for kind, (body, _) in _boxes(data, start + (6 if data[start] == 0 else 8), end):
        if kind != b"infe" or data[body] < 2:
            continue
        form = ">HH4s" if data[body] == 2 else ">IH4s"
        item, _, name = struct.unpack_from(form, data, body + 4)
        kinds[item] = name
    return kinds


@dataclass(slots=True)
class _Reader:
    """Whole bytes, most significant first."""

    data: bytes
    at: int

    def take(self, num_bytes: int) -> int:
        if self.at + num_bytes > len(self.data):
            raise BoxError("a box that is cut off")
        value = int.from_bytes(self.data[self.at : self.at + num_bytes], "big")
        self.at += num_bytes
        return value


def _streams(
    data: bytes, start: int, end: int, *, idat: tuple[int, int]
) -> Iterator[tuple[int, bytes]]:
    """Each item's number and its bytes, as `iloc` places them."""
    reader = _Reader(data[:end], start)
    version = reader.take(4) >> 24
    sizes = reader.take(2)
    offset_size, length_size = sizes >> 12, sizes >> 8 & 15
    base_size, index_size = sizes >> 4 & 15, sizes & 15 if version else 0
    num_items = reader.take(4 if version >= 2 else 2)
    if num_items > _MAX_ITEMS:
        raise BoxError("too many pictures")
    for _ in range(num_items):
        item = reader.take(4 if version >= 2 else 2)
        method = reader.take(2) & 15 if version else 0
        reader.take(2)
        base = reader.take(base_size)
        stream = b""
        for _ in range(reader.take(2)):
            reader.take(index_size)
            offset, length = base + reader.take(offset_size), reader.take(length_size)
            if method > 1 or len(stream) > len(data):
                raise BoxError("a picture that is made of another")
            begin = offset + (idat[0] if method == 1 else 0)
            stream += data[begin : begin + length if length else len(data)]
        yield item, stream


def _sequence_sizes(stream: bytes) -> Iterator[Sides]:
    """Walks over the open bitstream units and reads every sequence header."""
    at = 0
    while at < len(stream):
        head = stream[at]
        kind, has_extension, has_size = head >> 3 & 15, head & 4, head & 2
        at += 2 if has_extension else 1
        size = len(stream) - at
        if has_size:
            size = shift = 0
            while True:
                if at >= len(stream) or shift > 49:
                    raise BoxError("a stream that is cut off")
                byte = stream[at]
                at += 1
                size |= (byte & 127) << shift
                shift += 7
                if not byte & 128:
                    break
        if kind == 1:
            yield _sequence_size(stream[at : at + size])
        at += size


def _sequence_size(header: bytes) -> Sides:
    bits = int.from_bytes(header[:64], "big")
    left = 8 * len(header[:64])

    def take(count: int) -> int:
        nonlocal left
        left -= count
        if left < 0:
            raise BoxError("a header that is cut off")
        return bits >> left & ((1 << count) - 1)

    take(4)
    is_reduced = take(1)
    if is_reduced:
        take(5)
    else:
        if take(1):
            raise BoxError("a film")
        has_delay = take(1)
        for _ in range(take(5) + 1):
            take(12)
            if take(5) > 7:
                take(1)
            if has_delay and take(1):
                take(4)
    width_bits, height_bits = take(4) + 1, take(4) + 1
    width, height = take(width_bits) + 1, take(height_bits) + 1
    if not is_reduced:
        # Each frame may then say its own size, as large as the bits allow.
        return (1 << width_bits, 1 << height_bits)
    return (width, height)
