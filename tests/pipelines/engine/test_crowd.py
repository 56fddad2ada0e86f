"""A request in a crowd gets the picture that it gets alone, whoever joins or leaves beside it."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from limner.pipelines import Cancelled, Engine, Failed, Finished, Request, RequestFailedError
from tests.pipelines import oracle

if TYPE_CHECKING:
    from pathlib import Path

    from limner.pipelines import Event

PICTURE, MASK = oracle.picture(16, 16), oracle.mask(16, 16)
TEXT = Request("a red cat", seed=1, steps=4, guidance_scale=3.0, sampler="dpmpp_2m")
REPERTOIRE = (
    TEXT,
    replace(TEXT, seed=2, guidance_scale=1.0, sampler="unipc", steps=7),
    replace(TEXT, seed=3, prompt="dog", sampler="euler_a", steps=6, guidance_scale=7.5),
    replace(TEXT, seed=4, sampler="heun", negative_prompt="blue"),
    replace(TEXT, seed=5, sampler="lms", steps=9, guidance_rescale=0.5),
    replace(TEXT, seed=6, sampler="sa", init_image=PICTURE, strength=0.6, steps=8),
    replace(TEXT, seed=7, sampler="plms", init_image=PICTURE, mask_image=MASK, strength=0.8),
    replace(TEXT, seed=8, sampler="ddim", width=24),
    replace(TEXT, seed=9, sampler="dpmpp_2m_sde", init_image=PICTURE, mask_image=MASK),
    replace(TEXT, seed=10, sampler="lcm", steps=3, guidance_scale=1.0),
)


@dataclass(frozen=True)
class Guest:
    """Who comes, when, and what becomes of it."""

    which: int
    arrives: int
    leaves: int | None
    breaks: bool


GUESTS = st.builds(
    Guest,
    which=st.integers(0, len(REPERTOIRE) - 1),
    arrives=st.integers(0, 25),
    leaves=st.one_of(st.none(), st.none(), st.integers(1, 25)),
    breaks=st.sampled_from([False, False, False, True]),
)


def alone(engine: Engine) -> list[np.ndarray]:
    return [np.asarray(engine.run([request])[0].image).astype(int) for request in REPERTOIRE]


def poison(engine: Engine, request_id: int) -> None:
    """What a broken row looks like: its state is not a number any more."""
    live = engine._crowd.get(request_id)
    if live is not None and live.slot >= 0 and live.key is not None:
        engine._lanes[live.key].history[live.slot] = torch.nan


def paint_crowd(engine: Engine, guests: list[Guest]) -> dict[int, tuple[Guest, Event]]:
    """How each guest ended."""
    here: dict[int, Guest] = {}
    age: dict[int, int] = {}
    ends: dict[int, tuple[Guest, Event]] = {}
    moment = 0
    while len(ends) < len(guests):
        for guest in guests:
            if guest.arrives == moment:
                here[engine.add(replace(REPERTOIRE[guest.which], tenant=str(guest.which % 3)))] = (
                    guest
                )
        for request_id, guest in here.items():
            age[request_id] = age.get(request_id, 0) + 1
            if guest.leaves == age[request_id] and request_id not in ends:
                assert engine.cancel(request_id)
            if guest.breaks and age[request_id] % 3 == 2:
                poison(engine, request_id)
        for event in engine.step():
            if isinstance(event, Cancelled | Failed | Finished):
                assert event.request_id not in ends, "a request ends once"
                ends[event.request_id] = (here[event.request_id], event)
        moment += 1
        assert moment < 2000, "the crowd does not come to an end"
    assert engine.is_idle
    assert engine._lanes.num_live == 0
    return ends


@pytest.fixture(scope="module")
def crowd_engine(models: dict[str, Path]) -> Engine:
    return Engine.from_pretrained(models["sd1"])


@pytest.fixture(scope="module")
def fixed_engine(models: dict[str, Path]) -> Engine:
    return Engine.from_pretrained(models["sd1"], fixed_bucket=8)


@pytest.fixture(scope="module")
def expected(crowd_engine: Engine) -> list[np.ndarray]:
    return alone(crowd_engine)


@pytest.fixture(scope="module")
def expected_bytes(fixed_engine: Engine) -> list[np.ndarray]:
    return alone(fixed_engine)


CROWDS = st.lists(GUESTS, min_size=2, max_size=14)
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


def check_crowd(
    engine: Engine, expected: list[np.ndarray], guests: list[Guest], most: int, mean: float
) -> None:
    for guest, event in paint_crowd(engine, guests).values():
        if isinstance(event, Finished):
            got = np.asarray(event.result.image).astype(int)
            apart = np.abs(got - expected[guest.which])
            assert apart.max() <= most
            assert apart.mean() <= mean
        elif isinstance(event, Failed):
            assert guest.breaks
            assert isinstance(event.error, RequestFailedError)
        else:
            assert guest.leaves is not None


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW, derandomize=True)
@given(guests=CROWDS)
def test_a_crowd_changes_nobodys_picture(
    crowd_engine: Engine, expected: list[np.ndarray], guests: list[Guest]
) -> None:
    check_crowd(crowd_engine, expected, guests, most=2, mean=0.05)


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW, derandomize=True)
@given(guests=CROWDS)
def test_at_a_fixed_bucket_a_crowd_changes_no_bit(
    fixed_engine: Engine, expected_bytes: list[np.ndarray], guests: list[Guest]
) -> None:
    check_crowd(fixed_engine, expected_bytes, guests, most=0, mean=0)


@pytest.mark.long
@settings(max_examples=400, deadline=None, suppress_health_check=SLOW)
@given(guests=st.lists(GUESTS, min_size=2, max_size=30))
def test_a_large_crowd_changes_nobodys_picture(
    crowd_engine: Engine, expected: list[np.ndarray], guests: list[Guest]
) -> None:
    check_crowd(crowd_engine, expected, guests, most=2, mean=0.05)


def test_a_picture_that_can_not_be_read_fails_its_request_alone(crowd_engine: Engine) -> None:
    file = io.BytesIO()
    PICTURE.resize((64, 64)).save(file, "PNG")
    broken = Image.open(io.BytesIO(file.getvalue()[:200]))
    good = crowd_engine.add(TEXT)
    bad = crowd_engine.add(replace(TEXT, init_image=broken, width=16, height=16))
    ends: dict[int, Event] = {}
    while not crowd_engine.is_idle:
        for event in crowd_engine.step():
            if isinstance(event, Failed | Finished):
                ends[event.request_id] = event
    assert isinstance(ends[good], Finished)
    assert isinstance(ends[bad], Failed)
