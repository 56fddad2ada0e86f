"""A real storage in a folder of its own, for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from limner.storage import Storage

from .makers import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def storage(tmp_path: Path, clock: Clock) -> AsyncIterator[Storage]:
    async with Storage.open(tmp_path / "data", clock=clock) as opened:
        yield opened
        findings = await opened.check()
        # Whatever a test does, the ledger adds up and every reference leads somewhere.
        assert not findings.damage
        assert not findings.unbalanced_jobs
        assert not findings.overdrawn_grants
        assert not findings.num_wrong_tallies
