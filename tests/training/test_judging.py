"""The judge and the retrieval tower learn from real renders, and are measured on others."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from training import judge, renders, retrieval
from training.colours import Picture
from training.export import HOUSE
from training.manifest import Row, on_background
from training.shapes import paint_shapes
from training.unseen import pooled

pytestmark = pytest.mark.filterwarnings("ignore")  # the stages' libraries, not ours
SEEN = {"red", "yellow", "green", "blue", "black"}


@pytest.fixture(scope="module")
def drawn() -> tuple[list[Row], list[Picture]]:
    """Drawn shapes as things, their colours as styles."""
    rows, pictures = [], []
    for fields, picture in paint_shapes():
        row = Row(**fields)
        rows.append(replace(row, group="objects", style=row.colour, colour="", stated=False))
        pictures.append(picture)
    return rows, pictures


def test_the_judge_tells_shapes_in_colours_that_it_never_saw(
    drawn: tuple[list[Row], list[Picture]], tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    known = renders.known_renders(drawn[0], np.stack(drawn[1]))
    assert len(known.codes) == len(drawn[0])
    seen = [i for i, colour in enumerate(known.styles) if colour in SEEN]
    fresh = [i for i, colour in enumerate(known.styles) if colour not in SEEN]
    classes = sorted(set(known.codes))
    network = judge.fit_network(renders.pick(known, seen), classes, steps=50, batch=24, seed=0)
    best = judge.likelihoods(network, known.small[fresh]).argmax(-1).tolist()
    right = [known.codes[i] == classes[which] for i, which in zip(fresh, best, strict=True)]
    assert np.mean(right) > 0.6  # chance is one in twelve

    made = judge.Judge(network, classes, 0.5, 0.4, 7)
    recipe = {"steps": 60}
    made.save(tmp_path / "judge.pt", recipe)
    kept = judge.load_judge(tmp_path / "judge.pt", recipe)
    assert kept is not None
    flat = np.stack([on_background(picture) for picture in drawn[1][:5]])
    assert kept.rank(flat) == made.rank(flat)
    assert (kept.held_out_top5, kept.soft_top5, kept.num_held_out) == (0.5, 0.4, 7)
    assert judge.load_judge(tmp_path / "judge.pt", {"steps": 61}) is None


def test_a_thing_told_by_its_colour_is_not_known_recoloured(
    drawn: tuple[list[Row], list[Picture]],
) -> None:
    row = replace(drawn[0][0], stated=True)
    turned = replace(row, natural=False, colour="teal")
    known = renders.known_renders([row, turned, drawn[0][1]], np.stack(drawn[1][:3]))
    assert known.natural == [True, True]


def test_a_caption_finds_its_drawing_through_the_frozen_text_encoder(
    drawn: tuple[list[Row], list[Picture]],
) -> None:
    torch.set_num_threads(1)
    pipeline = StableDiffusionPipeline.from_pretrained(HOUSE, torch_dtype=torch.float32)
    assert torch.allclose(pooled(pipeline, ["a red heart"]).norm(dim=-1), torch.ones(1))
    table = retrieval.measure_retrieval(
        pipeline, drawn[0], np.stack(drawn[1]), steps=60, batch=64, seed=0
    )
    assert table["retrieval among"] == 12
    assert table["retrieval at 10"] >= table["retrieval at 1"] > 0.4  # chance is one in twelve


def test_what_is_searched_is_one_drawing_a_thing_and_what_is_asked_was_never_said(
    drawn: tuple[list[Row], list[Picture]],
) -> None:
    searched = retrieval.choose_searched(drawn[0], 5, 8)
    assert len({drawn[0][i].hexcode for i in searched}) == 8
    text = retrieval.fresh_caption(drawn[0][0], {"circle"}, random.Random(0))
    assert text == "a circle" or "circle," in text
