"""CUDA graphs: a tick captured once per lane and bucket, then replayed without launch costs.

On a device without CUDA, or where a capture fails, the tick runs as it is, and the log says why.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from .orders import Orders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        for name in [name for name in self._captured if name[0] == lane.key]:
            del self._captured[name]

    def _capture(self, name: _Name, lane: Lane, orders: Orders) -> _Captured | None:
        static = Orders(
            indices=orders.indices.clone(),
            numbers=orders.numbers.clone(),
            noise=torch.zeros(len(orders.numbers), *lane.history.shape[2:], device=lane.device),
            has_mask=True,
            has_rescale=True,
        )
        # The warm-up runs advance the state for real: keep it, and put it back.
        kept = lane.history.clone()
        try:
            side = torch.cuda.Stream(lane.device)
            side.wait_stream(torch.cuda.current_stream(lane.device))
            with torch.cuda.stream(side):
                for _ in range(2):
                    self._run_whole(lane, static)
            torch.cuda.current_stream(lane.device).wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._run_whole(lane, static)
        except Exception:
            log.warning("no CUDA graph for %s; painting without it", name, exc_info=True)
            self._refused.add(name)
            lane.history.copy_(kept)
            return None
        lane.history.copy_(kept)
        self._captured[name] = _Captured(graph, static)
        return self._captured[name]

    def _run_whole(self, lane: Lane, orders: Orders) -> None:
        """A tick in which a row failed is nothing to repeat."""
        for error in self._step(lane, orders).values():
            raise error
