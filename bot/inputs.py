"""The pictures that an ask starts from, out of storage and decoded."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

from PIL import Image

from ..storage.errors import StorageError
from .errors import RefusedError

if TYPE_CHECKING:
    from ..storage.storage import Storage
    from .ask import Ask


async def read_inputs(storage: Storage, ask: Ask) -> tuple[Image.Image | None, Image.Image | None]:
    """Picture and mask. Raises `RefusedError` where one is gone."""

    async def read(sha256: str) -> Image.Image | None:
        if not sha256:
            return None
        return await asyncio.to_thread(_decoded, await storage.images.read(sha256))

    try:
        return await read(ask.init_image), await read(ask.mask_image)
    except StorageError as error:
        raise RefusedError("The picture that this starts from is gone.") from error


def _decoded(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture))
    image.load()
    return image
