"""Who has something under way, counted, so that one can wait until it is over."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class Attendance:
    """On one event loop; users by their id."""

    def __init__(self) -> None:
        self._present: Counter[int] = Counter()
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    def came(self, user_id: int) -> None:
        self._present[user_id] += 1

    def left(self, user_id: int) -> None:
        self._present[user_id] -= 1
        if self._present[user_id] > 0:
            return
        del self._present[user_id]
        for future in self._waiting.pop(user_id, ()):
            if not future.done():
                future.set_result(None)

    @contextmanager
    def of(self, user_id: int) -> Generator[None]:
        """Present while the block runs."""
        self.came(user_id)
        try:
            yield
        finally:
            self.left(user_id)

    async def absent(self, user_id: int) -> None:
        """Until nothing of theirs is under way; at once if nothing is."""
        if user_id in self._present:
            future = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(user_id, []).append(future)
            await future
