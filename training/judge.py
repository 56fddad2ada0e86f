"""The classifier that judges painted things; it is trained on real renders only.

It sees more styles than the painter did, and some renders through the shipped autoencoder, so that
a soft picture is judged by its shape; never a picture that the painter made.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from .budget import load_checkpoint, save_checkpoint
from .manifest import Row, on_background
from .renders import (
    HELD_OUT_STYLES,
    Renders,
    Soften,
    jitter,
    known_renders,
    more_renders,
    pick,
    shrink,
    soft_renders,
    things_of,
)
from .sources import NOTO

RECOLOURED_SHARE = 0.15
SOFT_SHARE = 0.25
LABEL_SMOOTHING = 0.1
LEARNING_RATE = 3e-3
VIEW_SCALES = (0.9, 1.0, 1.15)
VIEW_PLACES = ((0.0, 0.0), (0.06, 0.0), (-0.06, 0.0), (0.0, 0.06), (0.0, -0.06))


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
