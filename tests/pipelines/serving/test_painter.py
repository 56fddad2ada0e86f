"""The worker's main thread without its process: what it says of loads, and whom it doubts."""

from __future__ import annotations

import gc
import queue
import shutil
from io import BytesIO
from typing import TYPE_CHECKING

import psutil
import pytest

from limner.pipelines.checkpoint import describe
from limner.pipelines.engine.heap import keep_freed_memory
from limner.pipelines.request import Request
from limner.pipelines.serving.channel import Receiver, Sender
from limner.pipelines.serving.messages import (
    Cancel,
    Entered,
    ModelBroke,
    ModelLoaded,
    Paint,
    PictureFailed,
    Setup,
)
from limner.pipelines.serving.opening import open_painter

if TYPE_CHECKING:
    from pathlib import Path

    from limner.pipelines.checkpoint import Checkpoint
    from limner.pipelines.serving.painter import Painter


class Worker:
    """A painter and all that it says."""

    def __init__(self, *models: Checkpoint, weights_bytes: int | None = None) -> None:
        self.pipe = BytesIO()
        setup = Setup(
            models=models,
            adapters=(),
            skipped_models=(),
            device="cpu",
            dtype="float32",
            threads=None,
            max_rows=8,
            is_compiled=False,
            weights_bytes=weights_bytes,
            memory_limit_bytes=None,
            fixed_bucket=None,
        )
        self.painter: Painter = open_painter(setup, Sender(self.pipe), queue.SimpleQueue())

    def ask(self, *models: str) -> None:
        for model in models:
            request = Request("", seed=1, steps=2, model=model)
            self.painter._obey(Paint(model, 0, request, wants_previews=False))

    def finish(self) -> None:
        while not self.painter._engine.is_idle:
            self.painter._step()
        self.painter._press.close()

    def reports(self) -> list[object]:
        receiver = Receiver(BytesIO(self.pipe.getvalue()))
        told: list[object] = []
        while (report := receiver.receive()) is not None:
            told.append(report)
        return told


def entered(reports: list[object]) -> list[str]:
    """Models that were being loaded; empty: painting."""
    return [report.model for report in reports if isinstance(report, Entered)]


def test_every_load_is_announced_and_over_before_anything_else(model: Checkpoint) -> None:
    """Three models of which one fits: each takes another's place."""
    names = ("a", "b", "c")
    models = [describe(model.path, name=name, steps=2, sampler="ddim") for name in names]
    worker = Worker(*models, weights_bytes=models[0].num_bytes * 3 // 2)
    before = len(worker.reports())
    assert {r.name for r in worker.reports() if isinstance(r, ModelLoaded)} == set(names)
    worker.ask("c", "a", "b")
    assert len(worker.reports()) == before, "what waits for its turn is no load yet"
    worker.finish()
    phases = entered(worker.reports()[before:])
    assert phases[1::2] == [""] * (len(phases) // 2)
    assert set(phases[::2]) >= {"a", "b"}
    assert len(phases) % 2 == 0


def test_while_a_model_is_tried_it_counts_as_loading(model: Checkpoint) -> None:
    reports = Worker(describe(model.path, name="a", steps=2, sampler="ddim")).reports()
    assert entered(reports)[-1] == "a"


def test_an_odd_failure_is_looked_into_with_a_model_that_works(
    model: Checkpoint, tmp_path: Path
) -> None:
    folder = tmp_path / "torn"
    shutil.copytree(model.path, folder)
    torn = describe(folder, name="torn")
    weights = next((folder / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:2000])
    worker = Worker(torn, describe(model.path, name="fine", steps=2, sampler="ddim"))
    assert [r.name for r in worker.reports() if isinstance(r, ModelBroke)] == ["torn"]
    painter = worker.painter

    def fail(*_: object) -> None:
        if painter._probe is None:
            raise LookupError("odd")

    fine = painter._engine._shelf.get("fine", lambda _: False)
    fine.unet.register_forward_pre_hook(fail)
    worker.ask("fine")
    worker.finish()
    (failed,) = [r for r in worker.reports() if isinstance(r, PictureFailed)]
    assert failed.key == "fine"
    assert entered(worker.reports())[-1] == "fine", "nothing was loaded for it"


def test_a_worker_without_work_gives_freed_memory_back(
    model: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not keep_freed_memory():
        pytest.skip("no glibc, or an old one: nothing is kept")
    monkeypatch.setattr("limner.pipelines.serving.painter._REST_S", 0.0)
    painter = Worker(describe(model.path, name="a", steps=2, sampler="ddim")).painter
    freed, above = bytearray(200 * 2**20), bytearray(2**20)
    order = Cancel("a")

    def wake(phase: str, info: dict[str, int]) -> None:
        # Rest begins with a collection; only after it does anybody ask for something.
        if phase == "stop" and info["generation"] == 2:
            painter._inbox.put(order)

    del freed
    before = psutil.Process().memory_info().rss
    gc.callbacks.append(wake)
    try:
        assert painter._wait() is order
    finally:
        gc.callbacks.remove(wake)
    assert psutil.Process().memory_info().rss < before - 150 * 2**20
    assert above
