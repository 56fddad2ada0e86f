"""Three ways to paint: diffusers one by one, diffusers in whole batches, Limner.

Each serves a trace on a clock that counts its own work and skips the waiting between arrivals, so
that a trace takes as long as the painting in it. What is asked is `loads`' business.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from ..pipelines.checkpoint import describe
from ..pipelines.events import Failed, Finished, Progress
from ..pipelines.families.opening import open_pipeline
from ..pipelines.families.sd import StableDiffusionPipeline
from ..pipelines.families.sdxl import StableDiffusionXLPipeline
from ..pipelines.sampling.recipes import build_scheduler

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..pipelines.engine.engine import Engine
    from ..pipelines.request import Request
    from .loads import Arrival

MAX_WHOLE_BATCH = 16


@dataclass(frozen=True, slots=True)
class Tick:
    """One forward pass of the engine, and what it took with all around it."""

    rows: int
    bucket: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Served:
    """One trace, served."""

    latencies_s: tuple[float, ...]
    """From arrival to picture, in order of arrival."""
    elapsed_s: float
    """From the first arrival to the last picture."""
    busy_s: float
    join_s: tuple[float, ...] = ()
    """From arrival to the end of the first tick that a request was in."""
    ticks: tuple[Tick, ...] = ()


class Contender(Protocol):
    name: str

    def serve(self, arrivals: Sequence[Arrival]) -> Served: ...


class OneByOne:
    """diffusers' own pipeline, one request after another, as bots do it today."""

    def __init__(self, pipeline: Any, name: str) -> None:
        self.name = name
        self._pipeline = pipeline
        self._config = dict(pipeline.scheduler.config)

    def paint(self, request: Request) -> float:
        """Seconds of one request."""
        began = time.perf_counter()
        paint_whole(self._pipeline, self._config, [request])
        return time.perf_counter() - began

    def serve(self, arrivals: Sequence[Arrival]) -> Served:
        return queue_up(arrivals, [self.paint(arrival.request) for arrival in arrivals])


def queue_up(arrivals: Sequence[Arrival], seconds: Sequence[float]) -> Served:
    """One server, first come first served, with known times of service."""
    now, latencies = 0.0, list[float]()
    for arrival, taken in zip(arrivals, seconds, strict=True):
        now = max(now, arrival.at_s) + taken
        latencies.append(now - arrival.at_s)
    return Served(tuple(latencies), now - arrivals[0].at_s, sum(seconds))


class WholeBatches:
    """diffusers' own pipeline; what has arrived and can share a call (sampler, steps, guidance)."""

    def __init__(self, pipeline: Any, name: str) -> None:
        self.name = name
        self._pipeline = pipeline
        self._config = dict(pipeline.scheduler.config)

    def serve(self, arrivals: Sequence[Arrival]) -> Served:
        waiting = dict(enumerate(arrivals))
        latencies = [0.0] * len(arrivals)
        now, busy = 0.0, 0.0
        while waiting:
            oldest = next(iter(waiting.values()))
            now = max(now, oldest.at_s)
            batch = [
                index
                for index, arrival in waiting.items()
                if arrival.at_s <= now and _call_of(arrival.request) == _call_of(oldest.request)
            ][:MAX_WHOLE_BATCH]
            began = time.perf_counter()
            requests = [arrivals[index].request for index in batch]
            paint_whole(self._pipeline, self._config, requests)
            taken = time.perf_counter() - began
            now, busy = now + taken, busy + taken
            for index in batch:
                latencies[index] = now - arrivals[index].at_s
                del waiting[index]
        return Served(tuple(latencies), now - arrivals[0].at_s, busy)


def _call_of(request: Request) -> tuple[object, ...]:
    return request.sampler, request.steps, request.guidance_scale


class Limner:
    """One engine; requests join while others are painted."""

    def __init__(self, engine: Engine, name: str = "Limner") -> None:
        self.name = name
        self.engine = engine

    def serve(self, arrivals: Sequence[Arrival]) -> Served:
        engine = self.engine
        now, busy, following = 0.0, 0.0, 0
        here: dict[int, int] = {}
        latencies = [0.0] * len(arrivals)
        joins = [0.0] * len(arrivals)
        ticks: list[Tick] = []
        while following < len(arrivals) or here:
            if not here:
                now = max(now, arrivals[following].at_s)
            began = time.perf_counter()
            while following < len(arrivals) and arrivals[following].at_s <= now:
                here[engine.add(arrivals[following].request)] = following
                following += 1
            count = engine.stats.ticks
            events = engine.step()
            taken = time.perf_counter() - began
            now, busy = now + taken, busy + taken
            stats = engine.stats
            if stats.ticks > count:
                ticks.append(Tick(stats.last_rows, stats.last_bucket, taken))
            for event in events:
                match event:
                    case Progress(request_id) if not joins[here[request_id]]:
                        joins[here[request_id]] = now - arrivals[here[request_id]].at_s
                    case Finished(request_id):
                        index = here.pop(request_id)
                        latencies[index] = now - arrivals[index].at_s
                    case Failed(error=error):
                        raise error
                    case _:
                        pass
        return Served(
            tuple(latencies),
            now - arrivals[0].at_s,
            busy,
            tuple(joins),
            tuple(ticks),
        )


def open_diffusers(path: Path, device: str, dtype: torch.dtype) -> Any:
    """diffusers' own pipeline for a checkpoint's folder, quiet and on the device."""
    checkpoint = describe(path)
    is_xl = checkpoint.family == "sdxl"
    pipeline = StableDiffusionXLPipeline if is_xl else StableDiffusionPipeline
    without = () if is_xl else ("safety_checker", "feature_extractor")
    opened = open_pipeline(pipeline, checkpoint, dtype, without).to(device)
    opened.set_progress_bar_config(disable=True)
    return opened


def paint_whole(pipeline: Any, config: dict[str, Any], requests: Sequence[Request]) -> list[Any]:
    """One call of the pipeline for requests that can share one."""
    first = requests[0]
    with warnings.catch_warnings(action="ignore"):
        pipeline.scheduler = build_scheduler(first.sampler or "dpmpp_2m", config)
        return pipeline(
            prompt=[request.prompt for request in requests],
            num_inference_steps=first.steps,
            guidance_scale=first.guidance_scale,
            width=first.width,
            height=first.height,
            generator=[torch.Generator().manual_seed(r.seed or 0) for r in requests],
        ).images
