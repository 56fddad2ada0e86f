"""One tick: gather, forward, guide, update, scatter. The only caller of a family's forward.

Everything that differs between requests is decided on the host and sent as one small block of
numbers; nothing inside reads a value back from the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from ..sampling import update
from ..sampling.table import HISTORY, output_place, produced_place, state_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from .lane import Lane
    from .live import Live
    from .planner import Plan

_SCRATCH: Final = 0


@dataclass(frozen=True, slots=True)
class _Indices:
    """Where things lie. Shapes: (bucket,) int64, but `places` (4, bucket)."""

    slots: Tensor
    """A request's slot; padding has the scratch slot."""
    row_request: Tensor
    row_context: Tensor
    conditional: Tensor
    """The row that has a request's conditional output; so has `unconditional`."""
    unconditional: Tensor
    places: Tensor
    """In the rings: x, output, produced, next x."""


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A request's coefficients of this tick. Shapes: (bucket, ...) float32."""

    coefficients: Tensor
    scale: Tensor
    timestep: Tensor
    guidance: Tensor
    rescale: Tensor
    noise_scale: Tensor
    blend: Tensor


class Runner:
    """Advances a plan's requests by one tick; they must have slots in the lane."""

    @torch.inference_mode()
    def run(self, lane: Lane, plan: Plan) -> None:
        indices = _indices(plan, lane.history.device)
        numbers = _numbers(plan.lives, plan.bucket, lane.history.device)
        noise = _noise(plan.lives, lane, plan.bucket)
        x = lane.history[indices.slots, indices.places[0]]
        output = self._forward(lane, indices, numbers, x)
        conditional = output[indices.conditional]
        guided = update.guide(conditional, output[indices.unconditional], numbers.guidance)
        if any(live.request.guidance_rescale for live in plan.lives):
            guided = update.rescale(guided, conditional, numbers.rescale)
        lane.history[indices.slots, indices.places[1]] = guided
        produced = update.advance(
            lane.history[indices.slots], numbers.coefficients, noise, numbers.noise_scale
        )
        following = produced
        if any(live.is_masked for live in plan.lives):
            known, start = lane.known[indices.slots], lane.noise[indices.slots]
            following = update.blend(
                produced, known, start, numbers.blend, lane.mask[indices.slots]
            )
        lane.history[indices.slots, indices.places[2]] = produced
        lane.history[indices.slots, indices.places[3]] = following

    def _forward(self, lane: Lane, indices: _Indices, numbers: _Numbers, x: Tensor) -> Tensor:
        rows = (x * numbers.scale)[indices.row_request]
        if lane.extra is not None:
            rows = torch.cat([rows, lane.extra[indices.slots][indices.row_request]], 1)
        vectors = lane.vectors[indices.row_context] if lane.model.vector_width else None
        output = lane.model.forward(
            rows.to(lane.model.dtype),
            numbers.timestep[indices.row_request],
            lane.context[indices.row_context],
            vectors,
        )
        return output.float()

    @torch.inference_mode()
    def estimate(self, lane: Lane, live: Live) -> Tensor:
        """What the denoiser believed in the last tick: the finished latents, (1, channels, h, w)."""
        assert live.table is not None
        tick = live.tick - 1
        share = live.table.denoised[tick]
        x = lane.history[live.slot, state_place(tick)]
        output = lane.history[live.slot, output_place(tick)]
        return (float(share[0]) * x + float(share[1]) * output)[None]


def _indices(plan: Plan, device: torch.device) -> _Indices:
    bucket = plan.bucket
    block = np.zeros((9, bucket), np.int64)
    slots, requests, contexts, conditional, unconditional, *places = block
    slots[:] = _SCRATCH
    row = 0
    for index, live in enumerate(plan.lives):
        assert live.table is not None
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
    # Padding rows and requests repeat nothing of anybody: they are the scratch slot's.
    requests[row:] = min(len(plan.lives), bucket - 1)
    contexts[row:] = contexts[0]
    idle = (state_place(0), output_place(0), produced_place(1), state_place(1))
    for place, ring in zip(places, idle, strict=True):
        place[len(plan.lives) :] = ring
    sent = torch.from_numpy(block).to(device, non_blocking=True)
    return _Indices(sent[0], sent[1], sent[2], sent[3], sent[4], sent[5:])


def _numbers(lives: Sequence[Live], bucket: int, device: torch.device) -> _Numbers:
    block = np.zeros((bucket, HISTORY + 7), np.float32)
    for index, live in enumerate(lives):
        table, tick, request = live.table, live.tick, live.request
        assert table is not None
        assert request.guidance_scale is not None
        line = block[index]
        line[:HISTORY] = table.coefficients[tick]
        line[HISTORY:] = (
            table.input_scales[tick],
            table.timesteps[tick],
            request.guidance_scale if live.rows == 2 else 1.0,
            request.guidance_rescale if live.rows == 2 else 0.0,
            table.noise[tick],
            *table.blend[tick],
        )
    sent = torch.from_numpy(block).to(device, non_blocking=True)
    scalars = sent[:, HISTORY:, None, None, None]
    return _Numbers(
        coefficients=sent[:, :HISTORY],
        scale=scalars[:, 0],
        timestep=sent[:, HISTORY + 1],
        guidance=scalars[:, 2],
        rescale=scalars[:, 3],
        noise_scale=scalars[:, 4],
        blend=sent[:, HISTORY + 5 :],
    )


def _noise(lives: Sequence[Live], lane: Lane, bucket: int) -> Tensor | None:
    """What each request's own generator draws for this tick, whether or not it is used."""
    drawn: Tensor | None = None
    shape = (1, *lane.history.shape[2:])
    for index, live in enumerate(lives):
        assert live.table is not None
        assert live.generator is not None
        for _ in range(int(live.table.draws[live.tick])):
            z = torch.randn(shape, generator=live.generator)
            if drawn is None:
                drawn = torch.zeros(bucket, *shape[1:])
            drawn[index] = z[0]
    return None if drawn is None else drawn.to(lane.history.device, non_blocking=True)
