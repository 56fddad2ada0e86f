"""Captions say the colour that is there; recolouring gives the colour it was asked for."""

import random
from dataclasses import replace

import numpy as np
import pytest

from training import colours
from training.captions import normal_hexcode, split_colour, write_caption
from training.emphasis import show_weights
from training.manifest import Row
from training.shapes import paint_shapes


def drawn(shape: str, colour: str) -> np.ndarray:
    return next(
        picture
        for fields, picture in paint_shapes()
        if (fields["label"], fields["colour"]) == (shape, colour)
    )


@pytest.mark.parametrize("colour", colours.PAINTS)
def test_the_measured_colour_is_the_drawn_one(colour: str) -> None:
    assert colours.name(colours.measure(drawn("heart", colour))) == colour


@pytest.mark.parametrize("colour", colours.PAINTS)
def test_a_recoloured_picture_has_the_new_colour_and_the_same_outline(colour: str) -> None:
    red = drawn("star", "red")
    turned = colours.recolour(red, colours.measure(red), colours.PAINTS[colour])
    assert colours.name(colours.measure(turned)) == colour
    assert (turned[..., 3] == red[..., 3]).all()


def test_labels_lose_their_colour_words_but_nothing_else() -> None:
    assert split_colour("large red square") == ("red", "square")
    assert split_colour("green salad") == ("", "green salad")
    assert split_colour("orange") == ("", "orange")


def test_a_stated_colour_is_nearly_always_said() -> None:
    rng = random.Random(0)
    said = [write_caption(("heart",), (), "red", True, "flat", rng) for _ in range(200)]
    assert sum("red heart" in caption for caption in said) > 180


def test_code_points_are_spelled_one_way() -> None:
    assert normal_hexcode("2764-fe0f") == normal_hexcode("2764") == "2764"
    assert normal_hexcode("0023-fe0f-20e3") == "23-20E3"


def test_plain_things_are_shown_in_all_their_colours_alike() -> None:
    rows = [Row(**{**fields}) for fields, _ in paint_shapes()]
    weights = show_weights(rows, 16.0)
    hearts = [w for w, row in zip(weights, rows, strict=True) if row.label == "heart"]
    assert np.ptp(hearts) < 1e-9
    assert abs(weights.sum() - 1) < 1e-9


def test_no_thing_is_left_out_however_common_others_are() -> None:
    rows = [Row(**{**fields}) for fields, _ in paint_shapes()]
    hand = replace(
        rows[0], hexcode="hand", names=("hand",), group="people-body", simple=False, style="noto"
    )
    common = replace(hand, hexcode="dog", names=("dog",), group="animals", style="flat")
    weights = show_weights([*rows, common, hand, replace(hand, natural=False)], 500.0)
    assert weights[-3] > 20 * weights[-2] > 0
    assert weights[-1] == 0
