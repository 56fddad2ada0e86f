"""What is asked for in a measurement: mixed requests, and when they arrive. Seeded, so every
contender gets the same; painting is `contenders`' business."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..pipelines.request import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAMPLERS: Final = ("dpmpp_2m", "euler", "euler_a", "ddim", "unipc")
_WORDS: Final = ("red", "blue", "green", "golden", "small", "heart", "star", "house", "cat", "tree")
_GUIDANCE: Final = (1.0, 3.0, 5.0, 7.5)
"""One in four paints without guidance: one row instead of two."""
_TENANTS: Final = 8


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request, and when it comes, in seconds from the start."""

    at_s: float
    request: Request


def mixed(count: int, *, steps: tuple[int, int], seed: int = 0) -> list[Request]:
    """Different prompts, samplers, step counts, guidance and users."""
    rng = random.Random(seed)
    return [
        Request(
            f"a {rng.choice(_WORDS)} {rng.choice(_WORDS)}",
            seed=rng.getrandbits(31),
            steps=rng.randint(*steps),
            sampler=rng.choice(_SAMPLERS),
            guidance_scale=rng.choice(_GUIDANCE),
            tenant=str(index % _TENANTS),
        )
        for index in range(count)
    ]


def alone(steps: int) -> Request:
    """One request on an idle machine."""
    return Request("a red heart", seed=7, steps=steps, sampler="dpmpp_2m", guidance_scale=5.0)


def poisson(requests: Sequence[Request], per_s: float, *, seed: int = 1) -> list[Arrival]:
    """Arrivals at a mean rate, independent of each other."""
    rng = random.Random(seed)
    at_s, arrivals = 0.0, list[Arrival]()
    for request in requests:
        at_s += rng.expovariate(per_s)
        arrivals.append(Arrival(at_s, request))
    return arrivals
