"""A start that finds many unfinished jobs: quick, and without their pictures in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from limner.benchmarks.recovery import measure, settings_for
from tests.pipelines.models import make_house_like

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "num_jobs", [400, pytest.param(10_000, marks=pytest.mark.long)], ids=["few", "many"]
)
async def test_a_start_takes_up_what_was_left_without_opening_a_picture(
    num_jobs: int, tmp_path: Path
) -> None:
    model = make_house_like(tmp_path / "model")
    cost = await measure(settings_for(model, tmp_path / "data"), num_jobs, watch_s=1.5)
    assert (cost.jobs, cost.with_pictures) == (num_jobs, num_jobs // 10)
    assert cost.work_s < 5.0 * num_jobs / 10_000 + 0.2
    decoded_bytes = cost.with_pictures * 3 * 512 * 512
    assert cost.grown_bytes < 10_000_000 + decoded_bytes / 3
