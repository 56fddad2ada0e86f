"""Which waiting requests come in next: fair between tenants, one model at a time. No torch.

How they come in is `entrance`'s; which of those inside run in a tick is the planner's.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from .live import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .crowd import Crowd
    from .live import Live
    from .planner import Shares
    from .shelf import Shelf

_MOST: Final = 8
"""At a time: a flood's encoding does not hold up the next tick."""


class Guestlist:
    """`patience_s` is how long requests wait before their model takes a busy one's place."""

    def __init__(
        self, crowd: Crowd, shelf: Shelf, shares: Shares, *, max_live: int, patience_s: float
    ) -> None:
        self._crowd = crowd
        self._shelf = shelf
        self._shares = shares
        self._max_live = max_live
        self._patience_s = patience_s

    def next(self) -> list[Live]:
        """The fairest ones of one model and its adapters, whose weights are or can be here."""
        waiting = self._crowd.in_phase(Phase.WAITING)
        self._shares.meet(self._crowd.tenants())
        used = self._shares.used
        ordered = sorted(self._reachable(waiting), key=lambda live: (used(live.tenant), live.id))
        if not ordered:
            return []
        held = Counter(live.tenant for live in self._crowd.all() if live.phase is not Phase.WAITING)
        room = self._max_live - held.total()
        first = ordered[0].request
        chosen: list[Live] = []
        for live in ordered:
            is_same = (live.request.model, live.request.loras) == (first.model, first.loras)
            # The last slots are for those who have none: a flood does not shut the door.
            kept_free = self._max_live // 4 if held[live.tenant] else 0
            if is_same and room > kept_free and len(chosen) < _MOST:
                chosen.append(live)
                held[live.tenant] += 1
                room -= 1
        return sorted(chosen, key=lambda live: live.id)

    def _reachable(self, waiting: Sequence[Live]) -> list[Live]:
        """Requests whose model is here or has room. A model that has to take another's place
        waits for a while, so that one swap serves many, and then nobody else is let in before."""
        shelf, is_busy = self._shelf, self._crowd.is_busy
        away = [live for live in waiting if not shelf.has_room(live.request.model)]
        patience_ends = time.perf_counter() - self._patience_s
        overdue = [live for live in away if live.added_at <= patience_ends]
        if overdue:
            return [live for live in overdue if shelf.can_load(live.request.model, is_busy)]
        near = [live for live in waiting if shelf.has_room(live.request.model)]
        if near or self._crowd.live_rows:
            return near
        return [live for live in away if shelf.can_load(live.request.model, is_busy)]
