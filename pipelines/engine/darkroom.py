"""Finished latents to pictures, in small batches between ticks; and previews of unfinished ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from ..families.codec import to_picture
from .preview import Projection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image
    from torch import Tensor

    from ..families.family import Model
    from .lane import Lane
    from .live import Live

_CHUNK_PIXELS: Final = 4 * 512 * 512
"""Decoded at once: more holds up the next tick; a batch of one is slower a picture."""
_MAX_CHUNK: Final = 4


class Darkroom:
    """Owns the projections that previews are made with, one a model."""

    def __init__(self) -> None:
        self._projections: dict[str, Projection] = {}

    def choose(self, lives: Sequence[Live]) -> list[Live]:
        """The oldest, and others of its batch key as far as one piece of work reaches."""
        if not lives:
            return []
        first = lives[0].request
        assert first.width is not None
        assert first.height is not None
        most = max(1, min(_MAX_CHUNK, _CHUNK_PIXELS // (first.width * first.height)))
        return [live for live in lives if live.key == lives[0].key][:most]

    def develop(self, lane: Lane, lives: Sequence[Live]) -> list[Image | None]:
        """None for latents that are not numbers any more: that request alone has failed."""
        latents = torch.cat([lane.latents(live.slot, live.tick) for live in lives])
        is_sound = latents.isfinite().flatten(1).all(1)
        pixels = lane.model.codec.decode(latents.nan_to_num(0.0)).cpu()
        return [
            to_picture(one) if sound else None
            for one, sound in zip(pixels, is_sound.tolist(), strict=True)
        ]

    def preview(self, model: Model, latents: Tensor) -> Image:
        """A small picture of latents that are not finished."""
        name = model.checkpoint.name
        if name not in self._projections:
            self._projections[name] = Projection(model.codec)
        return to_picture(self._projections[name].apply(latents)[0].cpu())
