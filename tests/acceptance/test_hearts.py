"""The judge of pictures is judged first: it must know a heart, and tell others from it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from .hearts import SIDE, look, outlines

RED = (214, 40, 57)


def picture(
    shape: str, colour: tuple[int, int, int] = RED, ground: tuple[int, int, int] = (255, 255, 255)
) -> Image.Image:
    """The shape drawn a little off the middle, with soft edges and some noise."""
    canvas = np.empty((160, 160, 3), dtype=np.float32)
    canvas[:] = ground
    canvas[40 : 40 + SIDE, 28 : 28 + SIDE][outlines()[shape]] = colour
    canvas += np.random.default_rng(1).normal(0, 6, canvas.shape)
    return Image.fromarray(canvas.clip(0, 255).astype(np.uint8)).resize((128, 128))


def test_a_red_heart_is_one() -> None:
    sight = look(picture("heart"))
    assert not sight.complaints, sight
    assert sight.overlaps["heart"] > 0.9


@pytest.mark.parametrize("shape", [name for name in outlines() if name != "heart"])
def test_other_shapes_are_not(shape: str) -> None:
    assert look(picture(shape)).complaints


@pytest.mark.parametrize("colour", [(40, 80, 214), (20, 20, 20), (240, 200, 60), (255, 255, 255)])
def test_hearts_of_other_colours_are_not(colour: tuple[int, int, int]) -> None:
    assert look(picture("heart", colour)).complaints


def test_a_heart_on_a_dark_ground_is_not() -> None:
    assert look(picture("heart", ground=(30, 30, 30))).complaints


def test_noise_and_plain_red_are_not() -> None:
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert look(Image.fromarray(noise)).complaints
    assert look(Image.new("RGB", (64, 64), RED)).complaints
