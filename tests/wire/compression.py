"""The gateway's two transport compressions: one stream a connection, flushed at every message."""

from __future__ import annotations

import importlib
import zlib
from typing import Any, Protocol


class Stream(Protocol):
    def pack(self, text: str) -> bytes | str:
        """One gateway message as it goes into one websocket frame."""
        ...


class Plain:
    def pack(self, text: str) -> bytes | str:
        return text


class ZlibStream:
    def __init__(self) -> None:
        self._stream = zlib.compressobj()

    def pack(self, text: str) -> bytes | str:
        return self._stream.compress(text.encode()) + self._stream.flush(zlib.Z_SYNC_FLUSH)


class ZstdStream:
    """zstandard, or Python's own from 3.14 on."""

    def __init__(self) -> None:
        library = zstd_library()
        if library is None:
            raise RuntimeError("a client asks for zstd-stream, and no zstd library is installed")
        if library.__name__ == "zstandard":
            self._stream: Any = library.ZstdCompressor().compressobj()
            self._flush: int = library.COMPRESSOBJ_FLUSH_BLOCK
        else:
            self._stream = library.ZstdCompressor()
            self._flush = library.ZstdCompressor.FLUSH_BLOCK

    def pack(self, text: str) -> bytes | str:
        packed: bytes = self._stream.compress(text.encode())
        return packed + self._stream.flush(self._flush)


def zstd_library() -> Any:
    for name in ("zstandard", "compression.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


def stream_for(wanted: str | None) -> Stream | None:
    """The stream for the `compress` that a client asked for; None where Discord knows none."""
    if wanted is None:
        return Plain()
    kinds: dict[str, type[Stream]] = {"zlib-stream": ZlibStream, "zstd-stream": ZstdStream}
    kind = kinds.get(wanted)
    return None if kind is None else kind()
