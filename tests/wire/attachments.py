"""Files: their names, kinds and sizes as Discord reads them, and links that expire."""

from __future__ import annotations

import hashlib
import io
import mimetypes
import re
from urllib.parse import quote

from PIL import Image, UnidentifiedImageError

from .clock import LINK_VALID_S, Clock
from .entities import Attachment

FILE_LIMIT_BYTES = 10 * 1024 * 1024
REQUEST_LIMIT_BYTES = 25 * 1024 * 1024
MAX_FILES = 10


def served_name(filename: str) -> str:
    """What Discord makes of an uploaded name: spaces and odd characters do not survive."""
    name = re.sub(r"[^\w.\-]", "_", filename.replace(" ", "_"))
    return name.lstrip(".") or "unknown"


def content_type_of(filename: str) -> str | None:
    kind, _ = mimetypes.guess_type(filename)
    if kind is not None and kind.startswith("text/"):
        return f"{kind}; charset=utf-8"
    return kind


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height, for what Discord recognises as a picture."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None
    except (Image.DecompressionBombError, Warning):
        # A bomb, or so broken that Pillow warns; what Discord says of such files is not known.
        return None


class Links:
    """Makes and reads the CDN's signed addresses; a link that is a day old is dead."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.base = ""

    def sign(self, file: Attachment) -> str:
        issued = int(self._clock.now())
        expires = issued + int(LINK_VALID_S)
        folder = "ephemeral-attachments" if file.is_ephemeral else "attachments"
        path = f"{folder}/{file.channel_id}/{file.id}/{quote(file.filename)}"
        query = f"ex={expires:x}&is={issued:x}&hm={self._digest(file.id, expires, issued)}&"
        return f"{self.base}/{path}?{query}"

    def is_valid(self, file: Attachment, query: dict[str, str]) -> bool:
        try:
            expires, issued = int(query["ex"], 16), int(query["is"], 16)
        except (KeyError, ValueError):
            return False
        if query.get("hm") != self._digest(file.id, expires, issued):
            return False
        return self._clock.now() < expires

    @staticmethod
    def _digest(file_id: int, expires: int, issued: int) -> str:
        return hashlib.sha256(f"{file_id}/{expires}/{issued}".encode()).hexdigest()


def store(
    file_id: int,
    channel_id: int,
    filename: str,
    data: bytes,
    links: Links,
    *,
    description: str | None = None,
    is_ephemeral: bool = False,
) -> Attachment:
    name = served_name(filename)
    kind = content_type_of(name)
    size = picture_size(data) if kind is not None and kind.startswith("image/") else None
    return Attachment(
        id=file_id,
        channel_id=channel_id,
        filename=name,
        data=data,
        sign=links.sign,
        content_type=kind,
        width=None if size is None else size[0],
        height=None if size is None else size[1],
        description=description,
        is_ephemeral=is_ephemeral,
    )
