"""Tells a worker that hangs from one that is slow: by its silence, and by what it said it would do.

Silence counts only while the loop that listens is running itself.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .messages import Phase

if TYPE_CHECKING:
    from .config import Patience

CHECK_S = 0.25
"""Between two checks."""


class Watchdog:
    """Of one process."""

    def __init__(self, patience: Patience) -> None:
        self.phase = Phase.LOADING
        self._patience = patience
        self._silent_s = 0.0
        self._checked_at = time.monotonic()

    def hangs(self, *, heard_at: float, is_idle: bool, tick_s: float | None) -> bool:
        """Whether it has been silent for too long; to be asked every `CHECK_S`."""
        now = time.monotonic()
        watched_s = min(now - self._checked_at, 4 * CHECK_S)
        if heard_at > self._checked_at or is_idle:
            self._silent_s = 0.0
        else:
            self._silent_s += watched_s
        self._checked_at = now
        return self._silent_s > self._patience_s(tick_s)

    def sentence(self, device: str) -> str:
        return (
            f"The worker on {device} said nothing for {self._silent_s:.0f} s"
            f" while {self.phase.value}, and was stopped."
        )

    def _patience_s(self, tick_s: float | None) -> float:
        patience = self._patience
        match self.phase:
            case Phase.LOADING:
                return patience.loading_s
            case Phase.COMPILING:
                return patience.compiling_s
            case Phase.PAINTING:
                if tick_s is None:
                    return patience.tick_s * 10
                return max(patience.tick_s, patience.hang_factor * tick_s)
