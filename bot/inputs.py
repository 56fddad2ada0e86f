"""The pictures that an ask starts from, as they lie in storage.

They are read when they are painted from, not before, so that thousands of jobs can wait.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..pipelines.pictures import PictureFile
from ..storage.errors import StorageError
from .errors import RefusedError

if TYPE_CHECKING:
    from ..storage.storage import Storage
    from .ask import Ask

_JUDGED_PX = 512
"""Of the longer side: more than any safety checker looks at."""


@dataclass(frozen=True, slots=True)
class Inputs:
    init_image: PictureFile | None = None
    mask_image: PictureFile | None = None
    ground: PictureFile | None = None
    """The whole picture that it starts from, small, as the safety checker gets to see it."""


async def require_inputs(storage: Storage, ask: Ask) -> None:
    """Raises `RefusedError` where one of them is gone."""

    def are_there() -> bool:
        return all(storage.images.path(sha256).exists() for sha256 in ask.input_hashes)

    try:
        if not ask.input_hashes or await asyncio.to_thread(are_there):
            return
    except (StorageError, OSError) as error:
        raise RefusedError(_GONE) from error
    raise RefusedError(_GONE)


def inputs_of(storage: Storage, ask: Ask) -> Inputs:
    """Raises `RefusedError` where what names one is no hash."""

    def file(sha256: str, most_px: int | None = None) -> PictureFile | None:
        return PictureFile(storage.images.path(sha256), most_px) if sha256 else None

    try:
        return Inputs(file(ask.init_image), file(ask.mask_image), file(ground_of(ask), _JUDGED_PX))
    except StorageError as error:
        raise RefusedError(_GONE) from error


def ground_of(ask: Ask) -> str:
    """The hash of the whole picture that it starts from; empty where there is none."""
    return ask.canvas.picture if ask.canvas is not None else ask.init_image


_GONE = "The picture that this starts from is gone; send it again."
