"""What a file says of itself before it is decoded: its format, its size, what decoding would cost.

Pure byte reading. Decoding, and what is refused, are `decoding`'s.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from enum import Enum

from .avif_headers import BoxError, coded_sizes


class Format(Enum):
    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WebP"
    GIF = "GIF"
    AVIF = "AVIF"


@dataclass(frozen=True, slots=True)
class Header:
    """Of a file that can be decoded at all; `width` and `height` as stored, before any rotation."""

    format: Format
    width: int
    height: int
    bytes_per_pixel: float
    """What the decoder holds at its peak."""
    num_frames: int = 1
    """At least so many; only the first is ever decoded."""


class HeaderError(Exception):
    """The sentence for the person who sent the file."""


_NOT_PICTURES = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a compressed archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"BM", "a BMP picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"8BPS", "a Photoshop file"),
    (b"gimp xcf", "a GIMP file"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x00\x00\x01\x00", "an icon file"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"ID3", "a sound file"),
    (b"OggS", "a sound file"),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
)
_READABLE = "send a PNG, JPEG, WebP, GIF or AVIF"
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

_PNG_CRITICAL = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}
_MAX_PNG_CHUNKS = 50_000
_MAX_PNG_TEXT_BYTES = 1 << 20
_MAX_SCANS = 64
_MAX_GIF_PREAMBLE_BYTES = 1 << 18


def read_header(data: bytes) -> Header:
    """Raises `HeaderError`: no picture, none that can be read, or one made to be expensive."""
    if not data:
        raise HeaderError("That file is empty: send a picture.")
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return _gif(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
        if data[4:8] == b"ftyp":
            return _isobmff(data)
    except (struct.error, IndexError) as error:
        raise HeaderError("That picture is cut off: send it again.") from error
    raise HeaderError(f"That is {_name(data)}, which can't be read: {_READABLE}.")


def _name(data: bytes) -> str:
    for magic, name in _NOT_PICTURES:
        if data.startswith(magic):
            return name
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml")) and b"<svg" in head:
        return "an SVG drawing"
    if head.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "no picture that I know"


def _checksum(chunk: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(chunk))


def _png(data: bytes) -> Header:
    position, num_chunks, num_frames, text_bytes = 8, 0, 1, 0
    width = height = 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body_end = position + 8 + length
        if kind in _PNG_CRITICAL:
            if body_end + 4 > len(data):
                raise HeaderError("That PNG is cut off: send it again.")
            # Pillow does not look at the checksum of the last pixels.
            if data[body_end : body_end + 4] != _checksum(data[position + 4 : body_end]):
                raise HeaderError("That PNG is damaged: save it again, or send another.")
        if num_chunks == 0:
            if kind != b"IHDR" or length != 13:
                raise HeaderError("That PNG has no header: save it again.")
            width, height = struct.unpack_from(">II", data, position + 8)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            text_bytes += length
        elif kind == b"acTL":
            num_frames = struct.unpack_from(">I", data, position + 8)[0]
        elif kind == b"IEND":
            break
        num_chunks += 1
        if num_chunks > _MAX_PNG_CHUNKS or text_bytes > _MAX_PNG_TEXT_BYTES:
            raise HeaderError(
                "That PNG is mostly something other than a picture: save it again without metadata."
            )
        position = body_end + 4
    return _checked(Header(Format.PNG, width, height, 4, num_frames))


_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def _jpeg(data: bytes) -> Header:
    position, num_scans = 2, 0
    width = height = 0
    is_progressive = False
    coefficient_bytes = 0.0
    while position + 4 <= len(data):
        found = _MARKER.search(data, position)
        if found is None:
            break
        marker, position = data[found.start() + 1], found.end()
        if marker == 0xD9:
            break
        if marker in (0x01, 0xD8):
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, num_components = struct.unpack_from(">HHB", data, position + 3)
            is_progressive = marker in (0xC2, 0xC6, 0xCA, 0xCE)
            sampling = [data[position + 9 + 3 * index] for index in range(num_components)]
            areas = [(byte >> 4) * (byte & 15) for byte in sampling]
            widest = max(areas, default=0)
            coefficient_bytes = 2 * sum(areas) / widest if widest else 8
        elif marker == 0xDA:
            num_scans += 1
            # Each progressive scan walks over the whole picture: a small file can take minutes.
            if num_scans > _MAX_SCANS:
                raise HeaderError("That JPEG is built to be slow: save it again as a plain one.")
        position += length
    if not width or not height or not num_scans:
        raise HeaderError("That JPEG is cut off: send it again.")
    held = 4 + (coefficient_bytes if is_progressive or num_scans > 1 else 0)
    return _checked(Header(Format.JPEG, width, height, held))


def _gif(data: bytes) -> Header:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    while data[position] == 0x21 and position < _MAX_GIF_PREAMBLE_BYTES:
        position += 2
        while data[position]:
            position += 1 + data[position]
        position += 1
    if position >= _MAX_GIF_PREAMBLE_BYTES or data[position] != 0x2C:
        raise HeaderError("That GIF holds no picture: send another file.")
    left, top, frame_width, frame_height, flags = struct.unpack_from("<HHHHB", data, position + 1)
    end = position + 10 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0) + 1
    while data[end] and end < len(data) - 256:
        end += 1 + data[end]
    num_frames = 2 if data[end + 1 : end + 2] in (b"\x21", b"\x2c") else 1
    # A frame may reach beyond the screen that the file declares; decoders then enlarge the screen.
    width, height = max(width, left + frame_width), max(height, top + frame_height)
    return _checked(Header(Format.GIF, width, height, 5, num_frames))


def _webp(data: bytes) -> Header:
    kind = data[12:16]
    is_animated = False
    if kind == b"VP8X":
        is_animated = bool(data[20] & 2)
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        if len(data) < 30:
            raise IndexError
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise HeaderError("That WebP holds no picture: send another file.")
    return _checked(Header(Format.WEBP, width, height, 16, 2 if is_animated else 1))


def _isobmff(data: bytes) -> Header:
    (length,) = struct.unpack_from(">I", data, 0)
    length = min(length, 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, length, 4))}
    if not brands & {b"avif", b"avis"}:
        if brands & _HEIF_BRANDS:
            raise HeaderError("That is a HEIC photo, which can't be read: share it as a JPEG.")
        raise HeaderError(f"That is a video, not a picture: {_READABLE}.")
    try:
        (width, height), coded = coded_sizes(data)
    except BoxError as error:
        raise HeaderError(
            "That AVIF is an animation or damaged, which can't be read: send a PNG or JPEG."
        ) from error
    excess = coded[0] * coded[1] / max(width * height, 1)
    # Up to four times as much is room that the coded stream keeps, not a lie.
    if excess > 4 and coded[0] * coded[1] > 1 << 16:
        raise HeaderError("That AVIF says two different sizes: save it again.")
    held = 20 * max(1.0, excess)
    return _checked(Header(Format.AVIF, width, height, held))


def _checked(header: Header) -> Header:
    if header.width < 1 or header.height < 1:
        raise HeaderError(
            f"That {header.format.value} says it has no pixels: send another picture."
        )
    return header
