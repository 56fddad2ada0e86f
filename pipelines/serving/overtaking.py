"""How much slower a waiting time runs down than the clock, because others go first; measured.

The forecast plays forward only who is here. In a fair queue those who come later and have used
less pass those who have used more, and the further back one stands, the more pass: without this,
told waits were half of the real ones with forty tenants.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PARTS = 6
"""Of the queue, front to back, each with a speed of its own."""
_MEMORY_S = 20.0
_SLOWEST = 0.1


class Overtaking:
    """Compares successive forecasts of the same tickets."""

    def __init__(self) -> None:
        self._speeds = [1.0] * _PARTS
        """Forecast seconds that pass in a second, by part of the queue."""
        self._last: dict[str, float] = {}
        self._at = 0.0

    def observe(self, forecast: Sequence[tuple[str, float]], now: float) -> None:
        """(key, seconds until it begins by the forecast), in the order of the queue."""
        if not forecast:
            # Whoever comes to an empty queue next is not passed by today's crowd.
            self._speeds = [1.0] * _PARTS
        passed_s = now - self._at
        if self._last and passed_s > 0:
            seen: list[list[float]] = [[] for _ in range(_PARTS)]
            for place, (key, wait_s) in enumerate(forecast):
                if (before_s := self._last.get(key)) is not None:
                    part = place * _PARTS // len(forecast)
                    seen[part].append((before_s - wait_s) / passed_s)
            share = 1.0 - math.exp(-passed_s / _MEMORY_S)
            for part, speeds in enumerate(seen):
                if speeds:
                    self._speeds[part] += share * (sum(speeds) / len(speeds) - self._speeds[part])
        self._last = dict(forecast)
        self._at = now

    def stretch(self, waits_s: Sequence[float]) -> list[float]:
        """Forecast waits, in the order of the queue, as they will really be."""
        stretched: list[float] = []
        sum_s = before_s = 0.0
        for place, wait_s in enumerate(waits_s):
            speed = self._speeds[place * _PARTS // len(waits_s)]
            sum_s += max(0.0, wait_s - before_s) / max(_SLOWEST, speed)
            before_s = max(before_s, wait_s)
            stretched.append(sum_s)
        return stretched
