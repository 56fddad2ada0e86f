"""Pictures out of Discord's data: found in messages, downloaded in bounds, decoded off the loop.

No address of anybody's choosing is fetched: only what Discord itself says was uploaded to it. What
the bytes are is `decoding`'s.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import aiohttp
import discord
from yarl import URL

from .decoding import Opened, decode
from .errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Uploaded = discord.Attachment | discord.UnfurledMediaItem

_CDN_HOSTS: Final = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
_DOWNLOAD_TIMEOUT_S = 30
_MAX_WAITING = 32
_GONE = "Discord no longer has that picture: upload it again."
_UNREACHABLE = "Discord did not hand over that picture: try again in a moment."


@dataclass(frozen=True, slots=True)
class Found:
    """A picture that a message shows, not downloaded yet."""

    item: Uploaded
    place: int
    """From 1, in the order in which the message shows them."""
    name: str

    @property
    def label(self) -> str:
        """For a menu; up to 100 characters."""
        size = f" · {self.item.width}×{self.item.height}" if self.item.width else ""
        return f"{self.place}. {self.name[:70]}{size}"


def find_pictures(message: discord.Message) -> tuple[Found, ...]:
    """Every uploaded picture that the message shows: attachments, forwards, components.

    Files that components show are not among a message's attachments.
    """
    found: dict[int, tuple[Uploaded, str]] = {}
    forwarded = [file for snapshot in message.message_snapshots for file in snapshot.attachments]
    for attachment in (*message.attachments, *forwarded):
        if may_be_picture(attachment):
            found.setdefault(attachment.id, (attachment, attachment.filename))
    trees = (message.components, *(snapshot.components for snapshot in message.message_snapshots))
    for tree in trees:
        for item, name in _media(tree):
            # Without an attachment's id it is a link somewhere, not an upload.
            if item.attachment_id is not None and may_be_picture(item):
                found.setdefault(item.attachment_id, (item, name))
    return tuple(
        Found(item, place, name) for place, (item, name) in enumerate(found.values(), start=1)
    )


def may_be_picture(item: Uploaded) -> bool:
    """By what Discord says of it; what it really is shows when it is decoded."""
    kind = item.content_type or ""
    return kind.startswith("image/") or (not kind and item.width is not None)


def _media(
    components: Sequence[discord.components.Component],
) -> Iterator[tuple[discord.UnfurledMediaItem, str]]:
    for component in components:
        if isinstance(component, discord.components.MediaGalleryComponent):
            for item in component.items:
                yield item.media, item.description or _file_name(item.media)
        elif isinstance(component, discord.components.SectionComponent):
            yield from _media([component.accessory])
        elif isinstance(component, discord.components.ThumbnailComponent):
            yield component.media, component.description or _file_name(component.media)
        elif isinstance(component, discord.components.FileComponent):
            yield component.media, component.name or _file_name(component.media)
        elif isinstance(component, discord.components.Container):
            yield from _media(component.children)


def _file_name(item: discord.UnfurledMediaItem) -> str:
    return item.url.partition("?")[0].rpartition("/")[2] or "picture"


class PictureReader:
    """Reads uploads: a single decoding thread bounds the memory, a count bounds the queue."""

    def __init__(self, *, max_bytes: int, max_pixels: int) -> None:
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="limner-decode")
        self._downloads = asyncio.Semaphore(2)
        self._num_reading = 0

    def judge(self, item: Uploaded) -> None:
        """What Discord's own words about an upload already rule out; no waiting.

        Raises `RefusedError`.
        """
        if isinstance(item, discord.Attachment) and item.size > self._max_bytes:
            raise RefusedError(
                f"That file has {_mebibytes(item.size)} and pictures are read up to"
                f" {_mebibytes(self._max_bytes)}: make it smaller."
            )
        if isinstance(item, discord.UnfurledMediaItem) and item.attachment_id is None:
            raise RefusedError(
                "That is a link, not an uploaded picture: upload the picture itself."
            )

    async def read(self, item: Uploaded, client: discord.Client) -> Opened:
        """Raises `RefusedError` with one sentence."""
        self.judge(item)
        if self._num_reading >= _MAX_WAITING:
            raise RefusedError("Very many pictures are being read just now: try again in a minute.")
        self._num_reading += 1
        try:
            async with self._downloads:
                data = await fetch(item, client, self._max_bytes)
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(
                    self._thread, partial(decode, data, max_pixels=self._max_pixels)
                )
        finally:
            self._num_reading -= 1

    def close(self) -> None:
        """Forgets what waits; what is being decoded ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)


async def fetch(item: Uploaded, client: discord.Client, max_bytes: int) -> bytes:
    """Downloads an upload, never more of it than `max_bytes`. Raises `RefusedError`."""
    try:
        async with asyncio.timeout(_DOWNLOAD_TIMEOUT_S):
            url = URL(item.url)
            if url.host in _CDN_HOSTS:
                data = await stream(url, max_bytes, proxy=client.http.proxy)
            else:
                # A world that is simulated or proxied: its own transport knows where uploads lie.
                data = await client.http.get_from_cdn(item.url)
    except discord.NotFound as error:
        raise RefusedError(_GONE) from error
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise RefusedError(_UNREACHABLE) from error
    if len(data) > max_bytes:
        raise _too_heavy(max_bytes)
    return data


async def stream(url: URL, max_bytes: int, *, proxy: str | None = None) -> bytes:
    """The body behind an address that Discord gave. Redirects are not followed.

    Raises `RefusedError` where there is nothing, or more than `max_bytes`.
    """
    data = bytearray()
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, proxy=proxy, allow_redirects=False) as response,
    ):
        if response.status in (403, 404, 410):
            raise RefusedError(_GONE)
        if response.status != 200:
            raise RefusedError(_UNREACHABLE)
        if (response.content_length or 0) > max_bytes:
            raise _too_heavy(max_bytes)
        async for chunk in response.content.iter_chunked(1 << 16):
            data += chunk
            if len(data) > max_bytes:
                raise _too_heavy(max_bytes)
    return bytes(data)


def _too_heavy(max_bytes: int) -> RefusedError:
    return RefusedError(
        f"Pictures are read up to {_mebibytes(max_bytes)} and that one is larger: make it smaller."
    )


def _mebibytes(num_bytes: int) -> str:
    return f"{num_bytes / (1 << 20):.1f}".removesuffix(".0") + " MiB"
