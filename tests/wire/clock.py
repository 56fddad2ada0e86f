"""Discord's clock and ids: time that runs by itself and that a test can turn forward."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DISCORD_EPOCH_MS = 1_420_070_400_000

ACKNOWLEDGE_WITHIN_S = 3.0
TOKEN_VALID_S = 15 * 60.0
NONCE_REMEMBERED_S = 3 * 60.0
LINK_VALID_S = 24 * 60 * 60.0
OLD_MESSAGE_S = 60 * 60.0


class Clock:
    """Seconds since 1970, as Discord sees them. It never runs backwards."""

    def __init__(self) -> None:
        self._started_at = time.time()
        self._reference = time.monotonic()
        self._turned_s = 0.0
        self._frozen_s: float | None = None
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> float:
        elapsed = self._frozen_s
        if elapsed is None:
            elapsed = time.monotonic() - self._reference
        return self._started_at + elapsed + self._turned_s

    def datetime(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)

    def advance(self, seconds: float) -> None:
        """Turns the clock forward; whatever falls due by it happens before this returns."""
        if seconds < 0:
            raise ValueError("the clock only turns forward")
        self._turned_s += seconds
        for listener in self._listeners:
            listener()

    def freeze(self) -> None:
        """From now on only `advance` moves the clock: for a test that counts seconds exactly."""
        self._frozen_s = time.monotonic() - self._reference

    def listen(self, listener: Callable[[], None]) -> None:
        """`listener` is called whenever a test has turned the clock."""
        self._listeners.append(listener)


class Snowflakes:
    """Ids as Discord makes them: the clock's milliseconds above a counter, never one twice."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        made = (int(self._clock.now() * 1000) - DISCORD_EPOCH_MS) << 22
        self._last = max(made, self._last + 1)
        return self._last


def made_at(snowflake: int) -> float:
    """Seconds since 1970 at which the id was made."""
    return ((snowflake >> 22) + DISCORD_EPOCH_MS) / 1000


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
