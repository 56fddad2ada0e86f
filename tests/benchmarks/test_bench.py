"""`limner bench` measures what it says, at a size that takes seconds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from limner.benchmarks.command import bench
from limner.benchmarks.contenders import queue_up
from limner.benchmarks.loads import Arrival, mixed, poisson
from limner.pipelines.request import Request

if TYPE_CHECKING:
    from pathlib import Path


def _arrivals(*times: float) -> list[Arrival]:
    return [Arrival(at_s, Request("")) for at_s in times]


def test_one_by_one_is_a_queue_with_one_server() -> None:
    served = queue_up(_arrivals(0.0, 1.0, 1.5, 9.0), [2.0, 2.0, 2.0, 1.0])
    assert served.latencies_s == (2.0, 3.0, 4.5, 1.0)
    assert served.elapsed_s == 10.0
    assert served.busy_s == 7.0


def test_traces_are_the_same_for_everybody_and_keep_their_rate() -> None:
    requests = mixed(400, steps=(10, 30))
    assert requests == mixed(400, steps=(10, 30))
    assert {request.sampler for request in requests} >= {"euler_a", "unipc"}
    assert {request.guidance_scale for request in requests} >= {1.0, 7.5}
    assert {request.steps for request in requests} == set(range(10, 31))
    arrivals = poisson(requests, 5.0)
    assert arrivals == poisson(requests, 5.0)
    assert 400 / arrivals[-1].at_s == pytest.approx(5.0, rel=0.15)


def test_a_tiny_run_fills_the_table_the_json_and_the_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    app = typer.Typer()
    app.command()(bench)
    result = CliRunner().invoke(
        app,
        [
            *("--shape", "tiny", "--rounds", "1", "--burst", "3", "--arrivals", "3"),
            *("--steps", "2", "4", "--threads", "1"),
            *("--json", str(tmp_path / "out.json"), "--plot", str(tmp_path / "out.png")),
        ],
    )
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert len(found["burst"]) >= 3
    assert all(line["pictures_per_s"] > 0 for line in found["burst"])
    assert len(found["loads"]) == 3 * 4
    assert 0 < found["ceiling"]["bare_share"] <= 1.5
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
