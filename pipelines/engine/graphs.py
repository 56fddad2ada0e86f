"""CUDA graphs: a tick captured once per lane and bucket, then replayed without launch costs.

On a device without CUDA, or where a capture fails, the tick runs as it is, and the log says why.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from .memory import is_out_of_memory, release
from .orders import Orders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from .lane import Lane
    from .live import BatchKey

log = logging.getLogger(__name__)

_Name = tuple["BatchKey", int, int]
"""Key, bucket, and the lane's capacity: growing moves its tensors."""


@dataclass(frozen=True, slots=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    orders: Orders
    """Whose tensors the graph reads; they are overwritten before each replay."""


class Graphs:
    """Owns what was captured. A captured tick always blends, rescales and adds noise: zeros and
    ones make that exact, and one graph serves every mixture of requests."""

    def __init__(self, step: Callable[[Lane, Orders], Mapping[int, Exception]]) -> None:
        self._step = step
        self._captured: dict[_Name, _Captured] = {}
        self._refused: set[_Name] = set()
        self.num_captured = 0
        """Since the start, those dropped counted too."""
        self._pool: Any = None
        """Torch's handle of the memory that all graphs share."""

    def run(self, lane: Lane, orders: Orders) -> bool:
        """Whether the tick was replayed; otherwise the caller runs it."""
        if lane.history.device.type != "cuda" or lane.forward_rows is not None:
            return False
        name = (lane.key, orders.numbers.shape[0], lane.capacity)
        if name in self._refused:
            return False
        captured = self._captured.get(name) or self._capture(name, lane, orders)
        if captured is None:
            return False
        captured.orders.indices.copy_(orders.indices)
        captured.orders.numbers.copy_(orders.numbers)
        assert captured.orders.noise is not None
        if orders.noise is None:
            captured.orders.noise.zero_()
        else:
            captured.orders.noise.copy_(orders.noise)
        captured.graph.replay()
        return True

    def forget(self, lane: Lane) -> None:
        self._drop(lambda name: name[0] == lane.key)

    def _drop(self, is_gone: Callable[[_Name], bool]) -> None:
        for name in [name for name in self._captured if is_gone(name)]:
            del self._captured[name]
        self._refused = {name for name in self._refused if not is_gone(name)}

    def _capture(self, name: _Name, lane: Lane, orders: Orders) -> _Captured | None:
        # The tensors of a lane before it grew are gone; their captures would keep memory.
        self._drop(lambda other: other[0] == lane.key and other[2] != lane.capacity)
        if not self._captured:
            # One for all: ticks follow one another and leave nothing in it. A pool dies with its
            # last graph.
            self._pool = torch.cuda.graph_pool_handle()
        kept: Tensor | None = None
        is_out = False
        try:
            with torch.cuda.device(lane.device):
                static = Orders(
                    indices=orders.indices.clone(),
                    numbers=orders.numbers.clone(),
                    noise=torch.zeros(
                        len(orders.numbers), *lane.history.shape[2:], device=lane.device
                    ),
                    has_mask=True,
                    has_rescale=True,
                )
                # The warm-up runs advance the state for real: keep it, and put it back.
                kept = lane.history.clone()
                graph = self._record(lane, static)
        except Exception as error:
            log.warning("no CUDA graph for %s; painting without it", name, exc_info=True)
            self._refused.add(name)
            is_out = is_out_of_memory(error)
            graph = static = None
        if kept is not None:
            lane.history.copy_(kept)
        if graph is None or static is None:
            # Out here the error's trace holds on to nothing.
            del kept
            if is_out:
                release(lane.device)
            return None
        self._captured[name] = _Captured(graph, static)
        self.num_captured += 1
        return self._captured[name]

    def _record(self, lane: Lane, static: Orders) -> torch.cuda.CUDAGraph:
        # Streams of the lane's own device: torch would take the first GPU's, and capture nothing.
        now, side = torch.cuda.current_stream(lane.device), torch.cuda.Stream(lane.device)
        side.wait_stream(now)
        with torch.cuda.stream(side):
            for _ in range(2):
                self._run_whole(lane, static)
        now.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=side):
            self._run_whole(lane, static)
        return graph

    def _run_whole(self, lane: Lane, orders: Orders) -> None:
        """A tick in which a row failed is nothing to repeat."""
        for error in self._step(lane, orders).values():
            raise error
