"""A picture as a PNG file that carries its parameters, and whoever's parameters out of a PNG again.

Two text chunks: "parameters", which other tools read, and "limner", which says everything. In a
JPEG or WebP made of it, EXIF's UserComment says the first, as the web UI has it. What the
parameters mean is parameters'.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import ExifTags, Image, PngImagePlugin

from .foreign import from_invoke_json, from_webui_text, webui_text
from .parameters import from_json

if TYPE_CHECKING:
    from .parameters import Parameters

OUR_CHUNK = "limner"
FOREIGN_CHUNK = "parameters"
_INVOKE_CHUNK = "invokeai_metadata"

_MOST_TEXT = 64 * 1024
"""Characters of a text chunk that are looked at."""
_MOST_COMMENT = 30_000
"""Characters: a JPEG's EXIF is at most 64 KiB."""
_UNICODE, _ASCII = b"UNICODE\0", b"ASCII\0\0\0"


def encode(image: Image.Image, parameters: Parameters, *, version: str = "") -> bytes:
    """The PNG file. Equal pictures and parameters give equal bytes with one Pillow and zlib."""
    info = PngImagePlugin.PngInfo()
    # Latin-1 goes into tEXt, all else into iTXt, as the web UI has it.
    info.add_text(FOREIGN_CHUNK, _clean(webui_text(parameters, version)))
    info.add_text(OUR_CHUNK, parameters.to_json())
    file = BytesIO()
    image.save(file, "PNG", pnginfo=info, compress_level=2)
    return file.getvalue()


def encode_preview(image: Image.Image) -> bytes:
    """A small WebP file, quickly."""
    file = BytesIO()
    image.convert("RGB").save(file, "WEBP", quality=70, method=0)
    return file.getvalue()


def exif_of(png: bytes) -> bytes:
    """An EXIF block for a JPEG or WebP made of our PNG; empty where that says nothing.

    Source: EXIF 2.32, 4.6.5, UserComment: eight bytes name the encoding of what follows.
    """
    text = _texts(png).get(FOREIGN_CHUNK, "")[:_MOST_COMMENT]
    if not text:
        return b""
    exif = Image.Exif()
    comment = _UNICODE + text.encode("utf-16-be")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    return exif.tobytes()


def read_comment(exif: Image.Exif) -> Parameters | None:
    """What an opened picture's UserComment says of its making; anybody's, so nothing is believed.

    Source: as `exif_of`.
    """
    try:
        comment = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    except Exception:  # Pillow raises nearly anything over malformed EXIF
        return None
    if not isinstance(comment, bytes):
        return None
    if comment.startswith(_UNICODE):
        text = comment[len(_UNICODE) :][: 2 * _MOST_COMMENT].decode("utf-16-be", "replace")
    elif comment.startswith(_ASCII):
        text = comment[len(_ASCII) :][:_MOST_COMMENT].decode("ascii", "replace")
    else:
        return None
    # Cameras write comments too: only what names a setting is about a painting.
    made_with = from_webui_text(text.strip("\0 "))
    return made_with if made_with is not None and made_with.steps is not None else None


def read_parameters(png: bytes) -> Parameters | None:
    """What the file says it was made with; None where it says nothing that we can read.

    The file may be anybody's: no pixel is decoded, texts are bounded, values checked.
    """
    texts = _texts(png)
    for name, read in (
        (OUR_CHUNK, from_json),
        (FOREIGN_CHUNK, from_webui_text),
        (_INVOKE_CHUNK, from_invoke_json),
    ):
        text = texts.get(name)
        if text and (parameters := read(text)) is not None:
            return parameters
    return None


def _texts(png: bytes) -> dict[str, str]:
    try:
        # `open` reads the chunks before the pixels, and bounds what a compressed text may become.
        with Image.open(BytesIO(png), formats=("PNG",)) as image:
            info = dict(image.info)
    except Exception:  # Pillow raises nearly anything over a malformed file
        return {}
    return {
        name: str(text)[:_MOST_TEXT]
        for name, text in info.items()
        if isinstance(name, str) and isinstance(text, str)
    }


def _clean(text: str) -> str:
    """A text chunk holds no NUL, and UTF-8 no lone surrogate."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
