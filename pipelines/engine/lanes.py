"""The lanes by batch key: opened with what fits in memory, closed when nobody needs them.

What a lane holds is `lane`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import OutOfMemoryError
from .lane import Lane
from .memory import TOO_BIG

if TYPE_CHECKING:
    from ..families.family import Model
    from .appetite import Appetite
    from .live import BatchKey, Live
    from .memory import Meter
    from .planner import Planner
    from .runner import Runner

_KEPT: Final = 4
"""Lanes without requests: the next one of their key finds its tensors there."""


class Lanes:
    """Tells planner and runner what comes and goes."""

    def __init__(self, planner: Planner, runner: Runner, meter: Meter) -> None:
        self._planner = planner
        self._runner = runner
        self._meter = meter
        self._lanes: dict[BatchKey, Lane] = {}
        """Those without requests in the order in which they were left."""
        self._cramped: set[BatchKey] = set()
        """Bounded by what others left of the memory."""
        self._most_available = 0

    def __getitem__(self, key: BatchKey) -> Lane:
        return self._lanes[key]

    @property
    def num_live(self) -> int:
        """Slots taken, of all lanes."""
        return sum(lane.num_live for lane in self._lanes.values())

    def open(self, key: BatchKey, model: Model, appetite: Appetite | None) -> Lane:
        """Raises `OutOfMemoryError` where not a row of that size fits."""
        if key in self._cramped and not self.num_live:
            self._close(key)
        if key not in self._lanes:
            lane = Lane(key, model)
            if appetite is not None:
                self._bound(lane, appetite)
            self._lanes[key] = lane
        return self._lanes[key]

    def leave(self, live: Live) -> None:
        """Its slot is free at once."""
        if live.slot < 0 or live.key is None:
            return
        lane = self._lanes[live.key]
        lane.give_back(live.slot)
        live.slot = -1
        if not lane.num_live:
            self._lanes[live.key] = self._lanes.pop(live.key)
            idle = [key for key, lane in self._lanes.items() if not lane.num_live]
            for key in idle[:-_KEPT]:
                self._close(key)

    def close_all(self, model: str) -> None:
        """Lanes of a model that was unloaded would keep its weights alive."""
        for key in [key for key in self._lanes if key.model == model]:
            self._close(key)

    def _close(self, key: BatchKey) -> None:
        self._runner.forget(self._lanes.pop(key))
        self._planner.forget(key)
        self._cramped.discard(key)

    def _bound(self, lane: Lane, appetite: Appetite) -> None:
        key, available = lane.key, self._meter.available_bytes()
        self._most_available = max(self._most_available, available)
        rows = appetite.most_rows(key.width, key.height, available)
        if rows is not None:
            if rows < 1 and not self._is_passing(key, appetite):
                raise OutOfMemoryError(TOO_BIG)
            if self.num_live and rows < self._planner.max_rows:
                self._cramped.add(key)
            self._planner.limit(key, rows)
            if rows <= 1:
                # A guided request takes two rows whatever the plan: one after the other.
                lane.forward_rows = 1
        factor = lane.model.codec.factor
        lane.most_pictures = appetite.most_pictures(
            key.width * factor, key.height * factor, available
        )
        if lane.most_pictures == 0 and key in self._cramped:
            # Tiles differ from the whole: alone is tried first.
            lane.most_pictures = 1

    def _is_passing(self, key: BatchKey, appetite: Appetite) -> bool:
        """Whether a row would fit but for those who are painted just now."""
        most = appetite.most_rows(key.width, key.height, self._most_available)
        return self.num_live > 0 and most is not None and most >= 1
