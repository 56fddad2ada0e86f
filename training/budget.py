"""A stage's time budget, checkpoints and journal: what makes it resume, and end by plan.

The schedule follows the clock, not the step count, so a busy machine still ends at a learning
rate of zero.
"""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from PIL import Image

mpl.use("Agg")
from matplotlib import pyplot as plt

CHECKPOINT_EVERY_S = 120.0


class Budget:
    """Minutes spent and left, counted over every session that worked on the stage."""

    def __init__(self, minutes: float, spent_s: float = 0.0) -> None:
        self._total_s = minutes * 60.0
        self._before_s = spent_s
        self._started = time.monotonic()

    @property
    def spent_s(self) -> float:
        return self._before_s + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        return min(self.spent_s / self._total_s, 1.0)

    @property
    def is_over(self) -> bool:
        return self.spent_s >= self._total_s

    def learning_rate(self, peak: float, step: int, warmup: int) -> float:
        """Linear warm-up by steps, then a cosine to zero by the clock."""
        cosine = 0.5 * (1.0 + math.cos(math.pi * self.progress))
        return peak * min(1.0, (step + 1) / warmup) * cosine


class Journal:
    """One JSON line every few steps, and the curve drawn from them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.jsonl"
        self._curve = folder / "curve.png"
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, values: Mapping[str, float]) -> None:
        for key, value in values.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        self._count += 1

    def write(self, step: int, spent_s: float, **extra: float) -> dict[str, float]:
        """Write the means since the last line."""
        means = {key: round(value / max(self._count, 1), 5) for key, value in self._sums.items()}
        line = {"step": step, "minutes": round(spent_s / 60, 2), **means, **extra}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._sums, self._count = {}, 0
        return line

    def draw(self, *keys: str) -> None:
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        figure, axes = plt.subplots(1, len(keys), figsize=(5 * len(keys), 3.5), squeeze=False)
        for axis, key in zip(axes[0], keys, strict=True):
            points = [(line["minutes"], line[key]) for line in lines if key in line]
            axis.plot(*zip(*points, strict=True)) if points else None
            axis.set(title=key, xlabel="minutes")
            axis.grid(alpha=0.3)
        figure.tight_layout()
        figure.savefig(self._curve, dpi=90)
        plt.close(figure)


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write beside and rename, so that a kill leaves the last good one."""
    partial = path.with_suffix(".partial")
    torch.save(dict(state), partial)
    partial.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    return torch.load(path, map_location="cpu", weights_only=True)


def save_sheet(pictures: np.ndarray, columns: int, path: Path) -> None:
    """Tile ``(n, height, width, 3)`` uint8 pictures into one PNG."""
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = divmod(i, columns)
        sheet[y * height : (y + 1) * height, x * width : (x + 1) * width] = picture
    Image.fromarray(sheet).save(path)
