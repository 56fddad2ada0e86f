"""Worker and bot killed under load: every job ends once, credits add up, nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from limner.benchmarks.kills import Load, kill_many
from tests.pipelines.models import make_house_like

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_house_like(tmp_path_factory.mktemp("kills") / "house")


@pytest.mark.parametrize(
    ("worker_kills", "bot_kills", "load"),
    [(3, 3, Load()), pytest.param(50, 50, Load(under_way=60), marks=pytest.mark.long)],
    ids=["few", "many"],
)
def test_nothing_accepted_is_lost(
    model: Path, tmp_path: Path, worker_kills: int, bot_kills: int, load: Load
) -> None:
    verdict = kill_many(model, tmp_path, worker_kills=worker_kills, bot_kills=bot_kills, load=load)
    assert verdict.is_well, verdict
    assert verdict.accepted > worker_kills + bot_kills
    assert verdict.delivered > verdict.accepted / 2
    assert verdict.delivered + verdict.failed == verdict.accepted
    assert verdict.kills_after_painting > 0
