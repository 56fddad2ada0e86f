"""Waiting for something to become true in the stand-in's world, without ever sleeping."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE_S = 60.0


class Changes:
    """Wakes whoever waits, whenever the world has changed."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def notify(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(
        self,
        probe: Callable[[], T | None],
        what: str,
        timeout_s: float = PATIENCE_S,
        explain: Callable[[], str] = str,
    ) -> T:
        """The first truthy answer of `probe`, asked again after every change.

        Raises AssertionError with `what` and `explain()` when it does not come in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not (found := probe()):
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
                    await future
                return found
        except TimeoutError as error:
            message = f"waited {timeout_s:g} s in vain for {what}. {explain()}"
            raise AssertionError(message.rstrip()) from error
