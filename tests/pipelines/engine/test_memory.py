"""What is let in follows what was measured: bounds by shape, and a word before it is tried."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from limner.pipelines import (
    Engine,
    Failed,
    Finished,
    OutOfMemoryError,
    Request,
    RequestFailedError,
    describe,
)
from limner.pipelines.engine.appetite import Appetite
from limner.pipelines.engine.memory import CpuMeter, idle_in_graphs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASK = Request("a red cat", seed=1, steps=3, guidance_scale=3.0)
MIB = 2**20


@dataclass
class Device:
    """A device of a size that the test chooses: every row takes 10 MiB, every picture 5."""

    available: int
    taken: list[int] = field(default_factory=lambda: [45 * MIB, 15 * MIB, 10 * MIB])

    def held_bytes(self) -> int:
        return 0

    def available_bytes(self) -> int:
        return self.available

    def peak_bytes(self, work: Callable[[], object]) -> int:
        work()
        return self.taken.pop(0)


def count_rows(engine: Engine) -> tuple[list[int], list[int]]:
    """Of each forward pass and each decode from now on."""
    rows: list[int] = []
    pictures: list[int] = []
    model = engine._shelf.get(engine._shelf.default, lambda _: False)
    model.unet.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    model.codec.vae.decoder.register_forward_pre_hook(
        lambda _, given: pictures.append(len(given[0]))
    )
    return rows, pictures


def test_rows_are_bounded_by_what_was_measured_and_by_their_size(models: dict[str, Path]) -> None:
    # 85 % of 100 MiB, less the 5 that every pass takes, are 8 rows of 10.
    engine = Engine([describe(models["sd1"])], meter=Device(100 * MIB))
    engine.load()
    rows, _ = count_rows(engine)
    assert len(engine.run([replace(ASK, seed=seed) for seed in range(12)])) == 12
    assert max(rows) == 8
    rows.clear()
    engine.run([replace(ASK, seed=seed, width=32) for seed in range(6)])
    assert max(rows) == 4, "twice the area, half the rows"


def test_where_only_one_row_fits_the_two_of_a_guided_request_take_turns(
    models: dict[str, Path],
) -> None:
    engine = Engine([describe(models["sd1"])], meter=Device(18 * MIB))
    engine.load()
    rows, _ = count_rows(engine)
    engine.run([replace(ASK, seed=seed) for seed in range(2)])
    assert set(rows) == {1}


@pytest.mark.parametrize(("available", "size"), [(60, 16), (40, 8)], ids=["alone", "in tiles"])
def test_where_two_pictures_do_not_fit_one_is_decoded_alone_and_where_not_one_in_tiles(
    available: int, size: int, models: dict[str, Path]
) -> None:
    device = Device(available * MIB, [2 * MIB, 2 * MIB, 100 * MIB])
    engine = Engine([describe(models["house"])], meter=device)
    engine.load()
    model = engine._shelf.get(engine._shelf.default, lambda _: False)
    vae = model.codec.vae
    vae.tile_latent_min_size, vae.tile_sample_min_size = 8, 64
    given: list[torch.Size] = []
    vae.decoder.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].shape))
    engine.run([replace(ASK, seed=seed) for seed in range(3)])
    assert {(shape[0], shape[2] <= size) for shape in given} == {(1, True)}


def test_a_request_for_which_there_is_no_room_is_told_before_anything_is_painted(
    models: dict[str, Path],
) -> None:
    engine = Engine([describe(models["sd1"])], meter=Device(20 * MIB))
    engine.load()
    rows, _ = count_rows(engine)
    big = engine.add(replace(ASK, width=32, height=32))
    fits = engine.add(ASK)
    ends: dict[int, Finished | Failed] = {}
    while not engine.is_idle:
        for event in engine.step():
            if isinstance(event, Finished | Failed):
                ends[event.request_id] = event
                if event.request_id == big:
                    assert rows == []
    refused = ends[big]
    assert isinstance(refused, Failed)
    assert isinstance(refused.error, OutOfMemoryError)
    assert "too big" in str(refused.error)
    assert isinstance(ends[fits], Finished)


def test_where_the_system_does_not_tell_nothing_is_bounded(models: dict[str, Path]) -> None:
    class Silent(Device):
        def peak_bytes(self, work: Callable[[], object]) -> None:
            work()

    engine = Engine([describe(models["sd1"])], meter=Silent(0))
    engine.load()
    rows, _ = count_rows(engine)
    engine.run([replace(ASK, seed=seed) for seed in range(8)])
    assert max(rows) == 16


def test_rows_and_pictures_of_an_appetite() -> None:
    appetite = Appetite(fixed=10.0, row_pixel=1.0, picture_pixel=0.5)
    assert appetite.most_rows(4, 5, 100) == 3
    assert appetite.most_rows(10, 10, 100) == 0
    assert appetite.most_pictures(10, 10, 100) == 1
    assert Appetite(0.0, 0.0, 0.0).most_rows(4, 5, 1) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process measures its own peak")
def test_the_meter_of_a_cpu_sees_a_peak_that_is_gone_again() -> None:
    meter = CpuMeter()
    peak = meter.peak_bytes(lambda: torch.ones(64 * MIB, dtype=torch.uint8))
    assert peak is not None
    assert 60 * MIB < peak < 100 * MIB
    nothing = meter.peak_bytes(lambda: None)
    assert nothing is not None
    assert nothing < 8 * MIB
    assert meter.available_bytes() > 0


_UNDER_A_LIMIT = """
import logging, resource, sys
import psutil
from limner.bot.settings import HOUSE_MODEL
from limner.pipelines import Engine, Request, describe
logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
engine = Engine([describe(HOUSE_MODEL)], max_rows=64)
engine.load()
appetite = engine._shelf.appetite(engine._shelf.default, engine._meter)
row = appetite.row_pixel * 16 * 16
room = int(int(sys.argv[1]) * row + appetite.fixed)
limit = psutil.Process().memory_info().vms + room
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
engine.run([Request("a cat", seed=seed, steps=1) for seed in range(32)])
print("bucket", engine.stats.last_bucket)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
def test_under_a_memory_limit_the_engine_never_has_to_run_out() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _UNDER_A_LIMIT, "40"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "out of memory" not in done.stdout
    bucket = int(done.stdout.split("bucket ")[1].split()[0])
    assert 8 <= bucket <= 32, "64 rows are wanted, and do not fit"


def test_what_graphs_keep_for_themselves_is_not_free() -> None:
    def segment(
        total: int, allocated: int, pool: tuple[int, int], device: int
    ) -> dict[str, object]:
        """As `torch.cuda.memory_snapshot` describes one."""
        return {
            "device": device,
            "total_size": total,
            "allocated_size": allocated,
            "segment_pool_id": pool,
        }

    segments = [
        segment(20, 5, (0, 0), 1),
        segment(100, 0, (0, 7), 1),
        segment(50, 10, (0, 7), 1),
        segment(30, 0, (0, 8), 0),
    ]
    assert idle_in_graphs(segments, 1) == 140
    assert idle_in_graphs(segments, 0) == 30


def _ends(engine: Engine) -> dict[int, Finished | Failed]:
    ends: dict[int, Finished | Failed] = {}
    while not engine.is_idle:
        for event in engine.step():
            if isinstance(event, Finished | Failed):
                assert event.request_id not in ends, "a request ends once"
                ends[event.request_id] = event
    return ends


def _limit_encoding(engine: Engine, most: int, most_px: int = 10**6) -> list[int]:
    """Above so many pictures of such a size memory runs out; how many were asked for."""
    asked: list[int] = []
    model = engine._shelf.get(engine._shelf.default, lambda _: False)

    def refuse(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        asked.append(len(inputs[0]))
        if len(inputs[0]) > most or inputs[0].shape[-1] > most_px:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model.codec.vae.encoder.register_forward_pre_hook(refuse)
    return asked


def test_pictures_are_encoded_a_few_at_a_time_and_alone_where_memory_runs_out(
    models: dict[str, Path],
) -> None:
    engine = Engine.from_pretrained(models["sd1"])
    picture = Image.new("RGB", (16, 16), "red")
    asks = [replace(ASK, seed=seed, init_image=picture, strength=0.8) for seed in range(8)]
    expected = engine.run(asks)
    asked = _limit_encoding(engine, 1)
    for result, whole in zip(engine.run(asks), expected, strict=True):
        apart = np.asarray(result.image).astype(int) - np.asarray(whole.image).astype(int)
        assert np.abs(apart).max() <= 2
    assert asked == [4, 1, 1, 1, 1] * 2


def test_a_picture_that_can_not_even_be_encoded_in_tiles_fails_alone_with_its_sentence(
    models: dict[str, Path],
) -> None:
    engine = Engine.from_pretrained(models["sd1"])
    _limit_encoding(engine, 8, 16)
    big, small = (Image.new("RGB", (side, side)) for side in (32, 16))
    bad = engine.add(replace(ASK, init_image=big, strength=0.8, width=32, height=32))
    good = engine.add(replace(ASK, init_image=small, strength=0.8))
    ends = _ends(engine)
    failed = ends[bad]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, OutOfMemoryError)
    assert isinstance(ends[good], Finished)


def test_who_failed_at_the_door_is_not_let_in_with_the_others_second_try(
    models: dict[str, Path],
) -> None:
    # The wide one is refused as it is invited; then the texts of all do not fit at once.
    engine = Engine([describe(models["sd1"])], meter=Device(20 * MIB))
    engine.load()
    model = engine._shelf.get(engine._shelf.default, lambda _: False)

    def texts(ids: torch.Tensor) -> int:
        return len(ids.unique(dim=0))

    def refuse(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if texts(inputs[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model.text.encoder.register_forward_pre_hook(refuse)
    wide = engine.add(replace(ASK, width=32, height=32))
    others = [engine.add(replace(ASK, prompt=f"cat {number}")) for number in range(3)]
    ends = _ends(engine)
    assert isinstance(ends[wide], Failed)
    assert all(isinstance(ends[other], Finished) for other in others)
    assert engine._lanes.num_live == 0


def test_a_slot_that_can_not_be_filled_stays_free(models: dict[str, Path]) -> None:
    engine = Engine.from_pretrained(models["sd1"])
    engine.run([ASK])
    lane = next(iter(engine._lanes._lanes.values()))
    context, lane.context = lane.context, torch.zeros(0, 1, 1)
    with pytest.raises(RequestFailedError):
        engine.run([ASK])
    lane.context = context
    assert lane.num_live == 0
    assert engine.run([ASK])


def test_what_others_take_for_a_moment_neither_refuses_nor_bounds_for_long(
    models: dict[str, Path],
) -> None:
    device = Device(200 * MIB)
    engine = Engine([describe(models["sd1"])], meter=device)
    engine.load()
    long = engine.add(replace(ASK, steps=20))
    while not engine.live_rows:
        engine.step()
    device.available = 5 * MIB
    wide = replace(ASK, width=32)
    cramped = engine.add(wide)
    ends = _ends(engine)
    assert isinstance(ends[long], Finished)
    assert isinstance(ends[cramped], Finished)
    device.available = 200 * MIB
    rows, _ = count_rows(engine)
    engine.run([replace(wide, seed=seed) for seed in range(4)])
    assert max(rows) == 8


def test_a_decode_that_ran_out_of_memory_once_is_not_tried_so_again(
    models: dict[str, Path],
) -> None:
    engine = Engine.from_pretrained(models["sd1"])
    asked: list[int] = []
    model = engine._shelf.get(engine._shelf.default, lambda _: False)

    def refuse(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        asked.append(len(inputs[0]))
        if len(inputs[0]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    model.codec.vae.decoder.register_forward_pre_hook(refuse)
    for _ in range(2):
        engine.run([replace(ASK, seed=seed) for seed in range(2)])
    assert asked == [2, 1, 1, 1, 1]
