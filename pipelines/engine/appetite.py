"""What a loaded model takes beside its weights, measured once, and what follows for rows.

Reading the memory is `memory`'s; keeping to it is the planner's and the darkroom's.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from .memory import is_out_of_memory, release
from .sample import sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..families.family import Model
    from .memory import Meter

log = logging.getLogger(__name__)

_ROWS: Final = 4
"""Of the larger of two forward passes: enough to tell rows from what is taken anyway."""
_SHARE: Final = 0.85
"""Of what is available: the rest is for texts, states, and what other threads do meanwhile."""


@dataclass(frozen=True, slots=True)
class Appetite:
    """Bytes, beside the weights. Taken as growing with the area: where a kernel's attention grows
    faster, running out and halving is left."""

    fixed: float
    """Of a forward pass, whatever its rows."""
    row_pixel: float
    """Of each row, a latent pixel."""
    picture_pixel: float
    """Of each picture that is decoded, a pixel of it."""

    def most_rows(self, width: int, height: int, available_bytes: int) -> int | None:
        """Of latents of that size; None: no bound was found."""
        room = available_bytes * _SHARE - self.fixed
        each = self.row_pixel * width * height
        return max(0, int(room // each)) if each else None

    def most_pictures(self, width: int, height: int, available_bytes: int) -> int | None:
        """Decoded at once, of that size in pixels."""
        each = self.picture_pixel * width * height
        return int(available_bytes * _SHARE // each) if each else None


@torch.inference_mode()
def measure(model: Model, meter: Meter) -> Appetite | None:
    """Two forward passes and a decode of the size that the model was trained on. None: unknown."""
    side = model.checkpoint.size_px // model.codec.factor
    try:
        # The larger first: what its kernels keep for good is then counted too high, not too low.
        many, one = (meter.peak_bytes(_forward(model, rows)) for rows in (_ROWS, 1))
        empty = torch.zeros(2, model.codec.channels, side, side, device=model.device)
        pictures = meter.peak_bytes(lambda: model.codec.decode(empty))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        log.warning("no memory to measure %s in", model.checkpoint.name)
        many = one = pictures = None
    release(model.device)
    if many is None or one is None or pictures is None:
        return None
    row = max(0.0, (many - one) / (_ROWS - 1))
    found = Appetite(
        fixed=max(0.0, one - row),
        row_pixel=row / side**2,
        picture_pixel=pictures / (2 * model.checkpoint.size_px**2),
    )
    log.info(
        "%s: %.0f MiB of weights, %.1f a row, %.1f a picture",
        model.checkpoint.name,
        *(size / 2**20 for size in (model.num_bytes, row, pictures / 2)),
    )
    return found


def _forward(model: Model, rows: int) -> Callable[[], object]:
    made_up = sample(model, rows)
    return lambda: model.forward(
        made_up.latents, made_up.timesteps, made_up.context, made_up.vectors
    )
