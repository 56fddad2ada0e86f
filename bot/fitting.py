"""Pictures made to fit what Discord takes: as they are where they fit, else WebP, JPEG, or smaller.

What other tools read of their making goes along as EXIF. The original stays in the store. Encoding
runs in a thread.
"""

from __future__ import annotations

import asyncio
import io
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import discord
from PIL import Image

from ..pipelines.finish.png import exif_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SPOILER = "SPOILER_"
"""Before a file's name: what Discord's clients hide."""
DEFAULT_BYTES = 10 * 1024 * 1024
"""What every server takes; boosted ones take more."""
DIRECT_MESSAGE_BYTES = DEFAULT_BYTES
REQUEST_BYTES = 25 * 1024 * 1024
_ENVELOPE_BYTES = 256 * 1024
"""Kept free in a request for everything that is not a file."""
MAX_FILES = 10
_LOSSLESS_SHARE = 0.5
"""Lossless WebP is seldom smaller than this beside PNG, and slow to try."""
_EXIF_SHARE = 8
"""A prompt that would take more than this part of a small file stays out of it."""


@dataclass(frozen=True, slots=True)
class Named:
    """A file as it is sent."""

    name: str
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        # Discord changes other names, and then `attachment://` finds no file.
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,100}", self.name)

    @property
    def is_spoiler(self) -> bool:
        """Hidden until somebody wants to see it; a file alone says so by its name."""
        return self.name.startswith(SPOILER)

    def veiled(self) -> Named:
        return self if self.is_spoiler else Named(SPOILER + self.name, self.data)

    def file(self) -> discord.File:
        """A new one for each attempt: sending uses it up."""
        return discord.File(io.BytesIO(self.data), self.name)


async def fit(
    pictures: Sequence[Named], limit_bytes: int, *, request_bytes: int = REQUEST_BYTES
) -> list[Named]:
    """Each within the limit for one file, together within that for one request."""
    pictures = pictures[:MAX_FILES]
    share = (request_bytes - _ENVELOPE_BYTES) // max(1, len(pictures))
    return [await fit_one(picture, min(limit_bytes, share)) for picture in pictures]


async def fit_one(picture: Named, limit_bytes: int) -> Named:
    if len(picture.data) <= limit_bytes:
        return picture
    return await asyncio.to_thread(_reencoded, picture, limit_bytes)


def _reencoded(picture: Named, limit_bytes: int) -> Named:
    stem = PurePosixPath(picture.name).stem
    with Image.open(io.BytesIO(picture.data)) as opened:
        image = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    exif = exif_of(picture.data)
    if len(exif) > limit_bytes // _EXIF_SHARE:
        exif = b""
    attempt = picture
    is_near = limit_bytes > _LOSSLESS_SHARE * len(picture.data)
    for suffix, data in _attempts(image, exif, is_near=is_near):
        attempt = Named(f"{stem}.{suffix}", data)
        if len(data) <= limit_bytes:
            break
    return attempt


def _attempts(image: Image.Image, exif: bytes, *, is_near: bool) -> Iterator[tuple[str, bytes]]:
    """Ever smaller files; lossless first, where the original is not much too large."""
    if is_near:
        yield "webp", _encoded(image, "WEBP", exif, lossless=True)
    flat = image.convert("RGB")
    while True:
        for quality in (95, 85, 70):
            yield "webp", _encoded(image, "WEBP", exif, quality=quality)
        # Where WebP has its limit of 16,383 pixels, and as a last resort.
        yield "jpg", _encoded(flat, "JPEG", exif, quality=70)
        if min(image.size) < 64:
            return
        image = image.resize((image.width * 3 // 4, image.height * 3 // 4))
        flat = image.convert("RGB")


def _encoded(image: Image.Image, kind: str, exif: bytes, **options: int | bool) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, exif=exif, **options)
    return out.getvalue()
