"""A stage's journal: one JSON line every few steps, and the curve drawn from them."""

import json
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


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
