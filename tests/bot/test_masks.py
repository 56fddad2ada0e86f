"""Masks from pictures, transparency and colours; and what the preview's buttons do to them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from limner.bot import masks
from limner.bot.errors import RefusedError

from .odd_pictures import scene, see_through

SIZE = (64, 48)


def block(box: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> Image.Image:
    mask = Image.new("L", size, 0)
    mask.paste(255, box)
    return mask


@st.composite
def blocks(draw: st.DrawFn) -> Image.Image:
    left = draw(st.integers(0, SIZE[0] - 1))
    top = draw(st.integers(0, SIZE[1] - 1))
    right = draw(st.integers(left + 1, SIZE[0]))
    bottom = draw(st.integers(top + 1, SIZE[1]))
    return block((left, top, right, bottom))


def test_white_paints_and_black_keeps():
    mask = masks.from_picture(block((0, 0, 32, 48)).convert("RGB"), SIZE)
    assert mask.getbbox() == (0, 0, 32, 48)


def test_what_jpeg_leaves_around_black_and_white_is_settled():
    noisy = Image.new("L", SIZE, 9)
    noisy.paste(247, (0, 0, 32, 48))
    assert masks.from_picture(noisy, SIZE).getcolors() == [(1536, 0), (1536, 255)]


def test_a_mask_of_another_size_is_brought_to_the_pictures():
    mask = masks.from_picture(block((0, 0, 32, 48)), (640, 480))
    assert mask.size == (640, 480)
    assert masks.coverage(mask) == pytest.approx(0.5, abs=0.02)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(RefusedError, match="same shape"):
        masks.from_picture(Image.new("L", (64, 64)), SIZE)


def test_white_strokes_on_a_transparent_layer_are_the_mask():
    layer = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    layer.paste((255, 255, 255, 255), (5, 5, 20, 20))
    assert masks.from_picture(layer, SIZE).getbbox() == (5, 5, 20, 20)


def test_holes_erased_in_a_coloured_copy_are_the_mask():
    assert masks.from_picture(see_through(), SIZE).getbbox() == (32, 0, 64, 48)


def test_a_pictures_own_transparency_is_painted():
    assert masks.from_transparency(see_through()).getbbox() == (32, 0, 64, 48)
    with pytest.raises(RefusedError, match="transparent"):
        masks.from_transparency(scene())


@pytest.mark.parametrize("colour", ["red", "#f00", "#FF0000", "ff0000", " Red ", "rgb(255, 0, 0)"])
def test_a_colour_is_found_by_name_or_hex(colour: str):
    assert masks.from_colour(scene(), colour).getbbox() == (0, 0, 32, 24)


def test_the_tolerance_says_how_near_a_colour_must_be():
    picture = Image.new("RGB", SIZE, (200, 0, 0))
    with pytest.raises(RefusedError, match="higher tolerance"):
        masks.from_colour(picture, "red", 10)
    assert masks.coverage(masks.from_colour(picture, "red", 25)) == 1


def test_an_unknown_colour_gets_the_nearest_name():
    with pytest.raises(RefusedError, match="did you mean `magenta`"):
        masks.from_colour(scene(), "magneta")
    with pytest.raises(RefusedError, match="`red`"):
        masks.from_colour(scene(), "q")


def test_an_empty_and_a_full_mask_are_refused():
    with pytest.raises(RefusedError, match="keeps everything"):
        masks.check(Image.new("L", SIZE, 0))
    with pytest.raises(RefusedError, match="whole picture"):
        masks.check(Image.new("L", SIZE, 255))
    masks.check(block((0, 0, 1, 1)))


@settings(max_examples=40, deadline=None)
@given(blocks(), st.integers(1, 12))
def test_growing_reaches_exactly_so_far(mask: Image.Image, reach: int):
    left, top, right, bottom = mask.getbbox()
    assert masks.grow(mask, reach).getbbox() == (
        max(0, left - reach),
        max(0, top - reach),
        min(SIZE[0], right + reach),
        min(SIZE[1], bottom + reach),
    )


@settings(max_examples=40, deadline=None)
@given(blocks(), st.integers(1, 12))
def test_shrinking_never_paints_more_and_growing_never_less(mask: Image.Image, reach: int):
    less, more = masks.grow(mask, -reach), masks.grow(mask, reach)
    assert ImageChops.subtract(less, mask).getbbox() is None
    assert ImageChops.subtract(mask, more).getbbox() is None


@settings(max_examples=40, deadline=None)
@given(blocks(), st.integers(1, 12))
def test_a_feather_changes_nothing_beyond_its_reach(mask: Image.Image, reach: int):
    soft = masks.feather(mask, reach)
    beyond = masks.invert(masks.grow(mask, reach))
    assert ImageChops.multiply(soft, beyond).getbbox() is None
    inside = masks.grow(mask, -reach)
    assert ImageChops.multiply(masks.invert(soft), inside).getbbox() is None


def test_inverting_twice_is_the_mask_itself():
    mask = block((3, 4, 20, 30))
    assert masks.invert(masks.invert(mask)).tobytes() == mask.tobytes()
    assert masks.changed(mask, is_inverted=True).tobytes() == masks.invert(mask).tobytes()


def test_the_overlay_shows_what_is_painted_and_leaves_the_rest():
    picture = scene(size=(640, 480))
    shown = masks.overlay(picture, block((0, 0, 320, 480), (640, 480)))
    assert shown.size == (640, 480)
    kept = shown.crop((330, 0, 640, 480))
    assert kept.tobytes() == picture.crop((330, 0, 640, 480)).tobytes()
    assert shown.getpixel((100, 400)) != picture.getpixel((100, 400))


def test_the_overlay_of_a_large_picture_is_small():
    shown = masks.overlay(scene(size=(2048, 1024)), block((0, 0, 9, 9), (2048, 1024)))
    assert shown.size == (1024, 512)
