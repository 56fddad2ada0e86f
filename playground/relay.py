"""Passes HTTP requests of the browser on to simcord's own servers, and their answers back."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import BodyPartReader, ClientSession, FormData, web

if TYPE_CHECKING:
    from simcord.preview import Preview

# Of the connection, not of the message; aiohttp writes those of the next connection itself.
# simcord takes requests of its own origin or of none.
_NOT_PASSED = frozenset(
    {"connection", "content-length", "host", "keep-alive", "origin", "transfer-encoding"}
)


@dataclass(slots=True)
class Part:
    """A field of a multipart form; or the whole body of what is not one, without a name."""

    name: str
    filename: str | None
    content: bytes


async def read_parts(request: web.Request) -> list[Part]:
    """The request's body. simcord's page sends a form's JSON first."""
    if not request.content_type.startswith("multipart/"):
        return [Part("", None, await request.read())]
    return [
        Part(part.name or "", part.filename, bytes(await part.read()))
        async for part in await request.multipart()
        if isinstance(part, BodyPartReader)
    ]


class Relay:
    """An async context manager that holds the connections."""

    def __init__(self) -> None:
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Relay:
        self._session = await self._resources.enter_async_context(
            ClientSession(auto_decompress=False)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._resources.aclose()

    async def get(self, preview: Preview, request: web.Request, path: str) -> web.Response:
        """Asks for `path` with the credentials of `request`."""
        return await self._pass(preview, "GET", path, _headers(request, is_form=True), None)

    async def send(self, preview: Preview, request: web.Request, parts: list[Part]) -> web.Response:
        """Passes `request` on with these parts for a body."""
        is_form = bool(parts and parts[0].name)
        body: FormData | bytes = parts[0].content if parts else b""
        if is_form:
            body = FormData()
            for part in parts:
                text = part.content.decode() if part.filename is None else part.content
                body.add_field(part.name, text, filename=part.filename)
        headers = _headers(request, is_form=is_form)
        return await self._pass(preview, request.method, request.path_qs, headers, body)

    async def _pass(
        self,
        preview: Preview,
        method: str,
        path: str,
        headers: dict[str, str],
        body: FormData | bytes | None,
    ) -> web.Response:
        url = preview.url.partition("/#")[0] + path
        async with self._session.request(method, url, headers=headers, data=body or None) as answer:
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in _NOT_PASSED
            }
            return web.Response(status=answer.status, headers=kept, body=await answer.read())


def _headers(request: web.Request, *, is_form: bool) -> dict[str, str]:
    # A form gets a boundary of its own, so its old type must go.
    dropped = _NOT_PASSED | {"content-type"} if is_form else _NOT_PASSED
    return {name: value for name, value in request.headers.items() if name.lower() not in dropped}
