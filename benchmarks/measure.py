"""The measurements: bursts, lone requests, Poisson arrivals, and what the machine could do at most.

All contenders take turns in one run, so that a busy neighbour hits them alike.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from .contenders import queue_up
from .loads import Arrival, poisson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..pipelines.families.family import Model
    from ..pipelines.request import Request
    from .contenders import Limner, OneByOne, Served, WholeBatches


@dataclass(frozen=True, slots=True)
class Burst:
    """Requests that all come at once; medians over the rounds."""

    contender: str
    pictures_per_s: float
    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Lone:
    """One request on an idle machine."""

    contender: str
    median_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """A trace of Poisson arrivals at a share of what one by one can do."""

    contender: str
    share: float
    pictures_per_s: float
    p50_s: float
    p95_s: float
    join_p95_s: float | None


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What bounds Limner's burst."""

    bare_share: float
    """Of the burst's time, what the bare denoiser needs for the same buckets."""
    forward_s: dict[int, float]
    """Of the bare denoiser, by rows."""
    tick_s: dict[int, float]
    """Of the engine's ticks in the burst, by bucket."""
    matmul_gflops: float
    denoiser_gflops: float
    """What the burst reached, padding not counted."""
    gflop_a_row: float


def burst(
    contenders: Sequence[OneByOne | WholeBatches | Limner],
    requests: Sequence[Request],
    rounds: int,
) -> list[Burst]:
    """Every contender once a round, in turn."""
    arrivals = [Arrival(0.0, request) for request in requests]
    served: list[list[Served]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, runs in zip(contenders, served, strict=True):
            runs.append(contender.serve(arrivals))
    return [
        Burst(
            contender.name,
            statistics.median(len(requests) / run.elapsed_s for run in runs),
            statistics.median(percentile(run.latencies_s, 50) for run in runs),
            statistics.median(percentile(run.latencies_s, 95) for run in runs),
        )
        for contender, runs in zip(contenders, served, strict=True)
    ]


def lone(
    contenders: Sequence[OneByOne | WholeBatches | Limner], request: Request, rounds: int
) -> list[Lone]:
    """The same request again and again, in turn."""
    taken: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, runs in zip(contenders, taken, strict=True):
            runs.append(contender.serve([Arrival(0.0, request)]).elapsed_s)
    return [
        Lone(contender.name, statistics.median(runs))
        for contender, runs in zip(contenders, taken, strict=True)
    ]


def loads(
    one_by_one: OneByOne,
    others: Sequence[WholeBatches | Limner],
    requests: Sequence[Request],
    shares: Sequence[float],
    say: Callable[[str], None],
) -> list[Load]:
    """The same trace for all. One by one is painted once: its times do not depend on arrivals."""
    seconds = [one_by_one.paint(request) for request in requests]
    capacity = len(seconds) / sum(seconds)
    found: list[Load] = []
    for share in shares:
        arrivals = poisson(requests, share * capacity)
        found.append(_load(one_by_one.name, share, queue_up(arrivals, seconds)))
        for contender in others:
            say(f"{contender.name} at {share:.0%}")
            found.append(_load(contender.name, share, contender.serve(arrivals)))
    return found


def _load(name: str, share: float, served: Served) -> Load:
    return Load(
        name,
        share,
        len(served.latencies_s) / served.elapsed_s,
        percentile(served.latencies_s, 50),
        percentile(served.latencies_s, 95),
        percentile(served.join_s, 95) if served.join_s else None,
    )


def ceiling(model: Model, limner: Limner, requests: Sequence[Request], rounds: int) -> Ceiling:
    """A burst and the bare denoiser at its buckets, in turn."""
    arrivals = [Arrival(0.0, request) for request in requests]
    shares: list[float] = []
    forward: dict[int, list[float]] = {}
    ticks: dict[int, list[float]] = {}
    reached: list[float] = []
    flop = _flop_a_row(model)
    for _ in range(rounds):
        served = limner.serve(arrivals)
        buckets = Counter(tick.bucket for tick in served.ticks)
        bare = {bucket: forward_s(model, bucket) for bucket in buckets}
        for bucket, seconds in bare.items():
            forward.setdefault(bucket, []).append(seconds)
        shares.append(
            sum(bare[bucket] * count for bucket, count in buckets.items()) / served.busy_s
        )
        rows = sum(tick.rows for tick in served.ticks)
        reached.append(rows * flop / served.busy_s)
        for tick in served.ticks:
            ticks.setdefault(tick.bucket, []).append(tick.seconds)
    return Ceiling(
        statistics.median(shares),
        {bucket: statistics.median(found) for bucket, found in sorted(forward.items())},
        {bucket: statistics.median(found) for bucket, found in sorted(ticks.items())},
        matmul_rate(model) / 1e9,
        statistics.median(reached) / 1e9,
        flop / 1e9,
    )


def forward_s(model: Model, rows: int, repeats: int = 5) -> float:
    """Of the bare denoiser at so many rows: the median of some."""
    inputs = _inputs(model, rows)
    found: list[float] = []
    with torch.inference_mode():
        model.forward(*inputs)
        for _ in range(repeats):
            _wait(model)
            began = time.perf_counter()
            model.forward(*inputs)
            _wait(model)
            found.append(time.perf_counter() - began)
    return statistics.median(found)


def matmul_rate(model: Model, side: int = 2048, repeats: int = 10) -> float:
    """FLOP/s of a large square matrix product in the model's precision."""
    left = torch.randn(side, side, device=model.device).to(model.dtype)
    found: list[float] = []
    for _ in range(repeats):
        _wait(model)
        began = time.perf_counter()
        left @ left
        _wait(model)
        found.append(time.perf_counter() - began)
    return 2 * side**3 / min(found)


def _flop_a_row(model: Model) -> float:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model.forward(*_inputs(model, 1))
    return float(counter.get_total_flops())


def _inputs(model: Model, rows: int) -> tuple[Any, ...]:
    side = model.checkpoint.size_px // model.codec.factor
    to = {"device": model.device, "dtype": model.dtype}
    vectors = None
    if model.vector_width:
        vectors = torch.zeros(rows, model.vector_width, device=model.device)
    return (
        torch.randn(rows, model.codec.channels, side, side).to(**to),
        torch.full((rows,), 500.0, device=model.device),
        torch.randn(rows, 77, model.context_width).to(**to),
        vectors,
    )


def _wait(model: Model) -> None:
    if model.device.type == "cuda":
        torch.cuda.synchronize(model.device)


def percentile(values: Sequence[float], share: float) -> float:
    """Of sorted values, the one at that share, in hundredths."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]
