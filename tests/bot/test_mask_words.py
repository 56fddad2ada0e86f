"""Areas in words become boxes; what can't be understood is answered with examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.bot.errors import RefusedError
from limner.bot.mask_words import from_words

SIZE = (600, 400)
LEFT, RIGHT = (0, 0, 300, 400), (300, 0, 600, 400)


@pytest.mark.parametrize(
    ("words", "box"),
    [
        ("left half", LEFT),
        ("the left half of the picture", LEFT),
        ("Left", LEFT),
        ("left 50%", LEFT),
        ("right half", RIGHT),
        ("right-hand side", RIGHT),
        ("top third", (0, 0, 600, 133)),
        ("upper third", (0, 0, 600, 133)),
        ("bottom quarter", (0, 300, 600, 400)),
        ("bottom 1/4", (0, 300, 600, 400)),
        ("left two thirds", (0, 0, 400, 400)),
        ("left 2/3", (0, 0, 400, 400)),
        ("bottom 100px", (0, 300, 600, 400)),
        ("bottom 100 pixels", (0, 300, 600, 400)),
        ("top left", (0, 0, 300, 200)),
        ("top-left quarter", (0, 0, 300, 200)),
        ("bottom right third", (400, 267, 600, 400)),
        ("center", (150, 100, 450, 300)),
        ("centre", (150, 100, 450, 300)),
        ("the middle", (150, 100, 450, 300)),
        ("center 20%", (240, 160, 360, 240)),
        ("center left", (0, 0, 300, 400)),
        ("10%,20%,50%,60%", (60, 80, 300, 240)),
        ("10, 20, 50, 60 %", (60, 80, 300, 240)),
        ("100,50,300,200", (100, 50, 300, 200)),
        ("100 50 300 200", (100, 50, 300, 200)),
        ("100px, 50px, 300px, 200px", (100, 50, 300, 200)),
        ("0,0,9999,10", (0, 0, 600, 10)),
    ],
)
def test_words_are_understood(words: str, box: tuple[int, int, int, int]):
    mask = from_words(words, SIZE)
    assert mask.size == SIZE
    assert mask.getbbox() == box
    assert mask.crop(box).getextrema() == (255, 255)


def test_all_but_an_area_is_everything_else():
    for words in ("all but the left half", "everything except left half", "outside the left half"):
        assert from_words(words, SIZE).getbbox() == RIGHT


def test_areas_add_up():
    mask = from_words("left third and right third", SIZE)
    assert mask.crop((200, 0, 400, 400)).getbbox() is None
    assert mask.getbbox() == (0, 0, 600, 400)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "sky",
        "the dog",
        "left banana",
        "1,2,3",
        "1,2,3,4,5",
        "3/2",
        "left 1/0",
        "half",
        "%",
        "`x`",
    ],
)
def test_what_is_no_area_is_answered_with_examples(words: str):
    with pytest.raises(RefusedError, match="left half"):
        from_words(words, SIZE)


def test_an_empty_box_says_what_the_numbers_mean():
    with pytest.raises(RefusedError, match="left, top, right and bottom"):
        from_words("300,50,100,200", SIZE)


@given(st.text(max_size=80), st.integers(1, 5000), st.integers(1, 5000))
def test_any_text_gives_a_mask_or_a_sentence(words: str, width: int, height: int):
    try:
        mask = from_words(words, (width, height))
    except RefusedError:
        return
    assert mask.size == (width, height)
