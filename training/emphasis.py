"""How often each picture is shown to the denoiser: few things first, painted well.

A short run on a small machine sees some hundred thousand samples; spread over everything, each
thing would stay mush. A long run lowers the emphasis (`--emphasis 1` shows every thing alike).
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from .manifest import Row

# Flat, 3d and gradient share their drawings, so they teach each other; the others draw most things
# otherwise, and clip art is of every kind.
STYLE_WEIGHTS = {
    "flat": 1.0,
    "3d": 0.5,
    "noto": 0.12,
    "shape": 0.5,
    "gradient": 0.3,
    "classic": 0.12,
    "firefox": 0.12,
    "icon": 0.3,
    "clip art": 0.06,
}
# What people ask for first.
COMMON_WORDS = """
dog cat fish bird horse cow pig rabbit mouse lion tiger bear panda frog monkey elephant penguin
owl fox whale dolphin octopus turtle snake butterfly bee unicorn dragon dinosaur snail spider
crab chicken duck rose tulip sunflower tree cactus mushroom banana grapes lemon tangerine
strawberry cherries watermelon pineapple pizza hamburger burger cake bread cheese egg carrot
tomato corn donut doughnut cookie coffee beer sushi smiley skull robot ghost alien house castle
bicycle bus train rocket airplane plane boat ship truck tractor helicopter sun moon cloud
rainbow snowman fire umbrella guitar drum trumpet violin trophy football basketball gift key
lock bell candle camera telephone phone laptop computer clock watch lamp bed chair door hammer
scissors pencil paintbrush crown hat shirt dress shoe glasses ring gem bomb anchor balloon tent
mountain volcano island
"""
COMMON = frozenset(COMMON_WORDS.split())
SIMPLE_SHARE = 0.24  # of everything shown, for the plain things in every colour
# Pictures shown less often than this, relative to the most common, are left out of a run; of every
# thing its foremost drawing stays, or whole groups (all hands) would never be painted at all.
LEAST = 0.02


def show_weights(rows: list[Row], emphasis: float) -> NDArray[np.float64]:
    """Relative frequency of every row; zero for those left out.

    Every name of the plain things gets the same share, its colours alike; of other things each
    drawing counts as much as its style, all its recoloured copies together about half of that.
    """
    copies = Counter((row.hexcode, row.style) for row in rows if not row.natural)
    weights = np.zeros(len(rows))
    for i, row in enumerate(rows):
        weight = STYLE_WEIGHTS[row.style]
        if not row.natural:
            weight *= 0.5 / copies[row.hexcode, row.style]
        if not set(row.names[:2]) & COMMON:
            weight /= emphasis**0.5 if row.subgroup.startswith("face-") else emphasis
        if row.group == "people-body":
            weight *= 0.3
        weights[i] = weight
    simple = np.array([row.simple for row in rows])
    named = Counter((row.names[0], row.colour, row.style) for row in rows if row.simple)
    of_name = Counter(row.names[0] for row in rows if row.simple)
    for i in np.flatnonzero(simple):
        row = rows[i]
        key = (row.names[0], row.colour, row.style)
        # Names with few pictures ("square button") count less than those drawn in every colour.
        weights[i] = STYLE_WEIGHTS[row.style] / named[key] * min(1.0, of_name[row.names[0]] / 40)
    others = weights[~simple].sum()
    weights[simple] *= (
        SIMPLE_SHARE / (1 - SIMPLE_SHARE) * (others or 1.0) / max(weights[simple].sum(), 1e-9)
    )
    foremost: dict[str, int] = {}
    for i, row in enumerate(rows):
        best = foremost.setdefault(row.hexcode, i)
        if weights[i] > weights[best]:
            foremost[row.hexcode] = i
    seldom = weights < LEAST * weights.max()
    seldom[list(foremost.values())] = False
    weights[seldom] = 0.0
    return weights / weights.sum()
