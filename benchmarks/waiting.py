"""How right the waiting times are that people are told, under load, on a real worker.

Run as `python -m limner.benchmarks.waiting`. Members of several tenants ask at random moments, on
average as often as somebody is served. The first number that each is told, at once or, before
anything was measured, as soon as there is one, is compared with what it then waited. All who were
told in the given time are judged, and the load stays until the last of them has begun; who never
begins is not judged.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..bot.settings import HOUSE_MODEL
from ..pipelines.checkpoint import Checkpoint, describe
from ..pipelines.request import Request
from ..pipelines.serving.config import Limits, PoolConfig
from ..pipelines.serving.pool import WorkerPool
from ..pipelines.serving.tickets import Ticket
from ..pipelines.serving.updates import (
    Began,
    Broke,
    Done,
    Update,
    Waiting,
    Withdrawn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAMPLERS = ("ddim", "euler", "dpmpp_2m", "heun", "euler_a")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Relative errors of the told waits, of those that were told or had to wait noticeably."""

    tickets: int
    judged: int
    median_wait_s: float
    median_error: float
    p90_error: float
    bias: float
    """Median of told over waited: above 1, people begin sooner than they were told."""
    short_error_s: float
    """Of nine in ten of the others, at most: they waited hardly, and were told so. Seconds."""


def tickets(tenants: int, chance: random.Random, steps: int) -> Iterator[Ticket]:
    """One to four pictures each, from a half to one and a half times the steps, five samplers."""
    for number in itertools.count():
        pictures = chance.choice((1, 1, 2, 4))
        request = Request(
            "a red heart",
            steps=max(2, round(steps * chance.uniform(0.5, 1.5))),
            sampler=chance.choice(_SAMPLERS),
            guidance_scale=chance.choice((1.0, 5.0)),
        )
        yield Ticket(
            str(number),
            tuple(request for _ in range(pictures)),
            f"tenant {chance.randrange(tenants)}",
            "group",
            float(pictures),
        )


@dataclass(frozen=True, slots=True)
class _Word:
    """The first number that somebody was told."""

    at: float
    wait_s: float


class Load:
    """Asks, listens and remembers; on the event loop."""

    def __init__(
        self, asked: Iterator[Ticket], chance: random.Random, until: float, waiting: int, least: int
    ) -> None:
        self.words: dict[str, _Word] = {}
        self.begun: dict[str, float] = {}
        self.ended: set[str] = set()
        self.over = asyncio.Event()
        self._asked = asked
        self._chance = chance
        self._until = until
        self._waiting = waiting
        self._least = least

    def ask(self, pool: WorkerPool) -> None:
        ticket = next(self._asked)
        self._hear(pool.submit(ticket, is_recovered=True))

    def heard(self, pool: WorkerPool, update: Update) -> None:
        match update:
            case Waiting():
                self._hear(update)
            case Began(key=key):
                self.begun[key] = time.monotonic()
                self._look()
            case Done(key=key) | Broke(key=key) | Withdrawn(key=key):
                self.ended.add(key)
                self._look()
                # So that the queue neither grows nor empties, however chance would have it.
                is_short = pool.state.num_waiting < self._waiting
                for _ in range(self._chance.choice((1, 1, 2) if is_short else (0, 1, 1))):
                    self.ask(pool)
            case _:
                pass

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """(told, waited) of those who have begun."""
        begun = self.begun
        return [(w.wait_s, begun[key] - w.at) for key, w in self.words.items() if key in begun]

    def _look(self) -> None:
        if self._has_enough and self.words.keys() <= self.begun.keys() | self.ended:
            self.over.set()

    @property
    def _has_enough(self) -> bool:
        return time.monotonic() > self._until and len(self.words) >= self._least

    def _hear(self, waiting: Waiting) -> None:
        if waiting.place and waiting.wait_s is not None and not self._has_enough:
            self.words.setdefault(waiting.key, _Word(time.monotonic(), waiting.wait_s))


async def measure(
    model: Checkpoint,
    *,
    seconds: float,
    least: int = 1,
    waiting: int = 24,
    tenants: int = 8,
    steps: int = 10,
    max_rows: int | None = None,
) -> Accuracy:
    """As many tickets at once as shall wait, and then about one for each that ends.

    Goes on for `seconds`, and until `least` were told a time, however slow the machine.
    """
    chance = random.Random(1)
    pool: WorkerPool
    load: Load

    def listen(update: Update) -> None:
        load.heard(pool, update)

    config = PoolConfig((model,), devices=("cpu",), limits=Limits(), max_rows=max_rows)
    async with WorkerPool(config, listen) as pool:
        await pool.ready()
        asked = tickets(tenants, chance, steps)
        load = Load(asked, chance, time.monotonic() + seconds, waiting, least)
        for _ in range(waiting):
            load.ask(pool)
        await load.over.wait()
    return _judge(load.pairs)


def _judge(told_and_real: list[tuple[float, float]]) -> Accuracy:
    # An error of a second in a wait of two is nothing that anybody minds.
    least = 0.1 * max(real_s for _, real_s in told_and_real)
    pairs = [(told_s, real_s) for told_s, real_s in told_and_real if max(told_s, real_s) > least]
    short = sorted(
        abs(told_s - real_s) for told_s, real_s in told_and_real if max(told_s, real_s) <= least
    )
    errors = sorted(abs(told_s - real_s) / max(real_s, 1e-9) for told_s, real_s in pairs)
    return Accuracy(
        tickets=len(told_and_real),
        judged=len(pairs),
        median_wait_s=statistics.median(real_s for _, real_s in pairs),
        median_error=statistics.median(errors),
        p90_error=errors[int(0.9 * (len(errors) - 1))],
        bias=statistics.median(told_s / max(real_s, 1e-9) for told_s, real_s in pairs),
        short_error_s=short[int(0.9 * (len(short) - 1))] if short else 0.0,
    )


def main() -> None:
    """Prints the figures, or writes them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=HOUSE_MODEL)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--waiting", type=int, default=24, help="tickets, at a time")
    parser.add_argument("--tenants", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    accuracy = asyncio.run(
        measure(
            describe(options.model),
            seconds=options.seconds,
            waiting=options.waiting,
            tenants=options.tenants,
            steps=options.steps,
        )
    )
    if options.json:
        options.json.write_text(json.dumps(asdict(accuracy), indent=2) + "\n", "utf-8")
    print(
        f"{accuracy.judged} of {accuracy.tickets} tickets judged;"
        f" half waited over {accuracy.median_wait_s:.1f} s.\n"
        f"Error of the time told: p50 {accuracy.median_error:.0%}, p90 {accuracy.p90_error:.0%};"
        f" told/waited {accuracy.bias:.2f}.\n"
        f"The others waited hardly; nine in ten were told within {accuracy.short_error_s:.1f} s."
    )


if __name__ == "__main__":
    main()
