"""The pictures that an ask starts from, out of storage and decoded."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from ..storage.errors import StorageError
from .errors import RefusedError

if TYPE_CHECKING:
    from ..storage.storage import Storage
    from .ask import Ask

_JUDGED_PX = 512
"""Of the longer side: more than any safety checker looks at."""


@dataclass(frozen=True, slots=True)
class Inputs:
    init_image: Image.Image | None = None
    mask_image: Image.Image | None = None
    ground: Image.Image | None = None
    """The whole picture that it starts from, small, as the safety checker gets to see it."""


async def read_inputs(storage: Storage, ask: Ask) -> Inputs:
    """Raises `RefusedError` where one is gone."""

    async def read(sha256: str) -> Image.Image | None:
        if not sha256:
            return None
        return await asyncio.to_thread(_decoded, await storage.images.read(sha256))

    try:
        init_image, mask_image = await read(ask.init_image), await read(ask.mask_image)
        if (sha256 := ground_of(ask)) == ask.init_image:
            whole = init_image
        else:
            whole = await read(sha256)
    except StorageError as error:
        raise RefusedError("The picture that this starts from is gone.") from error
    ground = None if whole is None else await asyncio.to_thread(_small, whole)
    return Inputs(init_image, mask_image, ground)


def ground_of(ask: Ask) -> str:
    """The hash of the whole picture that it starts from; empty where there is none."""
    return ask.canvas.picture if ask.canvas is not None else ask.init_image


def _decoded(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture))
    image.load()
    return image


def _small(whole: Image.Image) -> Image.Image:
    small = whole.convert("RGB")
    small.thumbnail((_JUDGED_PX, _JUDGED_PX), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return small
