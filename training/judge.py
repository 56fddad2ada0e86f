"""The classifier that judges painted things; it is trained on real renders only."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from .manifest import Row, on_background

SIZE_PX = 48


def shrink(pictures: np.ndarray) -> Tensor:
    """``(n, 128, 128, 3)`` uint8 to ``(n, 3, 48, 48)`` float32 in -1..1."""
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return functional.interpolate(tensor, SIZE_PX, mode="area")


def jitter(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Move, scale, turn a little, and shift the colours: what a painter may do to a thing."""
    count = len(batch)
    draw = torch.rand(count, 6, generator=generator) * 2 - 1
    scale, turn = 1 + 0.18 * draw[:, 0], 0.2 * draw[:, 1]
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = scale * turn.cos(), -turn.sin()
    theta[:, 1, 0], theta[:, 1, 1] = turn.sin(), scale * turn.cos()
    theta[:, :, 2] = 0.15 * draw[:, 2:4]
    moved = (
        functional.grid_sample(
            batch - 1,
            functional.affine_grid(theta, list(batch.shape), align_corners=False),
            align_corners=False,
        )
        + 1
    )
    blur = functional.avg_pool2d(moved, 3, 1, 1)
    share = draw[:, 4].clamp(min=0).view(-1, 1, 1, 1)
    return moved * (1 - share) + blur * share + 0.05 * torch.randn(batch.shape, generator=generator)


@dataclass(frozen=True, slots=True)
class Judge:
    """Pictures in, names ranked; and how often it is right about real pictures it has not seen."""

    network: nn.Module
    classes: list[str]  # hexcodes
    held_out_top5: float
    num_held_out: int

    @torch.no_grad()
    def rank(self, pictures: np.ndarray) -> list[list[str]]:
        """The five likeliest hexcodes of each picture."""
        best = self.network(shrink(pictures)).topk(5).indices
        return [[self.classes[i] for i in row] for row in best.tolist()]


def build_network(num_classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    low = 3
    for high in (48, 96, 160, 256):
        layers += [
            nn.Conv2d(low, high, 3, padding=1),
            nn.GroupNorm(8, high),
            nn.GELU(),
            nn.MaxPool2d(2),
        ]
        low = high
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(256 * 9, num_classes))


def train_judge(
    rows: list[Row], pictures: np.ndarray, *, steps: int, batch: int, seed: int
) -> Judge:
    """Train on all renders but a held-out tenth of the things' noto drawings, which measure it."""
    rng = np.random.default_rng(seed)
    classes = sorted({row.hexcode for row in rows})
    place = {code: i for i, code in enumerate(classes)}
    noto = sorted({row.hexcode for row in rows if row.style == "noto"})
    held_codes = set(rng.choice(noto, len(noto) // 10, replace=False).tolist())
    held = [i for i, row in enumerate(rows) if row.style == "noto" and row.hexcode in held_codes]
    held_natural = [i for i in held if rows[i].natural]
    known = np.setdiff1d(np.arange(len(rows)), held)
    share = np.array([1.0 if rows[i].natural else 0.15 for i in known])
    small = torch.cat(
        [
            shrink(np.stack([on_background(np.asarray(pictures[i])) for i in part]))
            for part in np.array_split(np.arange(len(rows)), 60)
        ]
    )
    labels = torch.tensor([place[row.hexcode] for row in rows])
    torch.manual_seed(seed)
    network = build_network(len(classes))
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in tqdm(range(steps), desc="judge", mininterval=20):
        chosen = torch.from_numpy(rng.choice(known, batch, p=share / share.sum()))
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(jitter(small[chosen], generator))
        loss = functional.cross_entropy(logits.float(), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        best = network(small[held_natural]).topk(5).indices
    right = (best == labels[held_natural][:, None]).any(1).float().mean().item()
    return Judge(network, classes, right, len(held_natural))
