"""What the model sees of a picture, and that what is kept comes back byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from limner.bot import masks
from limner.bot.decoding import encode
from limner.bot.repaint import frame_mask, frame_picture, paste_back, paste_back_png, to_model
from limner.pipelines.checkpoint import Checkpoint, Task
from limner.pipelines.limits import check
from limner.pipelines.request import Request

from .odd_pictures import saved, scene, see_through


def checkpoint(size_px: int, multiple_px: int = 8) -> Checkpoint:
    return Checkpoint(
        "m", Path(), "sd", Task.TEXT, size_px, multiple_px, 20, 5.0, "ddim", 0.6, "f", 1
    )


def block(box: tuple[int, int, int, int], size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size, 0)
    mask.paste(255, box)
    return mask


def noise(size: tuple[int, int], seed: int = 0, channels: int = 3) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Image.fromarray(values)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Image.Image, Checkpoint]:
    width, height = draw(st.integers(1, 900)), draw(st.integers(1, 900))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    side = draw(st.sampled_from([64, 128, 512]))
    return block((left, top, right, bottom), (width, height)), checkpoint(side)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_the_frame_holds_the_mask_and_the_model_takes_its_size(
    case: tuple[Image.Image, Checkpoint],
):
    mask, model = case
    frame = frame_mask(mask, model)
    left, top, right, bottom = frame.window
    inner = mask.getbbox()
    assert 0 <= left <= inner[0]
    assert 0 <= top <= inner[1]
    assert inner[2] <= right <= mask.width
    assert inner[3] <= bottom <= mask.height
    check(Request("x", width=frame.width, height=frame.height), model)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([64, 128, 512, 1024]))
def test_any_picture_is_cropped_to_a_shape_that_the_model_takes(width: int, height: int, side: int):
    model = checkpoint(side)
    frame = frame_picture((width, height), model)
    check(Request("x", width=frame.width, height=frame.height), model)
    left, top, right, bottom = frame.window
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_a_picture_of_a_good_shape_is_not_cropped():
    assert frame_picture((1536, 1024), checkpoint(512)).window == (0, 0, 1536, 1024)


def test_a_small_picture_is_painted_whole():
    frame = frame_mask(block((10, 10, 20, 20), (512, 512)), checkpoint(512))
    assert frame.window == (0, 0, 512, 512)
    assert (frame.width, frame.height) == (512, 512)


def test_of_a_large_picture_only_the_surroundings_of_the_mask_are_painted():
    frame = frame_mask(block((1000, 1000, 1200, 1200), (2048, 2048)), checkpoint(512))
    left, top, right, bottom = frame.window
    assert 500 <= right - left <= 520
    assert 500 <= bottom - top <= 520
    assert left < 1000 < 1200 < right


def test_the_model_sees_the_window_and_paints_all_that_blends():
    picture = noise((600, 400))
    mask = masks.feather(block((100, 100, 200, 200), (600, 400)), 16)
    frame = frame_mask(mask, checkpoint(128))
    seen, painted = to_model(picture, mask, frame)
    assert seen.size == painted.size == (frame.width, frame.height)
    assert set(np.unique(np.asarray(painted))) <= {0, 255}
    # Whatever is blended at all, back in the picture's own pixels, was painted.
    back = painted.resize(
        (frame.window[2] - frame.window[0], frame.window[3] - frame.window[1]),
        Image.Resampling.NEAREST,
    )
    blended = np.asarray(mask.crop(frame.window)) > 0
    assert (np.asarray(back)[blended] == 255).all()


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(0, 20), st.integers(0, 99))
def test_what_the_mask_keeps_comes_back_byte_for_byte(
    case: tuple[Image.Image, Checkpoint], reach: int, seed: int
):
    hard, model = case
    mask = masks.feather(hard, reach)
    original = noise(mask.size, seed)
    frame = frame_mask(mask, model)
    painted = noise((frame.width, frame.height), seed + 1)
    after = np.asarray(paste_back(original, painted, mask, frame.window))
    kept = np.asarray(mask) == 0
    assert (after[kept] == np.asarray(original)[kept]).all()
    # The oracle for the rest: exactly the painting where the mask is white.
    size = (frame.window[2] - frame.window[0], frame.window[3] - frame.window[1])
    whole = original.copy()
    whole.paste(
        painted if painted.size == size else painted.resize(size, Image.Resampling.LANCZOS),
        frame.window[:2],
    )
    white = np.asarray(mask) == 255
    assert (after[white] == np.asarray(whole)[white]).all()


def test_kept_transparency_stays_and_what_is_painted_is_opaque():
    original = see_through()
    mask = block((32, 0, 64, 24), original.size)
    after = paste_back(original, Image.new("RGB", (64, 48), "lime"), mask, (0, 0, 64, 48))
    assert after.getpixel((40, 10)) == (0, 255, 0, 255)
    assert after.getpixel((40, 40)) == (0, 0, 0, 0)
    assert after.getpixel((0, 0)) == (255, 0, 0, 255)


def test_from_png_to_png_its_text_is_kept():
    text = PngInfo()
    text.add_text("parameters", "a red heart\nSteps: 20")
    text.add_itxt("limner", "ein Herz für dich ♥")
    painted = saved(Image.new("RGB", (64, 48), "lime"), "PNG", pnginfo=text)
    original, mask = scene(), block((0, 0, 10, 10), (64, 48))
    out = paste_back_png(encode(original), painted, encode(mask), (0, 0, 64, 48))
    import io

    with PngImageFile(io.BytesIO(out)) as file:
        assert dict(file.text) == {
            "parameters": "a red heart\nSteps: 20",
            "limner": "ein Herz für dich ♥",
        }
        assert file.getpixel((5, 5)) == (0, 255, 0)
        assert file.getpixel((20, 20)) == original.getpixel((20, 20))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_nothing_is_lost_where_everything_is_kept(mode: str):
    original = noise((90, 70), channels=len(mode))
    mask = block((0, 0, 1, 1), (90, 70))
    after = paste_back(original, noise((64, 64)), mask, (0, 0, 90, 70))
    before, now = np.asarray(original).copy(), np.asarray(after).copy()
    before[0, 0] = now[0, 0] = 0
    assert (before == now).all()
