"""What runs beside everything else: tasks with an owner and a name, timers, and their orderly end.

A timer here is no waiting task: a bot that has nothing to do shall look as if it did nothing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

log = logging.getLogger(__name__)

T = TypeVar("T")


class Errands:
    """The tasks and timers of one owner, who awaits their end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: set[asyncio.TimerHandle] = set()

    def run(self, name: str, work: Awaitable[None]) -> None:
        """Begins it; what it raises is logged, for nobody waits."""
        self._keep(asyncio.create_task(_logged(name, work), name=f"limner: {name}"))

    async def see_through(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """Waits for it; if the one who waits is cancelled, it still goes on to its end."""
        task = asyncio.create_task(work, name=f"limner: {name}")
        self._keep(task)
        return await asyncio.shield(task)

    def run_later(self, wait_s: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Begins it after so many seconds, unless `stop_timers` comes first."""

        def begin() -> None:
            self._timers.discard(timer)
            self.run(name, work())

        timer = asyncio.get_running_loop().call_later(wait_s, begin)
        self._timers.add(timer)

    def stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    async def quiet(self, *, patience_s: float = 5.0) -> None:
        """Waits for what is under way, and cuts off what takes longer."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=patience_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Looked at, so that a refusal whose asker went away is not reported as lost.
            task.exception()


async def _logged(name: str, work: Awaitable[None]) -> None:
    try:
        await work
    except Exception:
        # The database is the truth: what failed here is taken up again at the next start.
        log.exception("could not %s", name)
