"""What one tick needs to know, as two blocks of numbers and the noise, padded to the bucket.

The layout is what `runner` reads; padding belongs to the scratch slot and touches nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from ..sampling.table import HISTORY, output_place, produced_place, state_place
from .lane import SCRATCH

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from .lane import Lane
    from .planner import Plan

NUM_INDICES: Final = 9
"""slot, row's request, row's context, conditional row, unconditional row; x, output, produced,
next x in the rings."""
NUM_NUMBERS: Final = HISTORY + 7
"""Coefficients; input scale, timestep, guidance, rescale, noise scale, blend of known and noise."""


@dataclass(frozen=True, slots=True)
class Orders:
    """Shapes: indices (NUM_INDICES, bucket) int64, numbers (bucket, NUM_NUMBERS) float32, noise
    (bucket, channels, height, width) float32."""

    indices: Tensor
    numbers: Tensor
    noise: Tensor | None
    """None where no request draws in this tick."""
    has_mask: bool
    has_rescale: bool


def write_orders(plan: Plan, lane: Lane) -> Orders:
    """The tick's orders, on their way to the lane's device. Draws each request's noise."""
    device = lane.history.device
    return Orders(
        indices=_send(_indices(plan), device),
        numbers=_send(_numbers(plan), device),
        noise=_noise(plan, lane),
        has_mask=any(live.is_masked for live in plan.lives),
        has_rescale=any(live.request.guidance_rescale for live in plan.lives),
    )


def _indices(plan: Plan) -> NDArray[np.int64]:
    block = np.zeros((NUM_INDICES, plan.bucket), np.int64)
    slots, requests, contexts, conditional, unconditional, *places = block
    slots[:] = SCRATCH
    row = 0
    for index, live in enumerate(plan.lives):
        slots[index] = live.slot
        for place in range(live.rows):
            requests[row + place] = index
            contexts[row + place] = 2 * live.slot + place
        conditional[index] = row
        unconditional[index] = row + live.rows - 1
        places[0][index] = state_place(live.tick)
        places[1][index] = output_place(live.tick)
        places[2][index] = produced_place(live.tick + 1)
        places[3][index] = state_place(live.tick + 1)
        row += live.rows
    requests[row:] = min(len(plan.lives), plan.bucket - 1)
    contexts[row:] = contexts[0]
    idle = (state_place(0), output_place(0), produced_place(1), state_place(1))
    for place, ring in zip(places, idle, strict=True):
        place[len(plan.lives) :] = ring
    return block


def _numbers(plan: Plan) -> NDArray[np.float32]:
    block = np.zeros((plan.bucket, NUM_NUMBERS), np.float32)
    for line, live in zip(block, plan.lives, strict=False):
        table, tick, request = live.table, live.tick, live.request
        assert table is not None
        assert request.guidance_scale is not None
        is_guided = live.rows == 2
        line[:HISTORY] = table.coefficients[tick]
        line[HISTORY:] = (
            table.input_scales[tick],
            table.timesteps[tick],
            request.guidance_scale if is_guided else 1.0,
            request.guidance_rescale if is_guided else 0.0,
            table.noise[tick],
            *table.blend[tick],
        )
    return block


def _noise(plan: Plan, lane: Lane) -> Tensor | None:
    """What each request's own generator draws for this tick, whether or not it is used."""
    drawn: Tensor | None = None
    shape = lane.history.shape[2:]
    for index, live in enumerate(plan.lives):
        assert live.table is not None
        assert live.generator is not None
        for _ in range(int(live.table.draws[live.tick])):
            z = torch.randn((1, *shape), generator=live.generator)
            if drawn is None:
                drawn = torch.zeros(plan.bucket, *shape)
            drawn[index] = z[0]
    return None if drawn is None else _to(drawn, lane.history.device)


def _send(block: NDArray[np.int64] | NDArray[np.float32], device: torch.device) -> Tensor:
    return _to(torch.from_numpy(block), device)  # pyright: ignore[reportUnknownMemberType]


def _to(tensor: Tensor, device: torch.device) -> Tensor:
    if device.type != "cuda":
        return tensor.to(device)
    # From pinned memory the copy does not make the host wait.
    return tensor.pin_memory().to(device, non_blocking=True)
