"""The classifier that judges painted things; it is trained on real renders only.

It sees more styles than the painter did, and some renders through the shipped autoencoder, so that
a soft picture is judged by its shape; never a picture that the painter made.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from .budget import load_checkpoint, save_checkpoint
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
RECOLOURED_SHARE = 0.15
SOFT_SHARE = 0.25
LABEL_SMOOTHING = 0.1
LEARNING_RATE = 3e-3
VIEW_SCALES = (0.9, 1.0, 1.15)
VIEW_PLACES = ((0.0, 0.0), (0.06, 0.0), (-0.06, 0.0), (0.0, 0.06), (0.0, -0.06))
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


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


def build_network(num_classes: int) -> nn.Module:
    def step(low: int, high: int, stride: int) -> list[nn.Module]:
        return [
            nn.Conv2d(low, high, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(high),
            nn.ReLU(),
        ]

    return nn.Sequential(
        *step(3, 48, 2),
        *step(48, 96, 2),
        Residual(96),
        *step(96, 192, 2),
        Residual(192),
        *step(192, 320, 1),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(320 * 4, num_classes),
    )


@dataclass(frozen=True, slots=True)
class Judge:
    """Pictures in, names ranked; and how often it is right about real pictures it has not seen."""

    network: nn.Module
    classes: list[str]  # hexcodes
    held_out_top5: float
    soft_top5: float  # of the same pictures through the autoencoder
    num_held_out: int

    @torch.no_grad()
    def rank(self, pictures: np.ndarray) -> list[list[str]]:
        """The five likeliest hexcodes of each picture."""
        best = likelihoods(self.network, shrink(pictures)).topk(5).indices
        return [[self.classes[i] for i in row] for row in best.tolist()]

    def save(self, path: Path, recipe: dict[str, int]) -> None:
        values = {
            "network": self.network.state_dict(),
            "classes": self.classes,
            "held_out_top5": self.held_out_top5,
            "soft_top5": self.soft_top5,
            "num_held_out": self.num_held_out,
        }
        save_checkpoint(path, values | {"recipe": recipe})


def load_judge(path: Path, recipe: dict[str, int]) -> Judge | None:
    """The judge that the same recipe made before, if it did."""
    state = load_checkpoint(path)
    if state is None or state["recipe"] != recipe:
        return None
    network = build_network(len(state["classes"]))
    network.load_state_dict(state["network"])
    return Judge(
        network.eval(),
        state["classes"],
        state["held_out_top5"],
        state["soft_top5"],
        state["num_held_out"],
    )


def view(small: Tensor, scale: float, x: float, y: float) -> Tensor:
    """The pictures from a little nearer or farther, and a little to the side."""
    theta = torch.tensor([[scale, 0.0, x], [0.0, scale, y]]).expand(len(small), 2, 3)
    grid = functional.affine_grid(theta, list(small.shape), align_corners=False)
    return functional.grid_sample(small - 1, grid, align_corners=False) + 1


@torch.no_grad()
def likelihoods(network: nn.Module, small: Tensor) -> Tensor:
    """Mean log likelihood of every class over several views of each picture, ``(n, classes)``."""
    parts = []
    for chunk in small.split(128):
        seen = [view(chunk, scale, x, y) for scale in VIEW_SCALES for x, y in VIEW_PLACES]
        scores = [network(v).log_softmax(-1) for one in seen for v in (one, one.flip(-1))]
        parts.append(torch.stack(scores).mean(0))
    return torch.cat(parts)


def held_out_codes(rows: list[Row], seed: int) -> set[str]:
    """A tenth of the things that noto draws; the judge knows them in other styles only."""
    noto = sorted({row.hexcode for row in rows if row.style == NOTO.style})
    rng = np.random.default_rng(seed)
    return set(rng.choice(noto, len(noto) // 10, replace=False).tolist())


def fit_network(
    renders: Renders, classes: list[str], *, steps: int, batch: int, seed: int
) -> nn.Module:
    """Train on renders, drawn each as often as its kind should be seen."""
    place = {code: i for i, code in enumerate(classes)}
    labels = torch.tensor([place[code] for code in renders.codes])
    share = torch.tensor(
        [
            SOFT_SHARE if style.startswith("soft") else 1.0 if natural else RECOLOURED_SHARE
            for style, natural in zip(renders.styles, renders.natural, strict=True)
        ]
    )
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = build_network(len(classes)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        network.parameters(), LEARNING_RATE, weight_decay=0.05, fused=True
    )
    for step in tqdm(range(steps), desc="judge", mininterval=20):
        progress = step / steps
        for group in optimizer.param_groups:
            warm = min(1.0, (step + 1) / 100)
            group["lr"] = LEARNING_RATE * warm * 0.5 * (1 + math.cos(math.pi * progress))
        chosen = torch.multinomial(share, batch, replacement=True, generator=generator)
        seen = jitter(renders.small[chosen], generator).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(seen)
        loss = functional.cross_entropy(
            logits.float(), labels[chosen], label_smoothing=LABEL_SMOOTHING
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def train_judge(
    rows: list[Row],
    pictures: np.ndarray,
    downloads: Path,
    soften: Soften,
    *,
    steps: int,
    batch: int,
    seed: int,
) -> Judge:
    """Train on all renders but a held-out tenth of the things' noto drawings, which measure it."""
    held = held_out_codes(rows, seed)
    classes = sorted(set(things_of(rows).values()))
    renders = known_renders(rows, pictures) + more_renders(downloads, set(classes))
    hidden = [
        code in held and style in HELD_OUT_STYLES
        for code, style in zip(renders.codes, renders.styles, strict=True)
    ]
    known = pick(renders, [i for i, hide in enumerate(hidden) if not hide])
    network = fit_network(
        known + soft_renders(rows, pictures, held, soften),
        classes,
        steps=steps,
        batch=batch,
        seed=seed,
    )
    measured = [row.natural and row.style == NOTO.style and row.hexcode in held for row in rows]
    flat = np.stack([on_background(np.asarray(pictures[i])) for i in np.flatnonzero(measured)])
    soft = np.concatenate([soften(part) for part in np.array_split(flat, -(-len(flat) // 16))])
    asked = [row.hexcode for row, is_measured in zip(rows, measured, strict=True) if is_measured]
    judge = Judge(network, classes, 0.0, 0.0, len(asked))
    return replace(
        judge, held_out_top5=top5(judge, flat, asked), soft_top5=top5(judge, soft, asked)
    )


def top5(judge: Judge, pictures: np.ndarray, codes: list[str]) -> float:
    ranked = judge.rank(pictures)
    return float(np.mean([code in best for code, best in zip(codes, ranked, strict=True)]))


def pick(renders: Renders, places: list[int]) -> Renders:
    return Renders(
        renders.small[places],
        [renders.codes[i] for i in places],
        [renders.styles[i] for i in places],
        [renders.natural[i] for i in places],
    )
