"""More pictures from those at hand: two things side by side, and things on a coloured ground.

What is said of them stays with `captions`; mirror images are made where latents are.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from matplotlib.colors import hsv_to_rgb
from PIL import Image

from . import colours
from .captions import with_article
from .colours import ALL_PAINTS, Picture
from .manifest import Row, on_background

PAIR_GROUP = "pairs"
LEAST_SHARE = 0.05  # of the canvas; less is nothing that could be told at half the size
LEAST_CONTRAST = 120.0  # of 765, summed over the channels


def named(row: Row) -> str:
    """``"a red ball"``: the row's first name, with its colour where that must be said."""
    words = f"{row.colour} {row.names[0]}" if row.colour and row.stated else row.names[0]
    return with_article(words, random.Random(1))


def fit(picture: Picture, width: int, height: int) -> Image.Image:
    """What is drawn, cut out and scaled into a box, its shape kept."""
    opaque = picture[..., 3] > 8
    rows, columns = np.flatnonzero(opaque.any(1)), np.flatnonzero(opaque.any(0))
    cut = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = min(width / cut.shape[1], height / cut.shape[0])
    size = max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))
    # Premultiplied, or the invisible pixels' colours bleed into the rim.
    image = Image.fromarray(cut).convert("RGBa").resize(size, Image.Resampling.LANCZOS)
    return image.convert("RGBA")


def side_by_side(left: Picture, right: Picture) -> Picture:
    """Both things on one canvas, each in its own half."""
    height, width = left.shape[:2]
    canvas = Image.new("RGBA", (width, height))
    half = width // 2
    for start, picture in ((0, left), (half, right)):
        thing = fit(picture, half - 4, round(height * 0.7))
        canvas.paste(thing, (start + (half - thing.width) // 2, (height - thing.height) // 2))
    return np.asarray(canvas)


def pairs(
    rows: list[Row], pictures: list[Picture], count: int, rng: random.Random
) -> Iterator[tuple[Row, Picture]]:
    """Two different things of one style; held-out pictures stay out of it."""
    by_style: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        filled = pictures[i][..., 3].mean() > 255 * LEAST_SHARE
        if filled and not row.held_out and row.group != "people-body":
            by_style.setdefault(row.style, []).append(i)
    styles = [style for style, members in by_style.items() if len(members) > 1]
    sizes = [len(by_style[style]) for style in styles]
    made = 0
    while styles and made < count:
        a, b = rng.sample(by_style[rng.choices(styles, sizes)[0]], 2)
        if rows[a].names[0] == rows[b].names[0]:
            continue
        yield (
            replace(
                rows[a],
                hexcode=f"pair-{made}",
                label=f"{named(rows[a])} and {named(rows[b])}",
                tags=(),
                group=PAIR_GROUP,
                subgroup=PAIR_GROUP,
                natural=False,
                flips=False,
                simple=False,
                beside=named(rows[b]),
                foreign=(),
            ),
            side_by_side(pictures[a], pictures[b]),
        )
        made += 1


def ground(word: str, rng: random.Random) -> tuple[int, int, int]:
    """A plain colour that the word may name, somewhat paler or not."""
    paint = ALL_PAINTS[word]
    rgb = hsv_to_rgb((paint.hue / 360, paint.saturation * rng.uniform(0.7, 1), paint.value))
    red, green, blue = (round(255 * channel) for channel in rgb)
    return red, green, blue


def contrast(rgb: tuple[int, int, int], mean: np.ndarray) -> bool:
    """Whether a thing of that mean colour would stand out from the ground."""
    return float(np.abs(np.array(rgb) - mean).sum()) > LEAST_CONTRAST


def backgrounds(
    rows: list[Row], pictures: list[Picture], count: int, rng: random.Random
) -> Iterator[tuple[Row, Picture]]:
    """Things as drawn, on a ground of a colour that is not their own."""
    known = [i for i, row in enumerate(rows) if row.natural and not row.held_out]
    for i in rng.choices(known, k=count if known else 0):
        row, picture = rows[i], pictures[i]
        subject = colours.measure(picture)
        own = {row.colour, colours.name(subject) if subject.share else ""}
        mean = picture[picture[..., 3] > 128][:, :3].mean(0)
        grounds = {word: rgb for word in ALL_PAINTS if contrast(rgb := ground(word, rng), mean)}
        word = rng.choice([word for word in grounds if word not in own])
        flat = on_background(picture, grounds[word])
        opaque = np.full((*flat.shape[:2], 1), 255, np.uint8)
        yield (
            replace(row, natural=False, simple=False, background=word, foreign=()),
            np.concatenate([flat, opaque], -1),
        )
