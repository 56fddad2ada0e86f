"""Reads a request's body, JSON or a form of `payload_json` and `files[n]`, within the limits."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from .attachments import FILE_LIMIT_BYTES, MAX_FILES, REQUEST_LIMIT_BYTES
from .errors import ApiError, invalid_body, too_large
from .violations import Kind


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded part; `index` is the n of `files[n]`."""

    index: int
    filename: str
    # Not printed: pytest would print all of it when a test fails.
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carried. `json` is None where it carried nothing."""

    json: Any = None
    uploads: tuple[Upload, ...] = field(default=())


async def read_body(request: web.Request) -> Body:
    content_type = request.headers.get("Content-Type")
    if content_type is not None and content_type.startswith("multipart/form-data"):
        return await _read_form(request)
    raw = await request.read()
    if not raw:
        return Body()
    if len(raw) > REQUEST_LIMIT_BYTES:
        raise too_large()
    # Discord itself takes a charset here, but answers in exactly this type and so should a client.
    if content_type != "application/json":
        raise ApiError(
            400,
            50035,
            f"Expected Content-Type application/json, got {content_type}",
            kind=Kind.BAD_CONTENT_TYPE,
        )
    return Body(_parsed(raw))


def _parsed(raw: bytes | str) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        message = "The request body contains invalid JSON."
        raise ApiError(400, 50109, message, kind=Kind.BAD_BODY) from error


async def _read_form(request: web.Request) -> Body:
    payload: Any = None
    uploads: list[Upload] = []
    # Read to the end before refusing: a client that is still sending sees a reset otherwise.
    refusal: ApiError | None = None
    total = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            refusal = refusal or invalid_body("", "a form within a form")
            continue
        data = bytes(await part.read(decode=False))
        total += len(data)
        named = re.fullmatch(r"files\[(\d+)\]", part.name or "")
        if part.name == "payload_json":
            payload = _parsed(data)
        elif named is None:
            refusal = refusal or invalid_body("", f"unknown form field {part.name!r}")
        elif not part.filename:
            refusal = refusal or invalid_body("", f"{part.name} has no filename", Kind.ATTACHMENT)
        else:
            uploads.append(Upload(int(named[1]), part.filename, data))
            if len(data) > FILE_LIMIT_BYTES:
                refusal = refusal or too_large()
    if total > REQUEST_LIMIT_BYTES:
        raise too_large()
    if refusal is not None:
        raise refusal
    if len(uploads) > MAX_FILES:
        raise ApiError(
            400,
            30015,
            f"Maximum number of attachments in a message reached ({MAX_FILES})",
            kind=Kind.TOO_LARGE,
        )
    if len({upload.index for upload in uploads}) != len(uploads):
        raise invalid_body("", "two parts of one files[n]", Kind.ATTACHMENT)
    return Body(payload, tuple(uploads))
