"""What an ask costs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.bot.ask import Ask
from limner.bot.pricing import CREDIT, credits_text, price

from .checkpoints import checkpoint

HOUSE = checkpoint()


def test_a_default_picture_is_a_credit():
    assert price(Ask("heart"), HOUSE) == CREDIT
    filled = Ask("heart", steps=20, guidance_scale=5.0, width=128, height=128)
    assert price(filled, HOUSE) == CREDIT


def test_pictures_steps_and_pixels_multiply():
    assert price(Ask("heart", count=3), HOUSE) == 3 * CREDIT
    assert price(Ask("heart", steps=40), HOUSE) == 2 * CREDIT
    assert price(Ask("heart", width=64), HOUSE) == CREDIT // 2


def test_without_guidance_there_is_one_row_and_half_the_price():
    assert price(Ask("heart", guidance_scale=1.0), HOUSE) == CREDIT // 2
    turbo = checkpoint(guidance_scale=0.0)
    assert price(Ask("heart"), turbo) == CREDIT
    assert price(Ask("heart", guidance_scale=4.0), turbo) == 2 * CREDIT


def test_a_sampler_that_calls_the_model_twice_a_step_costs_what_it_takes():
    assert price(Ask("heart", sampler="heun"), HOUSE) == CREDIT * 39 // 20
    assert price(Ask("heart", sampler="kdpm2_a_karras", steps=10), HOUSE) == CREDIT * 19 // 20
    assert price(Ask("heart"), checkpoint(sampler="heun")) == CREDIT
    assert price(Ask("heart", sampler="euler"), checkpoint(sampler="heun")) == 513


def test_a_model_with_its_guidance_built_in_has_one_row_whatever_the_scale():
    distilled = checkpoint(is_guidance_embedded=True)
    assert price(Ask("heart"), distilled) == CREDIT
    assert price(Ask("heart", guidance_scale=1.0), distilled) == CREDIT


def test_painting_over_a_picture_costs_the_share_that_is_painted():
    assert price(Ask("heart", init_image="a" * 64, strength=0.25), HOUSE) == CREDIT // 4
    # Without a word about it, a masked part is painted from nothing, as the engine does it.
    masked = Ask("heart", init_image="a" * 64, mask_image="b" * 64)
    assert price(masked, HOUSE) == CREDIT


asks = st.builds(
    Ask,
    st.just("heart"),
    count=st.integers(1, 4),
    steps=st.none() | st.integers(1, 150),
    width=st.none() | st.integers(8, 2048),
    height=st.none() | st.integers(8, 2048),
    guidance_scale=st.none() | st.floats(0, 30),
    init_image=st.sampled_from(["", "a" * 64]),
    strength=st.none() | st.floats(0, 1),
    sampler=st.sampled_from([None, "euler", "heun", "plms"]),
)


@given(asks)
def test_nothing_is_free_and_more_costs_no_less(ask: Ask):
    cost = price(ask, HOUSE)
    assert cost >= 1
    assert price(replace(ask, count=ask.count + 1), HOUSE) >= cost
    assert price(replace(ask, steps=(ask.steps or HOUSE.steps) + 1), HOUSE) >= cost
    assert price(replace(ask, width=(ask.width or HOUSE.size_px) + 8), HOUSE) >= cost


@pytest.mark.parametrize(
    ("milli", "said"),
    [(1000, "1 credit"), (500, "0.5 credits"), (12_345, "12.35 credits"), (1, "0.01 credits")],
)
def test_credits_are_said_with_as_few_decimals_as_needed(milli: int, said: str):
    assert credits_text(milli) == said
