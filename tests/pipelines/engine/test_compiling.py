"""Denoisers through torch.compile: warmed shapes, and a plain fallback that says why."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from limner.pipelines import Engine, Request, describe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASK = Request("a red cat", seed=1, steps=3, guidance_scale=3.0)


def _raises(_graph: torch.fx.GraphModule, _inputs: list[torch.Tensor]) -> Callable[..., Any]:
    raise ValueError("no compiler here")


def _paint(path: Path, backend: str) -> tuple[Engine, list[np.ndarray[Any, Any]]]:
    # One bucket, for tracing one takes seconds.
    engine = Engine([describe(path, name="m")], fixed_bucket=2, compile_with=backend)
    engine.compile()
    asks = [replace(ASK, seed=seed, width=24 if seed == 2 else None) for seed in range(3)]
    return engine, [np.asarray(result.image).astype(int) for result in engine.run(asks)]


def _apart(one: list[np.ndarray[Any, Any]], other: list[np.ndarray[Any, Any]]) -> int:
    return max(int(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def test_compiled_shapes_paint_the_same_and_others_run_as_they_are(models: dict[str, Path]) -> None:
    _, plain = _paint(models["sd1"], "")
    runs: list[int] = []

    def counting(graph: torch.fx.GraphModule, _inputs: list[torch.Tensor]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            runs.append(1)
            return graph.forward(*given)

        return run

    torch._dynamo.reset()
    torch._dynamo.register_backend(counting, name="counting")
    engine, compiled = _paint(models["sd1"], "counting")
    assert _apart(plain, compiled) <= 1
    warmed = len(runs)
    assert engine.stats.uncompiled == ()
    engine.run([ASK])
    assert len(runs) > warmed, "a warmed shape runs compiled"
    before = len(runs)
    engine.run([replace(ASK, width=24)])
    assert len(runs) == before, "another size does not"


def test_where_compiling_fails_it_is_painted_without_and_said_why(
    models: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    _, plain = _paint(models["sd1"], "")
    torch._dynamo.reset()
    torch._dynamo.register_backend(_raises, name="raising")
    engine, fallen_back = _paint(models["sd1"], "raising")
    assert _apart(plain, fallen_back) == 0
    ((model, why),) = engine.stats.uncompiled
    assert model == "m"
    assert "no compiler here" in why or "BackendCompilerFailed" in why
    assert "painting with m uncompiled" in caplog.text


class _Shapes:
    """A backend that notes the rows it compiles for, and runs out of memory past some."""

    def __init__(self, most: int = 64) -> None:
        self.rows: list[int] = []
        self.most = most

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[Any]) -> Callable[..., Any]:
        latents = next(i for i in inputs if isinstance(i, torch.Tensor) and i.dim() == 4)
        if latents.shape[0] > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if latents.shape[0] not in self.rows:
            self.rows.append(latents.shape[0])
        return graph.forward


@pytest.mark.parametrize("fixed_bucket", [None, 3])
def test_only_the_buckets_that_ticks_have_are_compiled(
    fixed_bucket: int | None, models: dict[str, Path]
) -> None:
    torch._dynamo.reset()
    shapes = _Shapes()
    torch._dynamo.register_backend(shapes, name=f"shapes{fixed_bucket}")
    engine = Engine(
        [describe(models["sd1"], name="m")],
        max_rows=2,
        fixed_bucket=fixed_bucket,
        compile_with=f"shapes{fixed_bucket}",
    )
    engine.compile()
    assert shapes.rows == ([1, 2] if fixed_bucket is None else [3])


def test_a_bucket_that_does_not_fit_leaves_the_smaller_ones_compiled(
    models: dict[str, Path],
) -> None:
    torch._dynamo.reset()
    shapes = _Shapes(most=1)
    torch._dynamo.register_backend(shapes, name="small")
    engine = Engine([describe(models["sd1"], name="m")], max_rows=4, compile_with="small")
    engine.compile()
    assert engine.stats.uncompiled == ()
    assert {shape[1][0] for shape in engine._compiler._warm} == {1}
    assert engine.run([ASK])


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_torchs_own_compiler_paints_the_same(models: dict[str, Path]) -> None:
    _, plain = _paint(models["sd1"], "")
    torch._dynamo.reset()
    engine, compiled = _paint(models["sd1"], "inductor")
    assert engine.stats.uncompiled == ()
    assert _apart(plain, compiled) <= 2
