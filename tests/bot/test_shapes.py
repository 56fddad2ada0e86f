"""Aspect ratios as sizes that a checkpoint paints well."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.bot.shapes import USUAL, size_of

from .checkpoints import checkpoint


@pytest.mark.parametrize("size_px", [128, 256, 512, 768, 1024])
@pytest.mark.parametrize("aspect", USUAL)
def test_the_usual_shapes_are_near_their_aspect_and_area(aspect: tuple[int, int], size_px: int):
    width, height = size_of(aspect, checkpoint(size_px=size_px))
    wanted = aspect[0] / aspect[1]
    assert wanted / 1.08 < width / height < wanted * 1.08
    assert 0.8 * size_px**2 <= width * height <= size_px**2


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([64, 128, 512, 1024]),
    st.sampled_from([8, 16, 64]),
)
def test_any_shape_is_a_size_of_the_models_multiple_that_costs_no_more_than_its_square(
    aspect: tuple[int, int], size_px: int, multiple: int
):
    width, height = size_of(aspect, checkpoint(size_px=size_px, size_multiple_px=multiple))
    assert width % multiple == height % multiple == 0
    assert width * height <= size_px**2
    assert min(width, height) >= min(size_px, 8 * multiple)
    assert (width > height) <= (aspect[0] > aspect[1])
    assert (width < height) <= (aspect[0] < aspect[1])


def test_turning_the_shape_turns_the_size():
    model = checkpoint(size_px=512)
    for across, down in USUAL:
        assert size_of((across, down), model) == size_of((down, across), model)[::-1]
