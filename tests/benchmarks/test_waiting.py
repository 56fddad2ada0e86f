"""The measurement of waiting times: it comes to its end, and judges whom it told something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limner.benchmarks.waiting import measure
from limner.pipelines.checkpoint import describe
from tests.pipelines.models import make_house_like

if TYPE_CHECKING:
    from pathlib import Path


async def test_everybody_who_was_told_a_time_begins_and_is_judged(tmp_path: Path) -> None:
    model = describe(make_house_like(tmp_path / "model"))
    accuracy = await measure(model, seconds=1.0, least=4, waiting=8, steps=4, max_rows=4)
    assert accuracy.tickets >= 4
    assert 0 < accuracy.judged <= accuracy.tickets
    assert accuracy.median_wait_s > 0
    # A wide net for a machine with other work: a forecast without sense falls through it.
    assert 0.1 < accuracy.bias < 10
