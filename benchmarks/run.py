"""One run of all measurements, contenders interleaved; the command line is `command`'s."""

from __future__ import annotations

import datetime
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from ..pipelines.checkpoint import describe
from ..pipelines.engine.device import choose_device, choose_dtype
from ..pipelines.engine.engine import Engine
from ..pipelines.families.registry import load
from . import measure
from .contenders import Limner, OneByOne, WholeBatches, open_diffusers
from .loads import alone, mixed
from .report import Report, this_machine
from .shapes import checkpoint_of

if TYPE_CHECKING:
    from collections.abc import Callable

SHARES: Final = (0.5, 0.8, 1.2, 2.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and how much of it."""

    shape: str = "house"
    device: str = "cpu"
    dtype: str = "auto"
    rounds: int = 3
    burst: int = 32
    arrivals: int = 200
    """Of each Poisson trace; 0 leaves the traces out."""
    steps: tuple[int, int] = (10, 30)
    lone_steps: int = 20
    shares: tuple[float, ...] = SHARES
    threads: int = 0
    """Of torch on a CPU; on a busy machine one is the steadier measure. 0: torch's own choice."""
    with_float32: bool = True
    """Also diffusers one by one in float32, as people run it on a CPU."""


def run(plan: Plan, say: Callable[[str], None]) -> Report:
    """Raises `PipelineError` for a shape, device or precision that can't be had."""
    if plan.threads:
        torch.set_num_threads(plan.threads)
    device = choose_device(plan.device)
    dtype = choose_dtype(plan.dtype, device)
    name = str(dtype).removeprefix("torch.")
    machine = this_machine(plan.device)
    with tempfile.TemporaryDirectory() as temporary:
        say(f"loading {plan.shape} in {name}")
        path = checkpoint_of(plan.shape, Path(temporary))
        pipeline = open_diffusers(path, plan.device, dtype)
        one_by_one = OneByOne(pipeline, f"diffusers, one by one, {name}")
        whole = WholeBatches(pipeline, f"diffusers, whole batches, {name}")
        checkpoint = describe(path)
        limner = Limner(Engine([checkpoint], device=plan.device, dtype=name), f"Limner, {name}")
        limner.engine.load()
        model = load(checkpoint, device, dtype)
        contenders: list[OneByOne | WholeBatches | Limner] = [one_by_one, whole, limner]
        if plan.with_float32 and name != "float32":
            full = open_diffusers(path, plan.device, choose_dtype("float32", device))
            contenders.insert(0, OneByOne(full, "diffusers, one by one, float32"))
        requests = mixed(plan.burst, steps=plan.steps)
        say("warming up")
        for contender in contenders:
            measure.burst([contender], requests[:4], 1)
        measure.burst([limner], requests, 1)
        say("one request alone")
        lone = measure.lone([one_by_one, limner], alone(plan.lone_steps), 2 * plan.rounds + 1)
        for line in lone:
            say(f"  {line.contender}: {line.median_s:.3f} s")
        say(f"bursts of {plan.burst}")
        burst = measure.burst(contenders, requests, plan.rounds)
        for line in burst:
            say(f"  {line.contender}: {line.pictures_per_s:.2f} pictures/s")
        say("what the bare denoiser allows")
        ceiling = measure.ceiling(model, limner, requests, plan.rounds)
        say(f"  {ceiling.bare_share:.0%}")
        arrivals = mixed(plan.arrivals, steps=plan.steps, seed=2)
        loads: list[measure.Load] = []
        if arrivals:
            loads = measure.loads(one_by_one, [whole, limner], arrivals, plan.shares, say)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Report(
        today,
        plan.shape,
        name,
        machine,
        lone,
        plan.burst,
        burst,
        loads,
        plan.arrivals,
        ceiling,
    )
