"""Turns for what everybody may do only so often all together, in the order in which they ask.

What is done in a turn, and what happens to who waits for one, is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Turns:
    """So many a second; after a quiet time, as many at once."""

    def __init__(self, per_s: float, now: Callable[[], float]) -> None:
        self._per_s = per_s
        self._now = now
        self._next = float("-inf")

    def wait_s(self) -> float:
        """Takes the next turn; seconds until it comes."""
        now = self._now()
        # A second's worth of turns can be saved up.
        self._next = max(self._next, now - 1.0) + 1.0 / self._per_s
        return max(0.0, self._next - now)
