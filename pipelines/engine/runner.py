"""One tick: gather, forward, guide, update, scatter. The only caller of a family's forward.

Everything that differs between requests is decided on the host and sent as two small blocks of
numbers (`orders`); nothing inside reads a value back from the device.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from ..errors import OutOfMemoryError
from ..sampling import update
from ..sampling.table import HISTORY, output_place, state_place
from .graphs import Graphs
from .memory import TOO_BIG, is_out_of_memory, release
from .orders import Orders, write_orders

if TYPE_CHECKING:
    from torch import Tensor

    from .compiling import Compiler
    from .lane import Lane
    from .live import Live
    from .planner import Plan

log = logging.getLogger(__name__)


class Runner:
    """Advances a plan's requests by one tick; they must have slots in the lane."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._graphs = Graphs(self._step)

    @torch.inference_mode()
    def run(self, lane: Lane, plan: Plan) -> dict[int, Exception]:
        """Who could not be painted, by id, and why: `OutOfMemoryError` where not even a row alone
        fits. The others have advanced."""
        orders = write_orders(plan, lane)
        if self._graphs.run(lane, orders):
            return {}
        broken = self._step(lane, orders)
        owners = [live.id for live in plan.lives for _ in range(live.rows)]
        # Rows past the owners' are padding, which nobody misses.
        return {owners[row]: error for row, error in broken.items() if row < len(owners)}

    @property
    def num_captured(self) -> int:
        """CUDA graphs, since the start."""
        return self._graphs.num_captured

    def forget(self, lane: Lane) -> None:
        """The lane is gone, and what was captured over its tensors with it."""
        self._graphs.forget(lane)

    @torch.inference_mode()
    def estimate(self, lane: Lane, live: Live) -> Tensor:
        """What the denoiser believed in the last tick of the finished latents, (1, c, h, w)."""
        assert live.table is not None
        tick = live.tick - 1
        share = live.table.denoised[tick]
        x = lane.history[live.slot, state_place(tick)]
        output = lane.history[live.slot, output_place(tick)]
        return (float(share[0]) * x + float(share[1]) * output)[None]

    def _step(self, lane: Lane, orders: Orders) -> dict[int, Exception]:
        """Device work only: what a CUDA graph captures. Rows that failed, and why."""
        indices, numbers = orders.indices, orders.numbers
        slots, row_request, row_context, conditional_row, unconditional_row = indices[:5]
        at_x, at_output, at_produced, at_next = indices[5:]
        scalars = numbers[:, HISTORY:, None, None, None]
        x = lane.history[slots, at_x]
        output, broken = self._forward(
            lane,
            (x * scalars[:, 0])[row_request],
            numbers[:, HISTORY + 1][row_request],
            slots[row_request],
            row_context,
        )
        conditional = output[conditional_row]
        guided = update.guide(conditional, output[unconditional_row], scalars[:, 2])
        if orders.has_rescale:
            guided = update.rescale(guided, conditional, scalars[:, 3])
        lane.history[slots, at_output] = guided
        produced = update.advance(
            lane.history[slots], numbers[:, :HISTORY], orders.noise, scalars[:, 4]
        )
        following = produced
        if orders.has_mask:
            mix = numbers[:, HISTORY + 5 : HISTORY + 7]
            following = update.blend(
                produced, lane.known[slots], lane.noise[slots], mix, lane.mask[slots]
            )
        lane.history[slots, at_produced] = produced
        lane.history[slots, at_next] = following
        return broken

    def _forward(
        self, lane: Lane, latents: Tensor, timesteps: Tensor, row_slots: Tensor, contexts: Tensor
    ) -> tuple[Tensor, dict[int, Exception]]:
        """The denoiser's outputs in float32, and the rows that failed, theirs zeros.

        Rows that raise are halved until each bad one stands alone; what was out of memory goes on
        in smaller parts from now on.
        """
        if lane.extra is not None:
            latents = torch.cat([latents, lane.extra[row_slots]], 1)
        latents = latents.to(lane.model.dtype)
        parts: list[Tensor] = []
        broken: dict[int, Exception] = {}
        spans = [(0, len(latents))]
        while spans:
            start, stop = spans.pop()
            size = stop - start
            if lane.forward_rows is not None and size > lane.forward_rows:
                middle = start + lane.forward_rows
                spans += [(middle, stop), (start, middle)]
                continue
            part = self._try(lane, latents[start:stop], timesteps[start:stop], contexts[start:stop])
            if isinstance(part, Exception) and size > 1:
                middle = start + size // 2
                spans += [(middle, stop), (start, middle)]
            elif isinstance(part, Exception):
                broken[start] = part
                parts.append(torch.zeros_like(lane.history[:1, 0]))
            else:
                parts.append(part)
        return (parts[0] if len(parts) == 1 else torch.cat(parts)), broken

    def _try(
        self, lane: Lane, latents: Tensor, timesteps: Tensor, contexts: Tensor
    ) -> Tensor | Exception:
        model, rows = lane.model, len(latents)
        try:
            context = lane.context[contexts]
            vectors = lane.vectors[contexts] if model.vector_width else None
            return self._compiler.forward(model, latents, timesteps, context, vectors).float()
        except Exception as error:
            if not is_out_of_memory(error):
                log.warning("%d rows failed together", rows, exc_info=rows > 1)
                return error
        # Only here, where the error's trace holds on to nothing, can memory be given back.
        lane.forward_rows = max(1, rows // 2)
        release(model.device)
        if rows > 1:
            log.warning("out of memory at %d rows; going on with %d", rows, rows // 2)
        return OutOfMemoryError(TOO_BIG)
