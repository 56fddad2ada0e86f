"""An ear for a pool's updates, and a checkpoint to paint with."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from limner.pipelines.checkpoint import Checkpoint, describe
from limner.pipelines.request import Request
from limner.pipelines.serving.tickets import Ticket
from limner.pipelines.serving.updates import Broke, Done, Painted, Update, Withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from limner.pipelines.serving.pool import WorkerPool

PATIENCE_S = 300.0
"""Of a test, with a loaded machine in mind; nothing waits for it to pass."""


class Ear:
    """Hears a pool, remembers, and wakes who waits for something."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self._waiting: list[tuple[Callable[[Update], bool], asyncio.Future[Update]]] = []
        self.acts: list[Callable[[Update], None]] = []
        """Called with every update, at once."""

    def __call__(self, update: Update) -> None:
        self.updates.append(update)
        for act in list(self.acts):
            act(update)
        for is_it, future in self._waiting:
            if not future.done() and is_it(update):
                future.set_result(update)

    async def until(self, is_it: Callable[[Update], bool]) -> Update:
        """The first such update, heard already or yet to come."""
        for update in self.updates:
            if is_it(update):
                return update
        future: asyncio.Future[Update] = asyncio.get_running_loop().create_future()
        self._waiting.append((is_it, future))
        return await asyncio.wait_for(future, PATIENCE_S)

    async def moment(self) -> None:
        """While a state that nothing tells of may change."""
        await asyncio.sleep(0.02)

    async def end(self, key: str) -> Update:
        return await self.until(lambda u: u.key == key and isinstance(u, Done | Broke | Withdrawn))

    async def ends(self, *keys: str) -> list[Update]:
        return [await self.end(key) for key in keys]

    def of(self, key: str) -> list[Update]:
        return [update for update in self.updates if update.key == key]

    def painted(self, key: str) -> dict[int, bytes]:
        pictures = [u for u in self.of(key) if isinstance(u, Painted)]
        assert len({u.index for u in pictures}) == len(pictures), "a picture was told twice"
        return {u.index: u.png for u in pictures}


def ticket(
    key: str,
    *,
    seeds: tuple[int | None, ...] = (1,),
    steps: int = 4,
    tenant: str = "",
    prompt: str = "a red cat",
    **more: object,
) -> Ticket:
    requests = tuple(
        Request(prompt, seed=seed, steps=steps, **more)  # type: ignore[arg-type]
        for seed in seeds
    )
    return Ticket(key, requests, tenant or key, "group", float(len(seeds)))


def strike(pool: WorkerPool, number: int = signal.SIGKILL, worker: int = 0) -> None:
    """Sends a signal to a worker."""
    pid = pool.state.workers[worker].pid
    assert pid is not None
    psutil.Process(pid).send_signal(number)


@pytest.fixture(scope="session")
def model(models: dict[str, Path]) -> Checkpoint:
    return describe(models["sd2"], name="small", steps=4, sampler="ddim")


# A module whose tests share a worker says in a fixture `opened` which: its start is the dear part.


@pytest.fixture
def pool(opened: tuple[WorkerPool, Ear]) -> WorkerPool:
    return opened[0]


@pytest.fixture
def ear(opened: tuple[WorkerPool, Ear]) -> Ear:
    opened[1].updates.clear()
    opened[1].acts.clear()
    return opened[1]
