"""How fast a worker is, measured: seconds a round as a straight line over the rows alive.

In a round every live row advances once; that is a tick or several, since a tick takes only one
batch key and only so many rows.

What the seconds are needed for is forecast's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_KEPT = 0.95
"""A report's weight after each later one."""
_NEW = 1.0 - _KEPT
_COLD = 10
"""Reports, the first ones, that are forgotten faster: caches fill and tables are fitted in them."""


@dataclass(slots=True)
class Pace:
    """A running least-squares fit, per model, that forgets."""

    _reports: int = 0
    _nn: float = 0.0
    _nw: float = 0.0
    _ww: float = 0.0
    _ns: float = 0.0
    _ws: float = 0.0
    _most: dict[int, float] = field(default_factory=dict[int, float])
    """What a tick takes where there is more, by the bucket that all would need."""

    @property
    def is_measured(self) -> bool:
        return self._nn > 0

    def observe(self, ticks: int, weight: float, live_weight: float, seconds: float) -> None:
        """`ticks` ticks took `seconds`; the weights of the rows in them, and alive, are summed."""
        if ticks <= 0 or weight <= 0:
            return
        self._bound(weight / ticks, live_weight / ticks)
        alive = max(weight, live_weight) / ticks
        rounds = weight / alive
        warmth = min(1.0, (self._reports + 4) / (_COLD + 4))
        self._reports += 1
        kept = _KEPT * warmth
        # A report of several rounds carries so many times the evidence of one.
        self._nn = self._nn * kept + rounds
        self._nw = self._nw * kept + rounds * alive
        self._ww = self._ww * kept + rounds * alive * alive
        self._ns = self._ns * kept + seconds
        self._ws = self._ws * kept + alive * seconds

    def round_s(self, weight: float) -> float:
        """Seconds until rows that weigh this much have advanced once; 0 before measurements."""
        if not self.is_measured:
            return 0.0
        spread = self._nn * self._ww - self._nw * self._nw
        if spread > 1e-6 * self._nn * self._ww:
            slope = (self._nn * self._ws - self._nw * self._ns) / spread
            start = (self._ns - slope * self._nw) / self._nn
            if slope >= 0 and start >= 0:
                return start + slope * weight
            if start < 0 and self._ww > 0:
                return weight * self._ws / self._ww
        return self._ns / self._nn

    def tick_weight(self, weight: float) -> float:
        """Of rows that weigh this much, what one tick takes."""
        most = self._most.get(_bucket(weight)) or max(self._most.values(), default=math.inf)
        return min(weight, most)

    def _bound(self, weight: float, live_weight: float) -> None:
        bucket = _bucket(live_weight)
        most = self._most.get(bucket)
        if weight < live_weight:
            self._most[bucket] = weight if most is None else most + _NEW * (weight - most)
        elif most is not None:
            # Nobody was left out; so many fit, whatever was thought before.
            self._most[bucket] = max(most, weight)


def _bucket(weight: float) -> int:
    """The power of two that it fits into: the planner takes all of a bucket, or half of it."""
    return (math.ceil(weight) - 1).bit_length()
