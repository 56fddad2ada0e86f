"""Models come and go: one set of weights at a time where only one fits, and none left behind."""

from __future__ import annotations

import logging
import shutil
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from diffusers import StableDiffusionPipeline

from limner.pipelines import Engine, ModelError, Request, describe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASK = Request("a red cat", seed=1, steps=2, guidance_scale=3.0)


def _watch_loads(monkeypatch: pytest.MonkeyPatch, begin: Callable[[Path], None]) -> None:
    """`begin` is called as diffusers begins to read a model; what it raises, diffusers raises."""
    opened = StableDiffusionPipeline.from_pretrained

    def spy(path: Path, **given: object) -> object:
        begin(path)
        return opened(path, **given)

    monkeypatch.setattr(StableDiffusionPipeline, "from_pretrained", spy)


def _denoisers(engine: Engine, *names: str) -> list[weakref.ref[object]]:
    return [weakref.ref(engine._shelf.get(name, lambda _: False).unet) for name in names]


def test_a_swap_of_models_holds_one_of_them_at_a_time(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = [describe(models[name], name=name) for name in ("sd1", "sd2")]
    room = max(checkpoint.num_bytes for checkpoint in checkpoints) * 3 // 2
    engine = Engine(checkpoints, memory_bytes=room, fixed_bucket=2, compile_with="eager")
    engine.load("sd1")
    engine.compile("sd1")
    engine.run([ASK])
    first = _denoisers(engine, "sd1")[0]
    alive: list[bool] = []
    _watch_loads(monkeypatch, lambda _: alive.append(first() is not None))
    engine.run([replace(ASK, model="sd2")])
    assert alive == [False]


def test_a_load_that_runs_out_of_memory_is_tried_with_the_memory_of_the_others(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # pytest would keep the logged error, and with its trace the half of a model.
    caplog.set_level(logging.CRITICAL, logger="limner.pipelines.families.opening")
    engine = Engine([describe(models[name], name=name) for name in ("sd1", "sd2")])
    engine.run([ASK])
    first = _denoisers(engine, "sd1")[0]
    alive: list[bool] = []

    class Half:
        """Of a model."""

    halves: list[weakref.ref[Half]] = []

    def run_out(_path: Path) -> None:
        alive.append(first() is not None or any(half() is not None for half in halves))
        if len(alive) == 1:
            half = Half()
            halves.append(weakref.ref(half))
            raise torch.OutOfMemoryError("CUDA out of memory.")

    _watch_loads(monkeypatch, run_out)
    assert engine.run([replace(ASK, model="sd2")])
    assert alive == [True, False]


def test_room_that_was_made_for_a_model_that_fails_leaves_one_copy_of_the_other(
    models: dict[str, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(models["sd2"], broken)
    checkpoints = [describe(models["sd1"], name="sd1"), describe(broken, name="broken")]
    (broken / "unet" / "config.json").write_text("{", "utf-8")
    room = max(checkpoint.num_bytes for checkpoint in checkpoints) * 3 // 2
    engine = Engine(checkpoints, memory_bytes=room)
    engine.run([ASK])
    first = _denoisers(engine, "sd1")[0]
    with pytest.raises(ModelError):
        engine.run([replace(ASK, model="broken")])
    engine.run([ASK])
    assert first() is None


def test_parts_that_do_not_fit_together_fail_their_model_with_a_sentence(
    models: dict[str, Path], tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(models["sd1"], mixed)
    shutil.rmtree(mixed / "unet")
    shutil.copytree(models["sd2"] / "unet", mixed / "unet")
    engine = Engine([describe(models["sd1"], name="sd1"), describe(mixed, name="mixed")])
    with pytest.raises(ModelError, match="do not fit together"):
        engine.load("mixed")
    with pytest.raises(ModelError, match="do not fit together"):
        engine.run([replace(ASK, model="mixed")])
    assert engine.run([ASK])
    assert engine.stats.models == ("sd1",)


def test_a_load_is_announced_and_its_end_too(models: dict[str, Path]) -> None:
    told: list[str] = []
    engine = Engine(
        [describe(models["sd1"], name="sd1")],
        on_loading=lambda name: told.append(f"loading {name}"),
        on_loaded=lambda name: told.append(f"loaded {name}"),
    )
    engine.run([ASK])
    engine.run([ASK])
    assert told == ["loading sd1", "loaded sd1"]
