"""Requests as no careful library sends them: forms, files and bodies at and over every limit."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from .multipart import read_body
from .sample_bot import RED_PIXEL
from .specification import needed
from .violations import Kind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .entities import Channel
    from .server import Wire

MIB = 1024 * 1024


class Raw:
    """A client without any care of its own."""

    def __init__(self, http: aiohttp.ClientSession, wire: Wire, channel: Channel) -> None:
        self._http = http
        self._wire = wire
        self._url = f"{wire.base}/api/v10/channels/{channel.id}/messages"

    async def send(self, **options: Any) -> tuple[int, Any]:
        async with self._http.post(self._url, **options) as answer:
            return answer.status, await answer.json()

    async def upload(
        self, payload: dict[str, Any] | None, files: dict[str, tuple[str, bytes]]
    ) -> tuple[int, Any]:
        form = aiohttp.FormData(quote_fields=False)
        if payload is not None:
            form.add_field("payload_json", json.dumps(payload), content_type="application/json")
        for field, (filename, data) in files.items():
            form.add_field(field, io.BytesIO(data), filename=filename)
        return await self.send(data=form)

    async def refused(
        self, kind: Kind, payload: dict[str, Any] | None, files: dict[str, tuple[str, bytes]]
    ) -> tuple[int, int]:
        with self._wire.violations.expected(kind):
            status, body = await self.upload(payload, files)
        return status, body["code"]


@asynccontextmanager
async def raw(wire: Wire, channel: Channel) -> AsyncGenerator[Raw]:
    headers = {"Authorization": f"Bot {wire.world.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        yield Raw(http, wire, channel)


def files(num: int, size: int = 1) -> dict[str, tuple[str, bytes]]:
    return {f"files[{n}]": (f"{n}.bin", bytes([n]) * size) for n in range(num)}


async def test_sizes_and_numbers(wire: Wire) -> None:
    wire.limits.enforced = False
    channel = wire.world.guild().channel()
    async with raw(wire, channel) as client:
        status, body = await client.upload({}, files(10))
        assert (status, len(body["attachments"])) == (200, 10)
        assert await client.refused(Kind.TOO_LARGE, {}, files(11)) == (400, 30015)
        assert (await client.upload({}, files(1, 10 * MIB)))[0] == 200
        assert await client.refused(Kind.TOO_LARGE, {}, files(1, 10 * MIB + 1)) == (413, 40005)
        assert await client.refused(Kind.TOO_LARGE, {}, files(3, 9 * MIB)) == (413, 40005)
        with wire.violations.expected(Kind.TOO_LARGE):
            big = io.BytesIO(bytes(26 * MIB))
            status, _ = await client.send(data=big, headers={"Content-Type": "application/json"})
        assert status == 413
    assert len(channel.timeline) == 2


async def test_parts_and_their_entries(wire: Wire) -> None:
    wire.limits.enforced = False
    channel = wire.world.guild().channel()
    one = {"files[0]": ("a.png", RED_PIXEL)}
    async with raw(wire, channel) as client:
        # Ids may be numbers or text, and a part may come without any entry.
        for number in (0, "0"):
            entry = {"id": number, "filename": "b.png", "description": "a dot"}
            status, body = await client.upload({"attachments": [entry]}, one)
            (listed,) = body["attachments"]
            assert status == 200
            assert (listed["filename"], listed["description"]) == ("b.png", "a dot")
            assert (listed["width"], listed["content_type"]) == (1, "image/png")
            channel.timeline[-1].delete()
        payloads: tuple[dict[str, Any], ...] = (
            {"attachments": [{"id": 1}]},
            {"attachments": []},
            {"attachments": [{"id": 0}, {"id": 0}]},
            {"embeds": [{"image": {"url": "attachment://c.png"}}]},
        )
        for payload in payloads:
            assert await client.refused(Kind.ATTACHMENT, payload, one) == (400, 50035)
        text = [{"type": 10, "content": "and nothing shows the file"}]
        hidden = {"flags": 1 << 15, "components": text}
        assert await client.refused(Kind.ATTACHMENT, hidden, one) == (400, 50035)
        same = {"files[0]": ("a.png", b"1"), "files[1]": ("a.png", b"2")}
        shown = {"embeds": [{"image": {"url": "attachment://a.png"}}]}
        assert await client.refused(Kind.ATTACHMENT, shown, same) == (400, 50035)
        spaced = {"files[0]": ("a b.png", RED_PIXEL)}
        named = {"embeds": [{"image": {"url": "attachment://a b.png"}}]}
        assert await client.refused(Kind.ATTACHMENT, named, spaced) == (400, 50035)
        twice = aiohttp.FormData(quote_fields=False)
        for name in ("a.png", "b.png"):
            twice.add_field("files[0]", RED_PIXEL, filename=name)
        with wire.violations.expected(Kind.ATTACHMENT):
            assert (await client.send(data=twice))[0] == 400
        odd = {"file": ("a.png", RED_PIXEL)}
        assert await client.refused(Kind.BAD_BODY, {}, odd) == (400, 50035)


@pytest.mark.parametrize(
    ("options", "kind", "code"),
    [
        ({"data": b"{}"}, Kind.BAD_CONTENT_TYPE, 50035),
        (
            {"data": b"{}", "headers": {"Content-Type": "application/json; charset=utf-8"}},
            Kind.BAD_CONTENT_TYPE,
            50035,
        ),
        (
            {"data": b"{nothing", "headers": {"Content-Type": "application/json"}},
            Kind.BAD_BODY,
            50109,
        ),
        ({"json": {}}, Kind.BAD_BODY, 50006),
        ({"json": {"content": "x", "flags": 64}}, Kind.BAD_BODY, 50035),
        pytest.param(
            {"json": {"content": "x"}, "params": {"wayt": "1"}},
            Kind.UNKNOWN_KEY,
            50035,
            marks=needed,
        ),
        ({"json": {"content": "x"}, "headers": {"Authorization": "no"}}, Kind.UNAUTHORIZED, 0),
        ({"json": {"content": "x"}, "headers": {"Authorization": "Bot no"}}, Kind.UNAUTHORIZED, 0),
    ],
)
async def test_bodies_and_headers(
    wire: Wire, options: dict[str, Any], kind: Kind, code: int
) -> None:
    async with raw(wire, wire.world.guild().channel()) as client:
        with wire.violations.expected(kind):
            status, body = await client.send(**options)
    assert status in (400, 401)
    assert body["code"] == code


async def test_a_file_that_arrives_in_pieces_is_read_whole() -> None:
    """aiohttp takes back what it read too much of, and warns of itself then."""
    loop = asyncio.get_running_loop()
    data = bytes(range(256)) * 64
    head = (
        b'--edge\r\nContent-Disposition: form-data; name="files[0]"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n"
    )
    protocol = BaseProtocol(loop)
    protocol.connection_made(asyncio.Transport())
    stream = StreamReader(protocol, 2**16, loop=loop)
    request = make_mocked_request(
        "POST", "/", {"Content-Type": "multipart/form-data; boundary=edge"}, payload=stream
    )
    reading = asyncio.ensure_future(read_body(request))
    for piece in (head + data[:3], data[3:6], data[6:] + b"\r\n--edge--\r\n"):
        stream.feed_data(piece)
        for _ in range(20):
            # Until it has read what there is.
            await asyncio.sleep(0)
    stream.feed_eof()
    (upload,) = (await reading).uploads
    assert upload.data == data
