"""A picture that lies in a file and is read when it is painted from, not before.

Thousands of waiting requests can each hold one. Who wrote the file, and that its content is no
danger, is the caller's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from .errors import InvalidRequestError

if TYPE_CHECKING:
    from pathlib import Path

_NO_PICTURE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow's readers raise over broken files."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """Stands in a request where a decoded picture could; its size is read from its header."""

    path: Path
    most_px: int | None = None
    """Of the longer side; a larger one is opened smaller. None: as it is."""

    @property
    def width(self) -> int:
        return self._size()[0]

    @property
    def height(self) -> int:
        return self._size()[1]

    def open(self) -> Image.Image:
        """Decoded. Blocks. Raises `InvalidRequestError` if it is gone or no picture."""
        try:
            with Image.open(self.path) as image:
                image.load()
                if self.most_px is None:
                    return image.copy()
                small = image.convert("RGB")
                small.thumbnail((self.most_px, self.most_px), Image.Resampling.BILINEAR)
                return small
        except _NO_PICTURE as error:
            raise InvalidRequestError(_GONE) from error

    def _size(self) -> tuple[int, int]:
        try:
            with Image.open(self.path) as image:
                return image.size
        except _NO_PICTURE as error:
            raise InvalidRequestError(_GONE) from error


Picture = Image.Image | PictureFile


def opened(picture: Picture) -> Image.Image:
    """Raises `InvalidRequestError` where its file can't be read."""
    return picture.open() if isinstance(picture, PictureFile) else picture


_GONE = "The picture that this starts from is gone, or can't be read any more; send it again."
