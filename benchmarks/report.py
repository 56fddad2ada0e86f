"""What a run found: as JSON, as a table for a person, as a plot."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from .measure import Burst, Ceiling, Load, Lone


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured."""

    processor: str
    cores: int
    threads: int
    device: str
    python: str
    versions: dict[str, str]
    load_before: float
    """The system's load average when the run began: neighbours make every figure worse."""


@dataclass(frozen=True, slots=True)
class Report:
    """One run."""

    date: str
    shape: str
    dtype: str
    machine: Machine
    lone: list[Lone]
    burst_size: int
    burst: list[Burst]
    loads: list[Load]
    arrivals: int
    ceiling: Ceiling


def this_machine(device: str) -> Machine:
    """Names and versions, and how busy it is."""
    packages = ("torch", "diffusers", "transformers", "limner")
    cuda = torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"
    return Machine(
        _processor(),
        os.cpu_count() or 1,
        torch.get_num_threads(),
        cuda,
        platform.python_version(),
        {name: version(name) for name in packages},
        os.getloadavg()[0],
    )


def write_json(report: Report, path: Path) -> None:
    """Every figure of the run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(report), indent=1) + "\n", "utf-8")


def show(report: Report, console: Console) -> None:
    """One table: a line a contender and load."""
    table = Table(title=f"{report.shape}, {report.dtype}, {report.machine.processor}")
    for heading in ("load", "contender", "pictures/s", "p50 s", "p95 s", "ratio"):
        table.add_column(heading, justify="left" if heading in ("load", "contender") else "right")
    for line in report.lone:
        ratio = line.median_s / report.lone[0].median_s
        seconds = f"{line.median_s:.3f}"
        table.add_row(
            "one alone",
            line.contender,
            f"{1 / line.median_s:.2f}",
            seconds,
            "",
            f"{ratio:.2f} time",
        )
    first = report.burst[0].pictures_per_s
    for line in report.burst:
        table.add_row(
            f"burst of {report.burst_size}",
            line.contender,
            f"{line.pictures_per_s:.2f}",
            f"{line.p50_s:.2f}",
            f"{line.p95_s:.2f}",
            f"{line.pictures_per_s / first:.2f}x",
        )
    slowest: dict[float, float] = {}
    for line in report.loads:
        slowest.setdefault(line.share, line.p95_s)
        table.add_row(
            f"{line.share:.0%} of {report.loads[0].contender}",
            line.contender,
            f"{line.pictures_per_s:.2f}",
            f"{line.p50_s:.2f}",
            f"{line.p95_s:.2f}",
            f"{line.p95_s / slowest[line.share]:.2f} p95",
        )
    console.print(table)
    ceiling = report.ceiling
    console.print(
        f"The bare denoiser at the same buckets takes {ceiling.bare_share:.0%} of a burst's time. "
        f"Matrices multiply at {ceiling.matmul_gflops:.0f} GFLOP/s here; the burst reaches "
        f"{ceiling.denoiser_gflops:.0f} ({ceiling.denoiser_gflops / ceiling.matmul_gflops:.0%})."
    )


def plot(report: Report, path: Path) -> None:
    """p95 over load, and a tick's time over rows. Needs matplotlib."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4))
    for name in dict.fromkeys(line.contender for line in report.loads):
        lines = [line for line in report.loads if line.contender == name]
        left.plot(
            [100 * line.share for line in lines], [line.p95_s for line in lines], "o-", label=name
        )
    left.set(xlabel="load, % of one by one", ylabel="p95 latency, s", yscale="log")
    left.legend()
    for name, found in (
        ("bare denoiser", report.ceiling.forward_s),
        ("tick", report.ceiling.tick_s),
    ):
        right.plot(list(found), [1000 * seconds for seconds in found.values()], "o-", label=name)
    right.set(xlabel="rows", ylabel="ms")
    right.legend()
    figure.suptitle(f"{report.shape}, {report.dtype}, {report.machine.processor}")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
