"""What a tick takes: of one user and of many, with decodes beside it, and after warming up.

`python -m limner.benchmarks.ticks --shape sd15 --device cuda` on a GPU; every shape and device
will do. What diffusers takes for the same is `command`'s.
"""

from __future__ import annotations

import json as jsons
import os
import statistics
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..pipelines.engine.engine import Engine
    from ..pipelines.request import Request

WARM_UP_TICKS = 8
"""Left out at the beginning: slots grow, ticks are captured."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From the end of a tick to the end of the next."""

    seconds: float
    rows: int
    has_decoding: bool
    """Whether pictures were developed meanwhile."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """One engine's."""

    is_compiled: bool
    pictures_per_s: float
    """With every row taken."""
    one_user_s: float
    """Median, of a request with guidance alone."""
    users_s: float
    """The same of many."""
    decode_inflation: float
    """99th percentile of the many's ticks, decodes and all, over the median of those without; less
    1."""
    num_waits: int
    """Of the host for the device within the many's ticks; CUDA only."""
    num_captured: int
    """Ticks captured as CUDA graphs after the warm-up."""


def measure(engine: Engine, ask: Request, *, users: int, ticks: int, burst: int) -> Ticks:
    """`ask` needs steps and guidance; the model is loaded, and compiled if it shall be."""
    keep_busy(engine, ask, users=users, ticks=WARM_UP_TICKS + ticks // 4)
    keep_busy(engine, ask, users=1, ticks=WARM_UP_TICKS)
    painted = [replace(ask, seed=seed, tenant=str(seed)) for seed in range(burst)]
    engine.run(painted[: engine.max_rows // 2])
    captured = engine.stats.num_captured
    began = time.perf_counter()
    engine.run(painted)
    pictures_per_s = burst / (time.perf_counter() - began)
    one = keep_busy(engine, ask, users=1, ticks=ticks)
    num_waits, many = _count_waits(engine, ask, users, ticks)
    rows = max(interval.rows for interval in many)
    full = [interval for interval in many if interval.rows == rows]
    undisturbed = _median_s(full)
    last = statistics.quantiles(_seconds(full), n=100, method="inclusive")[-1]
    stats = engine.stats
    return Ticks(
        is_compiled=engine.compiles and not stats.uncompiled,
        pictures_per_s=pictures_per_s,
        one_user_s=_median_s(one),
        users_s=undisturbed,
        decode_inflation=last / undisturbed - 1,
        num_waits=num_waits,
        num_captured=stats.num_captured - captured,
    )


def keep_busy(engine: Engine, ask: Request, *, users: int, ticks: int) -> list[Interval]:
    """So many users, each of whom asks again when painted; their pictures end at different ticks.
    All leave at the end."""
    from ..pipelines.events import Failed, Finished

    assert ask.steps is not None
    here: dict[int, int] = {}
    for user in range(users):
        # Unequal at first, so that later there is always one to decode.
        steps = max(1, ask.steps * (user + 1) // users)
        here[engine.add(replace(ask, seed=user, steps=steps, tenant=str(user)))] = user
    found: list[Interval] = []
    last_s: float | None = None
    has_decoding = False
    while len(found) < ticks:
        count, painted = engine.stats.ticks, engine.stats.painted
        # A GPU decodes beside its ticks, a CPU between them; there a picture may also wait.
        has_decoding |= engine.device.type == "cuda" and engine.stats.num_decoding > 0
        for event in engine.step():
            match event:
                case Finished(request_id):
                    user = here.pop(request_id)
                    here[engine.add(replace(ask, seed=user, tenant=str(user)))] = user
                case Failed(error=error):
                    raise error
                case _:
                    pass
        stats = engine.stats
        has_decoding |= stats.painted > painted
        if stats.ticks > count:
            now_s = time.perf_counter()
            if last_s is not None:
                found.append(Interval(now_s - last_s, stats.last_rows, has_decoding))
            last_s, has_decoding = now_s, False
    for request_id in here:
        engine.cancel(request_id)
    while not engine.is_idle:
        engine.step()
    return found[WARM_UP_TICKS:] if ticks > 2 * WARM_UP_TICKS else found


def _count_waits(
    engine: Engine, ask: Request, users: int, ticks: int
) -> tuple[int, list[Interval]]:
    """Torch warns of each. Letting requests in and out may wait; a tick by itself may not."""
    import torch

    many = keep_busy(engine, ask, users=users, ticks=ticks)
    if engine.device.type != "cuda":
        return 0, many
    ids = [engine.add(replace(ask, seed=user, tenant=str(user))) for user in range(users)]
    while engine.stats.num_denoising < users:
        engine.step()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            assert ask.steps is not None
            for _ in range(ask.steps // 2):
                engine.step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    for request_id in ids:
        engine.cancel(request_id)
    while not engine.is_idle:
        engine.step()
    return len(caught), many


def _median_s(intervals: Sequence[Interval]) -> float:
    """Of those without a decode; of all where each has one."""
    alone = [interval for interval in intervals if not interval.has_decoding]
    return statistics.median(_seconds(alone or intervals))


def _seconds(intervals: Iterable[Interval]) -> list[float]:
    return [interval.seconds for interval in intervals]


def main(
    shape: Annotated[
        str, typer.Option(help="house, or random weights: tiny, sd15, sd21, sdxl.")
    ] = "sd15",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, auto.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16, auto.")] = "auto",
    steps: Annotated[int, typer.Option(min=1, help="Of every request.")] = 50,
    users: Annotated[int, typer.Option(min=2, help="Live at once, for ticks of many.")] = 8,
    ticks: Annotated[int, typer.Option(min=2, help="That medians are taken of.")] = 300,
    burst: Annotated[int, typer.Option(min=1, help="Pictures that speed is taken of.")] = 32,
    compiled: Annotated[bool, typer.Option(help="Also with torch.compile.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write every figure there.")] = None,
) -> None:
    """Measures the engine's ticks, as they are and compiled."""
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    from ..pipelines.checkpoint import describe
    from ..pipelines.engine.device import choose_device, choose_dtype
    from ..pipelines.engine.engine import COMPILER, Engine
    from ..pipelines.request import Request
    from .report import this_machine
    from .shapes import checkpoint_of

    ask = Request("a red heart", steps=steps, sampler="dpmpp_2m", guidance_scale=7.5)
    where = choose_device(device)
    precision = str(choose_dtype(dtype, where)).removeprefix("torch.")
    found: list[Ticks] = []
    console = Console()
    with tempfile.TemporaryDirectory() as temporary:
        checkpoint = describe(checkpoint_of(shape, Path(temporary)))
        for backend in ("", COMPILER) if compiled else ("",):
            engine = Engine([checkpoint], device=str(where), dtype=precision, compile_with=backend)
            engine.load()
            if engine.compiles:
                engine.compile()
            found.append(measure(engine, ask, users=users, ticks=ticks, burst=burst))
            engine.close()
    machine = this_machine(str(where))
    table = Table(title=f"{shape}, {precision}, {machine.device}, {steps} steps with guidance")
    table.add_column("")
    for each in found:
        table.add_column("compiled" if each.is_compiled else "as it is", justify="right")
    table.add_row("pictures/s", *(f"{each.pictures_per_s:.2f}" for each in found))
    table.add_row("a tick of one user, ms", *(f"{each.one_user_s * 1000:.1f}" for each in found))
    table.add_row(f"of {users}, ms", *(f"{each.users_s * 1000:.1f}" for each in found))
    table.add_row("ratio", *(f"{each.users_s / each.one_user_s:.2f}" for each in found))
    table.add_row("added by decodes, p99", *(f"{each.decode_inflation:.0%}" for each in found))
    table.add_row("waits for the device", *(str(each.num_waits) for each in found))
    table.add_row("captured after warm-up", *(str(each.num_captured) for each in found))
    console.print(table)
    if json is not None:
        figures = {
            "shape": shape,
            "dtype": precision,
            "steps": steps,
            "users": users,
            "machine": asdict(machine),
            "ticks": [asdict(each) for each in found],
        }
        json.write_text(jsons.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
