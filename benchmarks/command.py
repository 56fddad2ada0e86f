"""`limner bench`: the command line of the measurements. What is measured is `run`'s business."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer
from rich.console import Console


def bench(
    shape: Annotated[
        str, typer.Option(help="house, or random weights: tiny, sd15, sd21, sdxl.")
    ] = "house",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, auto.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16, auto.")] = "auto",
    rounds: Annotated[int, typer.Option(min=1, help="Of every measurement, in turn.")] = 3,
    arrivals: Annotated[int, typer.Option(min=0, help="Of each Poisson trace; 0 for none.")] = 200,
    burst: Annotated[int, typer.Option(min=1, help="Requests that come at once.")] = 32,
    threads: Annotated[
        int, typer.Option(min=0, help="Of torch on a CPU; 0 for its own choice.")
    ] = 0,
    steps: Annotated[tuple[int, int], typer.Option(help="Fewest and most of a mixed request.")] = (
        10,
        30,
    ),
    json: Annotated[Path | None, typer.Option(help="Write every figure there.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a PNG there.")] = None,
) -> None:
    """Measures Limner beside diffusers, on the same weights, requests and precision."""
    # Before torch loads: threads that spin ruin two processes on one machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    from ..pipelines.errors import PipelineError
    from .report import plot as draw
    from .report import show, write_json
    from .run import Plan, run

    console = Console(stderr=True)
    if plot is not None and find_spec("matplotlib") is None:
        console.print("A plot needs matplotlib: pip install 'limner[bench]'.")
        raise typer.Exit(1)
    plan = Plan(
        shape=shape,
        device=device,
        dtype=dtype,
        rounds=rounds,
        arrivals=arrivals,
        burst=burst,
        steps=steps,
        threads=threads,
    )
    try:
        report = run(plan, lambda words: console.print(f"[dim]{words}[/dim]"))
    except PipelineError as error:
        console.print(str(error))
        raise typer.Exit(1) from error
    show(report, Console())
    if json is not None:
        write_json(report, json)
    if plot is not None:
        draw(report, plot)


if __name__ == "__main__":
    typer.run(bench)
