"""Reads the headers of `.safetensors` files, without torch; what they describe is `checkpoint`'s.

Format: https://github.com/huggingface/safetensors#format (8 bytes of length, JSON, then data).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_MAX_HEADER_BYTES: Final = 100_000_000
_SAMPLES: Final = 16
_SAMPLE_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Header:
    """A file's tensors by name, with their shapes, and what its maker wrote beside them."""

    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Raises `ModelError` for a file that is cut off or no safetensors file at all."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= _MAX_HEADER_BYTES:
                raise ModelError(f"{path.name} is not a safetensors file; convert it first.")
            raw: dict[str, Any] = json.loads(file.read(length))
        metadata = raw.pop("__metadata__", {})
        shapes = {name: tuple(entry["shape"]) for name, entry in raw.items()}
        end = max((entry["data_offsets"][1] for entry in raw.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path.name} is damaged; download it again.") from error
    except OSError as error:
        raise ModelError(f"{path.name} can't be read; check its permissions.") from error
    if path.stat().st_size < 8 + length + end:
        raise ModelError(f"{path.name} is cut off; download it again.")
    return Header(shapes, metadata)


def fingerprint(configs: Iterable[Path], weights: Iterable[Path]) -> str:
    """A hash of the configurations and of the weights' headers, sizes and 16 samples of each.

    Whole files take minutes to read on a slow disk; two fine-tunes differ in every sample.
    """
    digest = hashlib.sha256()
    for path in configs:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    for path in weights:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            length = min(int.from_bytes(file.read(8), "little"), _MAX_HEADER_BYTES)
            digest.update(file.read(length))
            data = max(0, size - 8 - length)
            for sample in range(_SAMPLES):
                file.seek(8 + length + data * sample // _SAMPLES)
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
