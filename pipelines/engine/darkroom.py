"""Finished latents to pictures, in small batches off the ticks' path; previews of unfinished ones.

On a GPU a batch is decoded in a stream of its own while ticks go on; on a CPU between two ticks.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from ..errors import OutOfMemoryError
from ..families.codec import to_picture
from .memory import TOO_BIG, is_out_of_memory, release
from .preview import Projection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image
    from torch import Tensor

    from ..families.codec import Codec
    from ..families.family import Model
    from .lane import Lane
    from .lanes import Lanes
    from .live import Live

log = logging.getLogger(__name__)

CHUNK_PIXELS: Final = 4 * 512 * 512
"""Decoded at once: more holds up the next tick; a batch of one is slower a picture."""
MAX_CHUNK: Final = 4
_LEAST_CHUNK: Final = 2
"""A batch of one takes other kernels: in bfloat16 it differs by 1 of 255, while two, three and four
are bit-equal (measured on a CPU)."""
_COMPANY_TICKS: Final = 4
"""In company of three a picture is decoded in 0.7 of the time (measured on a CPU); in a burst of 32
all decodes together take 0.83 of what they take with a wait of 2, 0.72 of none."""
_SHORT_TICK_S: Final = 0.25
"""Longer ticks are not worth waiting for."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A batch in development; on a GPU its pixels are there once `done` has happened."""

    lives: tuple[Live, ...]
    pixels: Tensor
    """(n, height, width, 3) uint8 on the host."""
    is_sound: Tensor
    """(n,) bool: whether the latents were numbers."""
    done: torch.cuda.Event | None

    @property
    def is_done(self) -> bool:
        return self.done is None or self.done.query()

    def pictures(self) -> list[Image | None]:
        """None for latents that are not numbers any more: that request alone has failed."""
        if self.done is not None:
            self.done.synchronize()
        return [
            to_picture(one) if bool(sound) else None
            for one, sound in zip(self.pixels, self.is_sound, strict=True)
        ]


class Darkroom:
    """Owns the sheets in development, and the projections that previews are made with."""

    def __init__(self, device: torch.device, *, is_exact: bool = False) -> None:
        """`is_exact`: a picture's bytes do not depend on how many are decoded with it."""
        self._device = device
        self._is_exact = is_exact
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._sheets: list[Sheet] = []
        self._projections: dict[str, Projection] = {}

    def choose(
        self, lives: Sequence[Live], lanes: Lanes, tick: int | None, tick_s: float
    ) -> list[Live]:
        """Those of one batch key that go into development now, who finished first in front.

        While others are painted (`tick` counts, `tick_s` is what one takes) a CPU waits a moment
        until they are as many as are decoded at once.
        """
        busy = {live.id for sheet in self._sheets for live in sheet.lives}
        free = sorted(
            (live for live in lives if live.id not in busy), key=lambda live: live.denoised_tick
        )
        if len(self._sheets) > 1:
            return []
        waits = self._stream is None and tick_s < _SHORT_TICK_S
        for key in dict.fromkeys(live.key for live in free):
            assert key is not None
            most = self._most(lanes[key])
            chosen = [live for live in free if live.key == key][:most]
            is_young = tick is not None and tick - chosen[0].denoised_tick < _COMPANY_TICKS
            if not (waits and is_young and len(chosen) < most):
                return chosen
        return []

    def begin(self, lane: Lane, lives: Sequence[Live]) -> None:
        """Raises `OutOfMemoryError` where not even one picture in tiles fits."""
        latents = torch.cat([lane.latents(live.slot, live.tick) for live in lives])
        if self._stream is None:
            self._sheets.append(self._develop(lane, latents, lives))
            return
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            # The allocator must not reuse them for a tick while this stream reads.
            latents.record_stream(self._stream)
            self._sheets.append(self._develop(lane, latents, lives))

    def collect(self, *, wait: bool) -> Sheet | None:
        """The oldest sheet if it is done; `wait` for it when there is nothing else to do."""
        if not self._sheets or not (wait or self._sheets[0].is_done):
            return None
        return self._sheets.pop(0)

    def preview(self, model: Model, latents: Tensor) -> Image:
        """A small picture of latents that are not finished."""
        name = model.checkpoint.name
        if name not in self._projections:
            self._projections[name] = Projection(model.codec)
        return to_picture(self._projections[name].apply(latents)[0].cpu())

    def _most(self, lane: Lane) -> int:
        """Pictures of one decode."""
        pixels = lane.key.width * lane.key.height * lane.model.codec.factor**2
        most = min(MAX_CHUNK, CHUNK_PIXELS // pixels)
        fitting = lane.most_pictures
        return max(1, most if fitting is None else min(most, fitting))

    def _develop(self, lane: Lane, latents: Tensor, lives: Sequence[Live]) -> Sheet:
        is_sound = latents.isfinite().flatten(1).all(1)
        pixels = self._decode(lane, latents.nan_to_num(0.0))
        if self._stream is None:
            return Sheet(tuple(lives), pixels.cpu(), is_sound.cpu(), None)
        host = torch.empty(pixels.shape, dtype=pixels.dtype, pin_memory=True)
        sound = torch.empty(is_sound.shape, dtype=is_sound.dtype, pin_memory=True)
        host.copy_(pixels, non_blocking=True)
        sound.copy_(is_sound, non_blocking=True)
        done = torch.cuda.Event()
        done.record(self._stream)
        return Sheet(tuple(lives), host, sound, done)

    def _decode(self, lane: Lane, latents: Tensor) -> Tensor:
        """In one pass; where memory runs out or would, one by one, then in tiles."""
        codec = lane.model.codec
        if lane.most_pictures is None or lane.most_pictures > 1:
            most = self._most(lane)
            at_least = most if self._is_exact else min(most, _LEAST_CHUNK)
            try:
                return codec.decode(latents, at_least=at_least)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            release(self._device)
            lane.most_pictures = 1
            log.warning("out of memory decoding %d pictures; going on one by one", len(latents))
        alone = [latents[index : index + 1] for index in range(len(latents))]
        ways = (True,) if lane.most_pictures == 0 else (False, True)
        return torch.cat([self._decode_alone(codec, one, ways) for one in alone])

    def _decode_alone(self, codec: Codec, latents: Tensor, ways: Sequence[bool]) -> Tensor:
        for is_tiled in ways:
            try:
                return codec.decode(latents, is_tiled=is_tiled)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            release(self._device)
        raise OutOfMemoryError(TOO_BIG)
