"""`benchmarks.ticks` measures what it says, at a size that takes seconds."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import typer
from typer.testing import CliRunner

from limner.benchmarks.shapes import HOUSE
from limner.benchmarks.ticks import keep_busy, main
from limner.pipelines.engine.engine import Engine
from limner.pipelines.request import Request

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tiny_run_fills_the_table_and_the_json(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(main)
    out = tmp_path / "out.json"
    told = ("--shape", "tiny", "--device", "cpu", "--steps", "4", "--users", "3", "--ticks", "12")
    result = CliRunner().invoke(app, [*told, "--burst", "4", "--json", str(out)])
    assert result.exit_code == 0, result.output
    (ticks,) = json.loads(out.read_text("utf-8"))["ticks"]
    assert ticks["pictures_per_s"] > 0
    assert ticks["one_user_s"] > 0
    assert ticks["users_s"] > ticks["one_user_s"]
    assert ticks["decode_inflation"] > 0


def test_users_ask_again_and_end_at_different_ticks() -> None:
    engine = Engine.from_pretrained(HOUSE)
    ask = Request("a red heart", steps=4, guidance_scale=3.0)
    found = keep_busy(engine, ask, users=4, ticks=14)
    # Some are being decoded while the others go on (how many, the machine decides), and they come
    # back.
    rows = [interval.rows for interval in found]
    assert set(rows) <= {2, 4, 6, 8}
    assert len(set(rows)) > 1
    assert any(before < after for before, after in pairwise(rows))
    assert any(interval.has_decoding for interval in found)
    assert engine.is_idle
    assert engine.stats.live_rows == 0
