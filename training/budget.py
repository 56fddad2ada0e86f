"""A stage's time budget and checkpoints: what makes it resume, and end by plan.

The schedule follows the clock, not the step count, so a busy machine still ends at a learning
rate of zero.
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

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


def agreed_progress(budget: Budget, accelerator: Accelerator) -> float:
    """The first process's clock for all of them, or one would wait for another that has ended."""
    mine = budget.progress if accelerator.is_main_process else 0.0
    if accelerator.num_processes == 1:
        return mine
    return float(accelerator.reduce(torch.tensor([mine], device=accelerator.device), "sum"))


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write beside and rename, so that a kill leaves the last good one."""
    partial = path.with_suffix(".partial")
    torch.save(dict(state), partial)
    partial.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    return torch.load(path, map_location="cpu", weights_only=True)
