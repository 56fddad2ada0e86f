"""How right the waiting times are that people are told, under load, on a real worker.

Run as `python -m limner.benchmarks.waiting --model FOLDER`. Members of several tenants ask at
random moments, a little more than the worker can paint; what each was told when it asked is
compared with what it waited.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from ..pipelines.checkpoint import Checkpoint, describe
from ..pipelines.request import Request
from ..pipelines.serving.config import Limits, PoolConfig
from ..pipelines.serving.pool import WorkerPool
from ..pipelines.serving.tickets import Ticket
from ..pipelines.serving.updates import Began, Broke, Done, Update, Withdrawn

_SAMPLERS = ("ddim", "euler", "dpmpp_2m", "heun", "euler_a")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Relative errors of the told waits, of tickets that were told or had to wait noticeably."""

    tickets: int
    judged: int
    median_wait_s: float
    median_error: float
    p90_error: float
    bias: float
    """Median of told over waited: above 1, people begin sooner than they were told."""


def tickets(count: int, tenants: int, chance: random.Random, steps: int) -> list[Ticket]:
    """One to four pictures each, from a half to one and a half times the steps, five samplers."""
    asked: list[Ticket] = []
    for number in range(count):
        pictures = chance.choice((1, 1, 2, 4))
        request = Request(
            "a red heart",
            steps=max(2, round(steps * chance.uniform(0.5, 1.5))),
            sampler=chance.choice(_SAMPLERS),
            guidance_scale=chance.choice((1.0, 5.0)),
        )
        asked.append(
            Ticket(
                str(number),
                tuple(request for _ in range(pictures)),
                f"tenant {chance.randrange(tenants)}",
                "group",
                float(pictures),
            )
        )
    return asked


async def measure(
    model: Checkpoint, *, count: int, tenants: int = 8, steps: int = 10, max_rows: int = 16
) -> Accuracy:
    """A burst to fill the queue and learn the pace from, then one ticket for each that ends."""
    chance = random.Random(1)
    waited: dict[str, float] = {}
    told: dict[str, float | None] = {}
    over = asyncio.Event()
    asked = iter(tickets(count, tenants, chance, steps))
    num_ended = 0
    pool: WorkerPool

    def ask() -> None:
        ticket = next(asked, None)
        if ticket is not None:
            told[ticket.key] = pool.submit(ticket, is_recovered=True).wait_s

    def listen(update: Update) -> None:
        nonlocal num_ended
        match update:
            case Began(key=key, waited_s=waited_s):
                waited[key] = waited_s
            case Done() | Broke() | Withdrawn():
                num_ended += 1
                ask()
                if num_ended == count:
                    over.set()
            case _:
                pass

    config = PoolConfig((model,), devices=("cpu",), limits=Limits(waiting=count), max_rows=max_rows)
    async with WorkerPool(config, listen) as pool:
        await pool.ready()
        for _ in range(min(count, count // 3 + 4)):
            ask()
        await over.wait()
    return _judge(told, waited, count)


def _judge(told: dict[str, float | None], waited: dict[str, float], count: int) -> Accuracy:
    least = 0.1 * max(waited.values())
    pairs = [
        (wait_s, waited[key])
        for key, wait_s in told.items()
        if wait_s is not None and max(wait_s, waited[key]) > least
    ]
    # The first third was told before anything but the trial was measured: judged like all others.
    errors = sorted(abs(wait_s - real_s) / max(real_s, 1e-9) for wait_s, real_s in pairs)
    return Accuracy(
        tickets=count,
        judged=len(pairs),
        median_wait_s=statistics.median(real_s for _, real_s in pairs),
        median_error=statistics.median(errors),
        p90_error=errors[int(0.9 * (len(errors) - 1))],
        bias=statistics.median(wait_s / max(real_s, 1e-9) for wait_s, real_s in pairs),
    )


def main() -> None:
    """Prints the figures, or writes them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--tenants", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    accuracy = asyncio.run(
        measure(
            describe(options.model),
            count=options.count,
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
        f" told/waited {accuracy.bias:.2f}."
    )


if __name__ == "__main__":
    main()
