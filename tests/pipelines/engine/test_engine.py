"""What the engine promises while it runs: joining, leaving, fairness, memory, several models."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from limner.pipelines import (
    Cancelled,
    Engine,
    Failed,
    Finished,
    InvalidRequestError,
    ModelError,
    OutOfMemoryError,
    Preview,
    Progress,
    Request,
    RequestFailedError,
    Started,
    describe,
)
from limner.pipelines.engine.memory import is_out_of_memory
from tests.pipelines import oracle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from limner.pipelines import Event

ASK = Request("a red cat", seed=1, steps=6, guidance_scale=3.0)


def drain(engine: Engine) -> list[Event]:
    events: list[Event] = []
    while not engine.is_idle:
        events += engine.step()
    return events


def run_until(engine: Engine, kind: type, request_id: int, most: int = 50) -> int:
    """Steps until that event; how many it took."""
    for count in range(1, most):
        if any(isinstance(e, kind) and e.request_id == request_id for e in engine.step()):
            return count
    pytest.fail(f"no {kind.__name__} in {most} steps")


@pytest.fixture
def engine(models: dict[str, Path]) -> Engine:
    return Engine.from_pretrained(models["sd1"])


def test_events_come_in_order_and_progress_reaches_its_end(engine: Engine) -> None:
    request_id = engine.add(replace(ASK, sampler="heun", steps=4))
    events = drain(engine)
    assert all(event.request_id == request_id for event in events)
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    steps = [event.step for event in events if isinstance(event, Progress)]
    assert steps == sorted(steps)
    assert steps[-1] == 4
    assert len(steps) == 7, "heun calls the model twice a step, but for the last"


def test_a_seed_is_drawn_and_told_and_paints_the_same_again(engine: Engine) -> None:
    first = engine.run([replace(ASK, seed=None)])[0]
    again = engine.run([replace(ASK, seed=first.seed)])[0]
    assert again.image.tobytes() == first.image.tobytes()
    assert first.request.seed == first.seed


def test_a_request_joins_the_batch_at_the_next_tick(engine: Engine) -> None:
    first = engine.add(replace(ASK, steps=30))
    run_until(engine, Progress, first)
    second = engine.add(replace(ASK, seed=2))
    ticks = engine.stats.ticks
    run_until(engine, Progress, second)
    assert engine.stats.ticks - ticks <= 2, "at most the tick that was next, and its own"
    assert engine.stats.last_rows == 4


def test_an_idle_engine_starts_at_once(engine: Engine) -> None:
    request_id = engine.add(ASK)
    assert run_until(engine, Started, request_id) == 1
    assert run_until(engine, Progress, request_id) == 1


@pytest.mark.parametrize("steps_before", range(0, 12))
def test_cancel_in_any_phase_frees_rows_before_the_next_tick(
    engine: Engine, steps_before: int
) -> None:
    other = engine.add(replace(ASK, steps=20, seed=3))
    request_id = engine.add(ASK)
    for _ in range(steps_before):
        engine.step()
    was_here = engine.cancel(request_id)
    events = engine.step()
    assert was_here == any(
        isinstance(event, Cancelled) and event.request_id == request_id for event in events
    )
    assert engine.live_rows <= 2
    assert not engine.cancel(request_id)
    ends = [e for e in drain(engine) if isinstance(e, Finished | Failed | Cancelled)]
    assert [type(end) for end in ends if end.request_id == other] == [Finished]


def _count_decodes(engine: Engine) -> list[int]:
    decodes: list[int] = []
    vae = engine._shelf.get(engine._shelf.default, lambda _: False).codec.vae
    vae.decoder.register_forward_pre_hook(lambda _, given: decodes.append(len(given[0])))
    return decodes


def test_finished_pictures_wait_a_few_short_ticks_for_company(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    decodes = _count_decodes(engine)
    # However slow the machine that tests.
    monkeypatch.setattr("limner.pipelines.engine.darkroom._SHORT_TICK_S", 1000.0)
    first, *_ = (engine.add(replace(ASK, steps=steps)) for steps in (4, 5, 6, 6, 20))
    run_until(engine, Finished, first)
    assert decodes == [4], "as many as are decoded at once"
    lone = engine.add(replace(ASK, steps=4))
    ticks = engine.stats.ticks
    run_until(engine, Finished, lone)
    assert engine.stats.ticks - ticks <= 4 + 4
    assert decodes == [4, 2], "a batch of one takes other kernels"


def test_a_finished_picture_waits_for_company_once_not_again_for_each_who_comes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limner.pipelines.engine.darkroom._SHORT_TICK_S", 1000.0)
    *_, first, _ = (engine.add(replace(ASK, steps=steps)) for steps in (10, 7, 4, 40))
    run_until(engine, Finished, first)
    assert engine.stats.ticks == 4 + 4
    engine.close()


def test_a_picture_that_waits_for_company_holds_up_no_other_size(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limner.pipelines.engine.darkroom._SHORT_TICK_S", 1000.0)
    monkeypatch.setattr("limner.pipelines.engine.darkroom._COMPANY_TICKS", 1000)
    wide = replace(ASK, width=32, height=16)
    lone = engine.add(replace(ASK, steps=2))
    four = [engine.add(replace(wide, steps=3)) for _ in range(4)]
    engine.add(replace(ASK, steps=100))
    run_until(engine, Finished, four[-1])
    assert engine.cancel(lone), "it waits still"
    engine.close()


def test_nobody_waits_for_company_where_a_tick_takes_long(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("limner.pipelines.engine.darkroom._SHORT_TICK_S", 0.0)
    lone, _ = engine.add(replace(ASK, steps=4)), engine.add(replace(ASK, steps=30))
    run_until(engine, Finished, lone)
    assert engine.stats.ticks == 4
    engine.close()


def test_a_lone_picture_is_decoded_at_once(engine: Engine) -> None:
    request_id = engine.add(replace(ASK, steps=3))
    assert run_until(engine, Finished, request_id) == 5, "let in, three ticks, decoded"


def test_a_flood_of_one_tenant_does_not_hold_up_another(engine: Engine) -> None:
    for seed in range(100):
        engine.add(replace(ASK, seed=seed, tenant="flood"))
    for _ in range(40):
        engine.step()
    ticks = engine.stats.ticks
    single = engine.add(replace(ASK, seed=7, tenant="single"))
    run_until(engine, Finished, single, most=400)
    # Its own 6 ticks, the one that was next, and what the flood's share may take in between.
    assert engine.stats.ticks - ticks <= 2 * 6 + 2
    engine.close()


def test_two_tenants_of_different_keys_take_turns(engine: Engine) -> None:
    wide = engine.add(replace(ASK, width=24, steps=12, tenant="a"))
    square = engine.add(replace(ASK, steps=12, tenant="b"))
    seen: list[int] = []
    while len(seen) < 12:
        seen += [e.request_id for e in engine.step() if isinstance(e, Progress)]
    assert {wide, square} == set(seen)
    assert abs(seen.count(wide) - seen.count(square)) <= 4, "in proportion to their cost"
    engine.close()


def test_previews_come_only_when_watched_and_look_like_the_picture(
    models: dict[str, Path],
) -> None:
    engine = Engine.from_pretrained(models["house"])
    watched = engine.add(replace(ASK, steps=8))
    engine.add(replace(ASK, steps=8, seed=2))
    engine.watch(watched)
    events = drain(engine)
    previews = [event for event in events if isinstance(event, Preview)]
    assert previews
    assert {preview.request_id for preview in previews} == {watched}
    assert previews[0].image.size == (16, 16)


def test_several_models_share_the_engine_under_a_budget(models: dict[str, Path]) -> None:
    checkpoints = [describe(models[name], name=name) for name in ("sd1", "sd2", "sdxl")]
    room = max(checkpoint.num_bytes for checkpoint in checkpoints) * 3 // 2
    engine = Engine(checkpoints, memory_bytes=room)
    asks = [replace(ASK, model=name, seed=i) for i, name in enumerate(["sd1", "sd2", "sdxl"] * 3)]
    results = engine.run(asks)
    assert [result.request.model for result in results] == ["sd1", "sd2", "sdxl"] * 3
    assert len(engine.stats.models) == 1, "one fits at a time"
    for result in results[:3]:
        path = models[result.request.model]
        assert oracle.difference(path, result.request, result.image) <= 1


def test_a_busy_model_gives_way_to_one_that_has_waited_long_enough(
    models: dict[str, Path],
) -> None:
    checkpoints = [describe(models[name], name=name) for name in ("sd1", "sd2")]
    room = max(checkpoint.num_bytes for checkpoint in checkpoints) * 3 // 2
    engine = Engine(checkpoints, memory_bytes=room, patience_s=0.02)
    engine.run([ASK])
    waits = engine.add(replace(ASK, model="sd2", tenant="b"))
    for count in range(400):
        if count < 200:
            engine.add(replace(ASK, seed=count, steps=2, tenant="a"))
        if any(isinstance(e, Finished) and e.request_id == waits for e in engine.step()):
            break
    else:
        pytest.fail("the other model never came to its turn")
    engine.close()


def test_a_flood_that_fills_every_slot_leaves_the_door_open(models: dict[str, Path]) -> None:
    engine = Engine([describe(models["sd1"])], max_live=8, max_rows=4)
    for seed in range(30):
        engine.add(replace(ASK, seed=seed, steps=40, tenant="flood"))
    for _ in range(12):
        engine.step()
    assert engine.stats.num_denoising == 8 - 8 // 4
    single = engine.add(replace(ASK, tenant="single"))
    run_until(engine, Started, single, most=6)
    engine.close()


def test_the_first_checkpoint_is_the_default_and_unknown_names_are_refused(
    models: dict[str, Path],
) -> None:
    engine = Engine([describe(models["sd2"], name="two"), describe(models["sd1"], name="one")])
    assert engine.run([ASK])[0].request.model == "two"
    assert engine.stats.models == ("two",)
    engine.load("one")
    assert engine.stats.models == ("two", "one")
    with pytest.raises(InvalidRequestError, match="no model called 'three'"):
        engine.add(replace(ASK, model="three"))


def test_a_model_that_can_not_be_loaded_fails_its_requests_and_no_others(
    models: dict[str, Path], tmp_path: Path
) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(models["sd2"], broken)
    described = describe(broken, name="broken")
    (broken / "unet" / "config.json").write_text("{", "utf-8")
    engine = Engine([describe(models["sd1"], name="good"), described])
    bad = engine.add(replace(ASK, model="broken"))
    good = engine.add(ASK)
    ends = {e.request_id: e for e in drain(engine) if isinstance(e, Finished | Failed)}
    assert isinstance(ends[good], Finished)
    failed = ends[bad]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ModelError)


def _limit_rows(engine: Engine, most: int) -> list[int]:
    """The device runs out of memory above so many rows; what it was asked for."""
    asked: list[int] = []
    unet = engine._shelf.get(engine._shelf.default, lambda _: False).unet  # pyright: ignore

    def refuse(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        asked.append(len(inputs[0]))
        if len(inputs[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    unet.register_forward_pre_hook(refuse)
    return asked


@pytest.mark.parametrize("most", [1, 2, 5])
def test_out_of_memory_splits_the_bucket_and_nobody_fails(
    models: dict[str, Path], most: int
) -> None:
    requests = [replace(ASK, seed=seed) for seed in range(8)]
    expected = Engine.from_pretrained(models["sd1"]).run(requests)
    engine = Engine.from_pretrained(models["sd1"])
    asked = _limit_rows(engine, most)
    for result, alone in zip(engine.run(requests), expected, strict=True):
        apart = np.asarray(result.image).astype(int) - np.asarray(alone.image).astype(int)
        assert np.abs(apart).max() <= 2
    assert sum(rows > most for rows in asked) <= 4, "it learns"


def test_a_request_that_is_too_big_alone_is_told(models: dict[str, Path]) -> None:
    engine = Engine.from_pretrained(models["sd1"])
    _limit_rows(engine, 0)
    with pytest.raises(OutOfMemoryError, match="too big"):
        engine.run([ASK])
    assert engine.is_idle


def _break_rows(engine: Engine, is_bad: Callable[[torch.Tensor], bool]) -> list[int]:
    """The denoiser raises where a row is bad; how many rows it was asked for."""
    asked: list[int] = []
    unet = engine._shelf.get(engine._shelf.default, lambda _: False).unet  # pyright: ignore

    def refuse(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        asked.append(len(inputs[0]))
        if any(is_bad(row) for row in inputs[0]):
            raise ValueError("nobody foresaw this")

    unet.register_forward_pre_hook(refuse)
    return asked


def test_a_row_that_raises_in_the_forward_pass_fails_alone(models: dict[str, Path]) -> None:
    asks = [replace(ASK, seed=seed, sampler="euler_a") for seed in range(8)]
    expected = Engine.from_pretrained(models["sd1"]).run(asks)
    engine = Engine.from_pretrained(models["sd1"])
    asked = _break_rows(engine, lambda row: bool(row.isnan().any()))
    ids = [engine.add(ask) for ask in asks]
    run_until(engine, Progress, ids[-1])
    bad = engine._crowd.get(ids[3])
    assert bad is not None
    assert bad.key is not None
    engine._lanes[bad.key].history[bad.slot] = torch.nan
    ends = {e.request_id: e for e in drain(engine) if isinstance(e, Finished | Failed)}
    failed = ends.pop(ids[3])
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, RequestFailedError)
    assert isinstance(failed.error.__cause__, ValueError)
    assert len(asked) < 6 + 3 * 5, "by halves, in one tick"
    for index, request_id in enumerate(ids):
        if index == 3:
            continue
        end = ends[request_id]
        assert isinstance(end, Finished)
        ours, alone = (np.asarray(r.image).astype(int) for r in (end.result, expected[index]))
        assert np.abs(ours - alone).max() <= 2
    engine.run([ASK])


def test_a_denoiser_that_can_not_paint_at_all_fails_each_with_its_sentence(
    models: dict[str, Path],
) -> None:
    engine = Engine.from_pretrained(models["sd1"])
    _break_rows(engine, lambda _row: True)
    ids = [engine.add(replace(ASK, seed=seed)) for seed in range(3)]
    events = drain(engine)
    assert [event.request_id for event in events if isinstance(event, Failed)] == ids
    assert engine.is_idle


def test_a_preview_that_fails_is_dropped_and_the_picture_is_painted(
    models: dict[str, Path],
) -> None:
    engine = Engine.from_pretrained(models["house"])
    expected = engine.run([ASK])[0]
    vae = engine._shelf.get(engine._shelf.default, lambda _: False).codec.vae
    handle = vae.decoder.register_forward_pre_hook(_raise_unforeseen)
    watched = engine.add(ASK)
    engine.watch(watched)
    run_until(engine, Progress, watched)
    handle.remove()
    events = drain(engine)
    assert not any(isinstance(event, Preview) for event in events)
    assert isinstance(events[-1], Finished)
    assert events[-1].result.image.tobytes() == expected.image.tobytes()


def _raise_unforeseen(_module: torch.nn.Module, _inputs: object) -> None:
    raise ValueError("nobody foresaw this")


@pytest.mark.parametrize(
    "said",
    [
        "could not create a primitive",
        "could not create a memory object",
        "std::bad_alloc",
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 8 bytes. Error code 12 (Cannot allocate memory)",
    ],
)
def test_what_torch_and_onednn_say_when_memory_runs_out_is_understood(said: str) -> None:
    assert is_out_of_memory(RuntimeError(said))
    assert not is_out_of_memory(ValueError(said))


def test_memory_stays_flat(engine: Engine) -> None:
    def paint(count: int) -> None:
        for start in range(0, count, 20):
            engine.run(
                [replace(ASK, prompt=f"cat {start} {i}", steps=1, seed=i) for i in range(20)]
            )

    paint(100)
    gc.collect()
    before = psutil.Process().memory_info().rss
    paint(160)
    gc.collect()
    assert psutil.Process().memory_info().rss - before < 30 * 2**20
    assert not engine._crowd.all()


@pytest.mark.long
def test_memory_stays_flat_over_a_thousand_requests(engine: Engine) -> None:
    engine.run([replace(ASK, steps=1, seed=i) for i in range(256)])
    before = psutil.Process().memory_info().rss
    for start in range(0, 1000, 50):
        engine.run([replace(ASK, prompt=f"dog {start}", seed=i, steps=2) for i in range(50)])
    assert psutil.Process().memory_info().rss - before < 40 * 2**20


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "Steps go from 1 to 150"),
        ({"steps": 51, "sampler": "lcm"}, "Steps with lcm go from 1 to 50"),
        ({"sampler": "magic"}, "no sampler called 'magic'"),
        ({"width": 17}, "multiples of 2 pixels"),
        ({"width": 14}, "at least 16 pixels"),
        ({"width": 64, "height": 64}, "too big for this model"),
        ({"guidance_scale": 31.0}, "Guidance goes from 0 to 30"),
        ({"guidance_scale": float("nan")}, "Guidance goes"),
        ({"seed": -1}, "A seed is"),
        ({"prompt": "x" * 4001}, "at most 4000"),
        ({"mask_image": Image.new("L", (16, 16))}, "A mask needs the picture"),
        ({"init_image": Image.new("RGB", (16, 16)), "strength": 0.0}, "Strength goes"),
        ({"init_image": Image.new("RGB", (16, 16)), "strength": 0.1}, "leaves none of 6 steps"),
    ],
)
def test_what_can_never_be_painted_is_refused_with_a_sentence(
    engine: Engine, change: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidRequestError, match=sentence):
        engine.add(replace(ASK, **change))
    assert engine.is_idle


def test_an_inpainting_model_asks_for_its_picture_and_mask(models: dict[str, Path]) -> None:
    engine = Engine.from_pretrained(models["inpaint"])
    with pytest.raises(InvalidRequestError, match="a picture and a mask"):
        engine.add(ASK)


def test_the_tick_reads_nothing_back_from_the_device(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU every one of these would make the host wait."""
    for seed, sampler in enumerate(("euler_a", "dpmpp_2m", "unipc", "heun")):
        engine.add(replace(ASK, seed=seed, sampler=sampler, steps=20))
    for _ in range(6):
        engine.step()
    reads: list[str] = []
    for name in ("item", "tolist", "numpy", "cpu", "__bool__", "__float__", "__int__", "nonzero"):
        original = getattr(torch.Tensor, name)

        def spy(tensor: torch.Tensor, *args: object, _name=name, _original=original) -> object:
            reads.append(_name)
            return _original(tensor, *args)

        monkeypatch.setattr(torch.Tensor, name, spy)
    ticks = engine.stats.ticks
    while engine.stats.ticks < ticks + 5:
        engine.step()
    assert reads == []
    monkeypatch.undo()
    engine.close()
