"""An inpainting that is looked at before it is paid for: kept so that a restart does not lose it.

A draft is one file among the kept pictures: its mask as PNG, with everything else in a text chunk;
its hash fits into a button. What no job needs is swept away by storage after a while.
"""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from PIL.PngImagePlugin import PngImageFile, PngInfo
from pydantic import TypeAdapter, ValidationError

from ..storage.errors import StorageError
from . import masks
from .ask import Ask  # noqa: TC001 - pydantic reads it
from .decoding import encode
from .errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image

    from ..storage.storage import Storage
    from .studio import Studio

_CHUNK: Final = "limner-draft"
_MOST_STEPS: Final = 9


@dataclass(frozen=True, slots=True)
class Draft:
    """What will be painted once its mask is agreed on."""

    ask: Ask
    picture: str
    """SHA-256 of the whole picture."""
    owner_id: int


@dataclass(frozen=True, slots=True)
class Touch:
    """What the buttons made of the draft's mask."""

    is_inverted: bool = False
    grow: int = 0
    """Steps; so is `feather`. A step is about a hundredth of the picture's shorter side."""
    feather: int = 1

    def bounded(self) -> Touch:
        return Touch(
            self.is_inverted,
            max(-_MOST_STEPS, min(self.grow, _MOST_STEPS)),
            max(0, min(self.feather, _MOST_STEPS)),
        )

    def apply(self, mask: Image.Image) -> Image.Image:
        step_px = max(1, round(min(mask.size) / 100))
        return masks.changed(
            mask,
            is_inverted=self.is_inverted,
            grow_px=self.grow * step_px,
            feather_px=self.feather * step_px,
        )


async def keep_draft(
    studio: Studio,
    ask: Ask,
    picture: Image.Image,
    mask: Image.Image,
    *,
    owner_id: int,
) -> str:
    """Gives the hash that `load_draft` finds it by."""
    draft = Draft(ask, await studio.keep(await asyncio.to_thread(encode, picture)), owner_id)
    return await studio.keep(await asyncio.to_thread(_written, draft, mask))


async def load_draft(studio: Studio, sha256: str) -> tuple[Draft, Image.Image, Image.Image]:
    """The draft, its picture, and its mask as it was made. Raises `RefusedError`."""
    images = studio.storage.images
    try:
        draft, mask = await asyncio.to_thread(_read, await images.read(sha256))
        picture = await asyncio.to_thread(_decoded, await images.read(draft.picture))
    except (StorageError, ValidationError, KeyError) as error:
        raise RefusedError("This preview is too old: begin again.") from error
    return draft, picture, mask


async def forget_drafts(storage: Storage, user_id: int) -> int:
    """Removes a user's previews and the pictures under them; how many files went."""

    def owned(hashes: Sequence[str]) -> set[str]:
        theirs, others = set[str](), set[str]()
        for sha256 in hashes:
            try:
                draft, _ = _read(storage.images.path(sha256).read_bytes())
            except (OSError, ValueError, SyntaxError, KeyError):
                continue
            (theirs if draft.owner_id == user_id else others).update((sha256, draft.picture))
        return theirs - others

    hashes = await storage.unneeded_files()
    return await storage.remove_unneeded(await asyncio.to_thread(owned, hashes))


def _written(draft: Draft, mask: Image.Image) -> bytes:
    info = PngInfo()
    # ASCII, whatever the prompt is written in.
    info.add_text(_CHUNK, _ADAPTER.dump_json(draft, ensure_ascii=True).decode())
    out = io.BytesIO()
    mask.save(out, "PNG", pnginfo=info, compress_level=2)
    return out.getvalue()


def _read(png: bytes) -> tuple[Draft, Image.Image]:
    with PngImageFile(io.BytesIO(png)) as file:
        return _ADAPTER.validate_json(str(file.text[_CHUNK])), file.convert("L")


def _decoded(png: bytes) -> Image.Image:
    with PngImageFile(io.BytesIO(png)) as file:
        file.load()
        return file.copy()


_ADAPTER = TypeAdapter(Draft)
