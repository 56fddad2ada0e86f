"""Two things side by side and coloured grounds: the caption says what is there."""

import random
from dataclasses import replace

import numpy as np
import pytest

from training import augment, colours
from training.caption_bank import FOREIGN_SHARE, caption, write_bank
from training.colours import Picture
from training.manifest import Row
from training.shapes import paint_shapes


@pytest.fixture(scope="module")
def drawn() -> tuple[list[Row], list[Picture]]:
    both = [(Row(**fields), picture) for fields, picture in paint_shapes()]
    return [row for row, _ in both], [picture for _, picture in both]


def test_a_pair_shows_left_and_right_what_its_captions_say(
    drawn: tuple[list[Row], list[Picture]],
) -> None:
    rng = random.Random(0)
    for row, picture in augment.pairs(*drawn, 20, rng):
        assert row.beside
        words = row.beside.split()
        right_colour = next(word for word in words if word in colours.ALL_PAINTS)
        for half, colour in ((picture[:, :64], row.colour), (picture[:, 64:], right_colour)):
            assert (half[..., 3] > 128).any()
            if colour in colours.PAINTS:
                assert colours.name(colours.measure(half)) == colour
        said, _ = caption(row, rng)
        assert row.names[0] in said
        assert said.index(row.names[0]) < said.index(f" and {row.beside}")


def test_a_ground_is_another_colour_than_the_thing_and_is_always_named(
    drawn: tuple[list[Row], list[Picture]],
) -> None:
    rng = random.Random(0)
    for row, picture in augment.backgrounds(*drawn, 30, rng):
        assert row.background != row.colour
        assert (picture[..., 3] == 255).all()
        if row.background in colours.PAINTS:
            corner = np.broadcast_to(picture[0, 0], picture.shape)
            assert colours.name(colours.measure(np.asarray(corner))) == row.background
        assert all(row.background in caption(row, rng)[0] for _ in range(10))


def test_held_out_pictures_are_in_no_pair_and_on_no_ground(
    drawn: tuple[list[Row], list[Picture]],
) -> None:
    rows, pictures = drawn
    hidden = [replace(row, held_out=row.label in {"star", "heart"}) for row in rows]
    rng = random.Random(0)
    made = [
        *augment.pairs(hidden, pictures, 50, rng),
        *augment.backgrounds(hidden, pictures, 50, rng),
    ]
    assert len(made) == 100
    for row, _ in made:
        assert "star" not in f"{row.label} {row.beside}"
        assert "heart" not in f"{row.label} {row.beside}"


def test_more_pictures_leave_the_captions_of_those_before_them_alone(
    drawn: tuple[list[Row], list[Picture]],
) -> None:
    rows, pictures = drawn
    more = [row for row, _ in augment.pairs(rows, pictures, 5, random.Random(0))]
    alone, together = write_bank(rows, 0), write_bank(rows + more, 0)
    assert together.texts[: len(alone.texts)] == alone.texts
    assert together.of_row[: len(rows)] == alone.of_row


def test_another_languages_name_is_said_and_the_teacher_reads_the_english_one(
    drawn: tuple[list[Row], list[Picture]],
) -> None:
    rows = [replace(row, foreign=("stern", "estrella")) for row in drawn[0] if row.label == "star"]
    bank = write_bank(rows, 0)
    foreign = {text for text in bank.texts if text in {"stern", "estrella"}}
    assert foreign == {"stern", "estrella"}
    assert {bank.meanings[bank.texts.index(text)] for text in foreign} == {"star"}
    said = [bank.texts[caption] for places in bank.of_row for caption in places]
    assert 0 < sum(text in foreign for text in said) < len(said) * (FOREIGN_SHARE + 0.4)
    english = write_bank(drawn[0], 0)
    assert english.meanings == english.texts
