"""The lanes by batch key: opened with what fits in memory, closed when nobody needs them.

What a lane holds is `lane`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import OutOfMemoryError
from .lane import Lane
from .memory import TOO_BIG

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def __getitem__(self, key: BatchKey) -> Lane:
        return self._lanes[key]

    def all(self) -> list[Lane]:
        return list(self._lanes.values())

    def open(self, key: BatchKey, model: Model, appetite: Appetite | None) -> Lane:
        """Raises `OutOfMemoryError` where not a row of that size fits."""
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
            idle = [key for key, lane in self._lanes.items() if not lane.num_live]
            for key in idle[:-_KEPT]:
                self._close(key)

    def close_all_but(self, is_loaded: Callable[[str], bool]) -> list[str]:
        """Lanes of models that were unloaded would keep their weights alive. Their names."""
        stale = [key for key in self._lanes if not is_loaded(key.model)]
        for key in stale:
            self._close(key)
        return [key.model for key in stale]

    def _close(self, key: BatchKey) -> None:
        self._runner.forget(self._lanes.pop(key))
        self._planner.forget(key)

    def _bound(self, lane: Lane, appetite: Appetite) -> None:
        key, available = lane.key, self._meter.available_bytes()
        rows = appetite.most_rows(key.width, key.height, available)
        if rows is not None:
            if rows < 1:
                raise OutOfMemoryError(TOO_BIG)
            self._planner.limit(key, rows)
            if rows == 1:
                # A guided request takes two rows whatever the plan: one after the other.
                lane.forward_rows = 1
        factor = lane.model.codec.factor
        lane.most_pictures = appetite.most_pictures(
            key.width * factor, key.height * factor, available
        )
