"""The state of all live requests of one batch key, in preallocated tensors, a slot each.

Who runs when is the planner's; what happens in a tick is the runner's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from ..checkpoint import Task
from ..sampling.table import HISTORY, produced_place, state_place

if TYPE_CHECKING:
    from torch import Tensor

    from ..families.family import Conditioning, Model
    from .live import BatchKey

_FIRST_CAPACITY: Final = 8
SCRATCH: Final = 0
"""The slot of padding rows: always finite, never read for a picture."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a request's run begins. Shapes: (1, channels, h, w) float32 on the CPU; masks 1 wide."""

    latents: Tensor
    conditional: Conditioning
    unconditional: Conditioning | None
    known: Tensor | None = None
    """What a 4-channel model keeps outside the mask, with the noise of the start."""
    noise: Tensor | None = None
    mask: Tensor | None = None
    masked_latents: Tensor | None = None
    """What a 9-channel model sees of the picture, beside the mask."""


class Lane:
    """Slots double when they run out; a slot given back is zeroed by its next owner."""

    def __init__(self, key: BatchKey, model: Model) -> None:
        self.key = key
        self.model = model
        self._free: list[int] = []
        self.capacity = 0
        self.forward_rows: int | None = None
        """Of one forward pass, where more do not fit in the device's memory."""
        self.most_pictures: int | None = None
        """Decoded at once; None: no bound is known, 0: not even one but in tiles."""
        device, channels = model.device, model.codec.channels
        size = (channels, key.height, key.width)
        self.history = torch.zeros(0, HISTORY, *size, device=device)
        self.context = torch.zeros(0, 0, 0, device=device, dtype=model.dtype)
        """Two a slot: with the prompt, without it."""
        self.vectors = torch.zeros(0, model.vector_width, device=device)
        self.known = torch.zeros(0, *size, device=device)
        self.noise = torch.zeros(0, *size, device=device)
        self.mask = torch.zeros(0, 1, key.height, key.width, device=device)
        self.extra: Tensor | None = None
        """Mask and masked latents of a 9-channel model."""
        if model.checkpoint.task is Task.INPAINT:
            self.extra = torch.zeros(0, 1 + channels, key.height, key.width, device=device)

    @property
    def device(self) -> torch.device:
        return self.history.device

    @property
    def num_live(self) -> int:
        return max(0, self.capacity - 1) - len(self._free)

    def take(self, begin: Beginning, guidance_scale: float) -> int:
        """A slot with that beginning in it."""
        if not self._free:
            self._grow(begin.conditional.context)
        # Still free until all of it is there: what raises on the way leaves it so.
        slot = self._free[-1]
        device = self.history.device
        latents = begin.latents.to(device)
        self.history[slot] = 0
        self.history[slot, state_place(0)] = latents[0]
        self.history[slot, produced_place(0)] = latents[0]
        for place, conditioning in enumerate((begin.conditional, begin.unconditional)):
            if conditioning is None:
                continue
            self.context[2 * slot + place] = conditioning.context
            vector = self.model.vector(
                conditioning,
                self.key.width * self.model.codec.factor,
                self.key.height * self.model.codec.factor,
                guidance_scale,
            )
            if vector is not None:
                self.vectors[2 * slot + place] = vector
        # A mask of ones paints everything, which is exact: 0 * known + 1 * x.
        self.mask[slot] = 1
        self.known[slot] = 0
        self.noise[slot] = 0
        if begin.known is not None and begin.noise is not None and begin.mask is not None:
            self.mask[slot] = begin.mask.to(device)[0]
            self.known[slot] = begin.known.to(device)[0]
            self.noise[slot] = begin.noise.to(device)[0]
        if self.extra is not None:
            assert begin.mask is not None
            assert begin.masked_latents is not None
            self.extra[slot] = torch.cat([begin.mask, begin.masked_latents], 1).to(device)[0]
        self._free.pop()
        return slot

    def give_back(self, slot: int) -> None:
        self._free.append(slot)

    def latents(self, slot: int, tick: int) -> Tensor:
        """A copy of x before that tick, (1, channels, h, w) float32."""
        return self.history[slot, state_place(tick)].clone()[None]

    def _grow(self, context: Tensor) -> None:
        old, new = self.capacity, max(_FIRST_CAPACITY, 2 * self.capacity)
        if old == 0:
            shape = (0, *context.shape)
            self.context = torch.zeros(shape, device=context.device, dtype=self.model.dtype)
        self.history = _longer(self.history, new)
        self.context = _longer(self.context, 2 * new)
        self.vectors = _longer(self.vectors, 2 * new)
        self.known = _longer(self.known, new)
        self.noise = _longer(self.noise, new)
        self.mask = _longer(self.mask, new)
        if self.extra is not None:
            self.extra = _longer(self.extra, new)
        self.capacity = new
        self._free.extend(reversed(range(max(old, SCRATCH + 1), new)))


def _longer(tensor: Tensor, length: int) -> Tensor:
    grown = torch.zeros(length, *tensor.shape[1:], device=tensor.device, dtype=tensor.dtype)
    grown[: len(tensor)] = tensor
    return grown
