"""Who runs in the next tick: the batch key, the requests, the bucket. Plain numbers, no torch.

The tenant who has used least goes first, measured in cost; nothing waits behind another key's head.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .live import BatchKey, Live

BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64)
"""Rows of a forward pass: what is compiled and captured, and what bounds a batch's drift."""

_REMEMBERED: Final = 8
"""Ticks of a bucket that its time is taken from."""
_FORGOTTEN: Final = 64
"""Ticks after which a bucket that lost is tried again."""
_FIRST: Final = 2
"""Ticks of a bucket before it can lose: the very first is slow by what it takes from the system."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One tick."""

    key: BatchKey
    lives: tuple[Live, ...]
    bucket: int

    @property
    def rows(self) -> int:
        return sum(live.rows for live in self.lives)


class Shares:
    """What each tenant has used. Who comes new, or back, starts level with who has used least."""

    def __init__(self) -> None:
        self._used: dict[str, float] = {}

    def meet(self, active: Iterable[str]) -> None:
        """Forgets who has nothing left to run, and levels the newcomers."""
        tenants = set(active)
        staying = [used for tenant, used in self._used.items() if tenant in tenants]
        level = min(staying, default=0.0)
        self._used = {tenant: self._used.get(tenant, level) for tenant in tenants}

    def used(self, tenant: str) -> float:
        return self._used.get(tenant, 0.0)

    def charge(self, tenant: str, cost: float) -> None:
        self._used[tenant] = self._used.get(tenant, 0.0) + cost


@dataclass(slots=True)
class TickCosts:
    """What a tick of each bucket takes, learnt while running; at first one unit and one a row."""

    _seconds: dict[int, deque[float]] = field(default_factory=dict[int, "deque[float]"])
    _ticks: int = 0
    _last: dict[int, int] = field(default_factory=dict[int, int])

    def learn(self, bucket: int, seconds: float) -> None:
        self._ticks += 1
        self._last[bucket] = self._ticks
        self._seconds.setdefault(bucket, deque(maxlen=_REMEMBERED)).append(seconds)

    def of(self, bucket: int) -> float:
        """The least of the last few: a neighbour makes ticks slower, never faster."""
        known = self._seconds.get(bucket)
        if known is not None:
            return min(known)
        if not self._seconds:
            return 1.0 + bucket
        scale = sum(min(s) / (1 + b) for b, s in self._seconds.items()) / len(self._seconds)
        return scale * (1 + bucket)

    def is_known(self, bucket: int) -> bool:
        """Often enough, and not long ago: machines change."""
        is_fresh = self._ticks - self._last.get(bucket, 0) < _FORGOTTEN
        return is_fresh and len(self._seconds.get(bucket, ())) >= _FIRST


class Planner:
    """Turns between tenants, and with them between keys."""

    def __init__(self, *, max_rows: int, fixed_bucket: int | None = None) -> None:
        self.max_rows = fixed_bucket or min(max_rows, BUCKETS[-1])
        self.shares = Shares()
        self._fixed_bucket = fixed_bucket
        self._limits: dict[BatchKey, int] = {}
        self._costs: defaultdict[BatchKey, TickCosts] = defaultdict(TickCosts)

    def plan(self, lives: Sequence[Live]) -> Plan | None:
        """`lives` are those that could run now, oldest first."""
        if not lives:
            return None
        queues: dict[str, list[Live]] = {}
        for live in lives:
            queues.setdefault(live.tenant, []).append(live)
        first = min(queues, key=lambda tenant: (self.shares.used(tenant), queues[tenant][0].id))
        key = queues[first][0].key
        assert key is not None
        picked = self._pick(key, queues)
        return self._fit(key, picked)

    def finish(self, plan: Plan) -> None:
        """The tick has run, or is about to: who is in it pays for it."""
        for live in plan.lives:
            self.shares.charge(live.tenant, live.cost)

    def learn(self, plan: Plan, seconds: float) -> None:
        """A tick's time has become known: on a GPU one tick later."""
        if (costs := self._costs.get(plan.key)) is not None:
            costs.learn(plan.bucket, seconds)

    def buckets(self) -> tuple[int, ...]:
        """All that a tick may have."""
        if self._fixed_bucket is not None:
            return (self._fixed_bucket,)
        return tuple(bucket for bucket in BUCKETS if bucket <= self.max_rows)

    def limit(self, key: BatchKey, rows: int) -> None:
        """More do not fit in memory: this key runs at most so many from now on, padding too."""
        self._limits[key] = max((bucket for bucket in BUCKETS if bucket <= rows), default=1)

    def forget(self, key: BatchKey) -> None:
        """Its lane is gone; what was learnt about it goes too."""
        self._costs.pop(key, None)
        self._limits.pop(key, None)

    def rows_limit(self, key: BatchKey) -> int:
        return min(self.max_rows, self._limits.get(key, self.max_rows))

    def _pick(self, key: BatchKey, queues: dict[str, list[Live]]) -> list[Live]:
        """As many as fit, each time the next of the tenant who would have used least."""
        room = self.rows_limit(key)
        waiting = {
            tenant: [live for live in queue if live.key == key] for tenant, queue in queues.items()
        }
        tentative = {tenant: self.shares.used(tenant) for tenant in queues}
        picked: list[Live] = []
        while True:
            ready = [tenant for tenant, queue in waiting.items() if queue]
            if not ready:
                return picked
            tenant = min(ready, key=lambda name: (tentative[name], waiting[name][0].id))
            live = waiting[tenant].pop(0)
            if live.rows > room and picked:
                continue
            picked.append(live)
            room -= live.rows
            tentative[tenant] += live.cost

    def _fit(self, key: BatchKey, picked: list[Live]) -> Plan:
        rows = sum(live.rows for live in picked)
        if self._fixed_bucket is not None:
            return Plan(key, tuple(picked), max(self._fixed_bucket, rows))
        above = next(bucket for bucket in BUCKETS if bucket >= rows)
        below = max((bucket for bucket in BUCKETS if bucket < rows), default=0)
        costs = self._costs[key]
        if above == rows or not below or not costs.is_known(above):
            return Plan(key, tuple(picked), above)
        # Full rows now and the rest next time paint faster than padding. What is not known is
        # tried: guessed from a few rows, whose ticks are mostly overhead, many look too slow.
        if below / costs.of(below) > rows / costs.of(above):
            kept: list[Live] = []
            for live in picked:
                if live.rows <= below - sum(other.rows for other in kept):
                    kept.append(live)
            if kept:
                picked, above = kept, below
        return Plan(key, tuple(picked), above)
