"""The measurement of waiting times: it comes to its end, and judges whom it told something."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from limner.benchmarks.waiting import Load, measure, tickets
from limner.pipelines.checkpoint import describe
from limner.pipelines.serving.config import PoolConfig
from limner.pipelines.serving.pool import WorkerPool
from limner.pipelines.serving.updates import Began, Broke, Cause, End, Waiting, Withdrawn
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


@pytest.mark.parametrize("end", [Broke("2", "It failed.", Cause.PAINTING), Withdrawn("2")])
async def test_who_ends_without_having_begun_is_not_waited_for(tmp_path: Path, end: End) -> None:
    config = PoolConfig((describe(make_house_like(tmp_path / "model")),), devices=())
    async with WorkerPool(config, lambda _: None) as pool:
        load = Load(tickets(1, random.Random(0), 4), random.Random(0), 0.0, waiting=0, least=2)
        load.heard(pool, Waiting("1", 1, 2.0))
        load.heard(pool, Waiting("2", 2, 3.0))
        load.heard(pool, Began("1"))
        assert not load.over.is_set()
        load.heard(pool, end)
        assert load.over.is_set()
        assert [told_s for told_s, _ in load.pairs] == [2.0]
