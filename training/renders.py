"""Real renders as the judge and the retrieval tower see them: small, in many styles, jittered."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from .clipart import GROUPS
from .data import render
from .drawings import read_drawings
from .manifest import Row, on_background
from .sources import CLASSIC, FIREFOX, GRADIENT, NOTO, fetch

SIZE_PX = 48
MORE_STYLES = (GRADIENT, CLASSIC, FIREFOX)
# Two generations of one set: what is held out of the one must not be seen in the other.
HELD_OUT_STYLES = {NOTO.style, CLASSIC.style}
NO_THINGS = {"shapes", "pairs", *GROUPS}
Soften = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Renders:
    """Flat pictures of things, real ones all."""

    small: Tensor  # (n, 3, 48, 48) float32 in -1..1
    codes: list[str]  # hexcodes
    styles: list[str]
    natural: list[bool]  # false for a recoloured one

    def __add__(self, other: "Renders") -> "Renders":
        return Renders(
            torch.cat([self.small, other.small]),
            self.codes + other.codes,
            self.styles + other.styles,
            self.natural + other.natural,
        )


def shrink(pictures: np.ndarray) -> Tensor:
    """``(n, 128, 128, 3)`` uint8 to ``(n, 3, 48, 48)`` float32 in -1..1."""
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return functional.interpolate(tensor, SIZE_PX, mode="area")


def things_of(rows: list[Row]) -> dict[str, str]:
    """Label -> hexcode of everything that may be asked for by its label."""
    return {row.label: row.hexcode for row in rows if row.natural and row.group not in NO_THINGS}


def meant_by(rows: list[Row]) -> dict[str, set[str]]:
    """Label -> hexcodes of the thing itself and of others that captions call by the same name.

    "A dog" was said of the whole dog and of the dog's face; either is a right answer.
    """
    called: dict[str, set[str]] = {}
    for row in rows:
        if row.natural and row.group not in NO_THINGS and not row.stated:
            for name in row.names:
                called.setdefault(name, set()).add(row.hexcode)
    return {label: {code} | called.get(label, set()) for label, code in things_of(rows).items()}


def known_renders(rows: list[Row], pictures: np.ndarray) -> Renders:
    """The manifest's pictures, recoloured ones too where colour does not tell the thing."""
    told_by_colour = {row.hexcode for row in rows if row.natural and row.stated}
    chosen = [
        i
        for i, row in enumerate(rows)
        if row.group not in NO_THINGS
        and not row.background
        and (row.natural or row.hexcode not in told_by_colour)
    ]
    small = [
        shrink(np.stack([on_background(np.asarray(pictures[i])) for i in part]))
        for part in np.array_split(np.array(chosen), -(-len(chosen) // 256))
    ]
    return Renders(
        torch.cat(small),
        [rows[i].hexcode for i in chosen],
        [rows[i].style for i in chosen],
        [rows[i].natural for i in chosen],
    )


def more_renders(downloads: Path, wanted: set[str]) -> Renders:
    """The same things as other packages draw them."""
    for source in (NOTO, *MORE_STYLES):
        fetch(source, downloads)
    found = [d for d in read_drawings(MORE_STYLES, downloads) if d.thing.hexcode in wanted]
    small, drawn = [], []
    for drawing in tqdm(found, desc="more styles", mininterval=10):
        picture = render(drawing)
        if picture is not None:
            small.append(shrink(on_background(picture)[None]))
            drawn.append(drawing)
    return Renders(
        torch.cat(small),
        [drawing.thing.hexcode for drawing in drawn],
        [drawing.source.style for drawing in drawn],
        [True] * len(drawn),
    )


def soft_renders(rows: list[Row], pictures: np.ndarray, held: set[str], soften: Soften) -> Renders:
    """One drawing of every thing as the autoencoder gives it back."""
    rng = np.random.default_rng(1)
    of_thing: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        hidden = row.hexcode in held and row.style in HELD_OUT_STYLES
        if row.natural and row.group not in NO_THINGS and not hidden:
            of_thing.setdefault(row.hexcode, []).append(i)
    chosen = [int(rng.choice(members)) for members in of_thing.values()]
    small = [
        shrink(soften(np.stack([on_background(np.asarray(pictures[i])) for i in part])))
        for part in np.array_split(np.array(chosen), -(-len(chosen) // 16))
    ]
    return Renders(
        torch.cat(small),
        [rows[i].hexcode for i in chosen],
        [f"soft {rows[i].style}" for i in chosen],
        [True] * len(chosen),
    )


def jitter(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Move, scale, turn, bend, mirror, blur, and shift the colours: what a painter may do."""
    count = len(batch)
    draw = torch.rand(count, 12, generator=generator) * 2 - 1
    scale, turn = 1 + 0.2 * draw[:, 0], 0.2 * draw[:, 1]
    mirror = torch.where(draw[:, 2] < -0.2, -1.0, 1.0)
    stretch = 1 + 0.12 * draw[:, 3]
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = scale * stretch * turn.cos() * mirror, -turn.sin()
    theta[:, 1, 0], theta[:, 1, 1] = turn.sin() * mirror, scale / stretch * turn.cos()
    theta[:, :, 2] = 0.14 * draw[:, 4:6]
    grid = functional.affine_grid(theta, list(batch.shape), align_corners=False)
    bend = 0.05 * torch.randn(count, 2, 4, 4, generator=generator)
    grid = grid + functional.interpolate(
        bend, SIZE_PX, mode="bicubic", align_corners=False
    ).permute(0, 2, 3, 1)
    # Around one, so that what comes in from outside is white.
    moved = functional.grid_sample(batch - 1, grid, align_corners=False)
    blur = functional.avg_pool2d(functional.avg_pool2d(moved, 3, 1, 1), 3, 1, 1)
    share = draw[:, 6].clamp(min=0).view(-1, 1, 1, 1)
    moved = moved * (1 - share) + blur * share
    grey = (draw[:, 7].abs() < 0.15).float().view(-1, 1, 1, 1)
    moved = moved * (1 - grey) + moved.mean(1, keepdim=True) * grey
    moved = moved * (1 + 0.2 * draw[:, 8:11].view(-1, 3, 1, 1)) + 1
    noise = 0.1 * draw[:, 11].clamp(min=0).view(-1, 1, 1, 1)
    return moved + noise * torch.randn(batch.shape, generator=generator)


def pick(renders: Renders, places: list[int]) -> Renders:
    return Renders(
        renders.small[places],
        [renders.codes[i] for i in places],
        [renders.styles[i] for i in places],
        [renders.natural[i] for i in places],
    )
