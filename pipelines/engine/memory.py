"""Out of memory, whatever the device calls it, and what can be given back to the device."""

from __future__ import annotations

import gc
from typing import Final

import torch

_SIGNS: Final = (
    "can't allocate memory",
    "not enough memory",
    "could not create a memory",
    "could not create a primitive",
    "std::bad_alloc",
)
"""How torch's CPU allocator, oneDNN and C++ put it."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether a smaller piece of the same work could succeed."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release(device: torch.device) -> None:
    """Gives cached memory back before a second try."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
