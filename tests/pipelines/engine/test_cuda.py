"""What only a GPU shows: no waiting inside a tick, no recompiling, the same pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from limner.pipelines import Engine, Request

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"),
]

ASK = Request("a red cat", seed=1, steps=12, guidance_scale=3.0)
CROWD = [
    replace(ASK, seed=seed, sampler=sampler)
    for seed, sampler in enumerate(("dpmpp_2m", "euler_a", "unipc", "heun", "lms"))
]


def test_a_gpu_paints_what_the_cpu_paints(models: dict[str, Path]) -> None:
    expected = Engine.from_pretrained(models["house"]).run(CROWD)
    got = Engine.from_pretrained(models["house"], device="cuda").run(CROWD)
    for ours, cpu in zip(got, expected, strict=True):
        apart = np.asarray(ours.image).astype(int) - np.asarray(cpu.image).astype(int)
        assert np.abs(apart).mean() < 1


def test_a_tick_never_waits_for_the_device(models: dict[str, Path]) -> None:
    engine = Engine.from_pretrained(models["house"], device="cuda")
    engine.run(CROWD)
    for request in CROWD:
        engine.add(request)
    engine.step()
    ticks = engine.stats.ticks
    torch.cuda.set_sync_debug_mode("error")
    try:
        while engine.stats.ticks < ticks + 8:
            engine.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_after_warming_up_nothing_is_captured_again(models: dict[str, Path]) -> None:
    engine = Engine.from_pretrained(models["house"], device="cuda")
    engine.run(CROWD)
    captured = engine.stats.num_captured
    assert captured, "ticks are captured"
    engine.run(CROWD)
    assert engine.stats.num_captured == captured
