"""What the process keeps of freed memory."""

from __future__ import annotations

import pytest
import torch

from limner.pipelines.engine.heap import keep_freed_memory

resource = pytest.importorskip("resource")

_BYTES = 48 * 2**20
"""More than glibc ever keeps by itself."""


def test_memory_that_a_tick_freed_is_there_for_the_next_one() -> None:
    if not keep_freed_memory():
        pytest.skip("no glibc, or an old one")
    assert _pages_of(ticks=10) > 0
    assert _pages_of(ticks=10) < 10 * _BYTES / resource.getpagesize() / 3


def _pages_of(ticks: int) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(ticks):
        torch.ones(_BYTES, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
