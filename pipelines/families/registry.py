"""Which file loads which family: one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import ModelError
from .sd import load_sd
from .sdxl import load_sdxl

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from ..checkpoint import Checkpoint
    from .family import Model

FAMILIES: Final[dict[str, Callable[[Checkpoint, torch.device, torch.dtype], Model]]] = {
    "sd": load_sd,
    "sdxl": load_sdxl,
}


def load(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Model:
    """Raises `ModelError` for a checkpoint that can't be loaded."""
    loader = FAMILIES.get(checkpoint.family)
    if loader is None:
        raise ModelError(f"{checkpoint.name} is of the family {checkpoint.family!r}, not known.")
    return loader(checkpoint, device, dtype)
