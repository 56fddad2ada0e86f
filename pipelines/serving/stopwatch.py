"""The worker's count of its own ticks: which model's rows advanced, and in what time all told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

from .messages import Paced, Stepped, Ticked

if TYPE_CHECKING:
    from collections.abc import Callable

_REPORT_S = 0.1
"""Between two reports, while ticks are shorter than that."""


class Stopwatch:
    """Everything between two ticks is in a tick's time: decodes, encodes, the messages."""

    def __init__(self, device_memory: Callable[[], int]) -> None:
        self._device_memory = device_memory
        self._process = psutil.Process()
        self._since = time.perf_counter()
        self._reported_at = 0.0
        self._paces: dict[str, Paced] = {}
        self._steps: dict[tuple[str, int], Stepped] = {}

    def resume(self) -> None:
        """Work begins after idleness, which is nobody's tick."""
        self._since = time.perf_counter()

    def tick(
        self, model: str, rows: int, weight: float, live_weight: float, steps: list[Stepped]
    ) -> None:
        """One tick of a model is over."""
        now = time.perf_counter()
        before = self._paces.get(model) or Paced(model, 0, 0, 0.0, 0.0, 0.0)
        self._paces[model] = Paced(
            model,
            before.ticks + 1,
            before.rows + rows,
            before.weight + weight,
            before.live_weight + live_weight,
            before.seconds + now - self._since,
        )
        self._since = now
        for step in steps:
            self._steps[step.key, step.index] = step

    def report(self, *, is_last: bool) -> Ticked | None:
        """What to tell, if it is time to; the last report before idleness is always told."""
        now = time.perf_counter()
        if not self._paces or not (is_last or now - self._reported_at >= _REPORT_S):
            return None
        self._reported_at = now
        ticked = Ticked(
            tuple(self._paces.values()),
            tuple(self._steps.values()),
            self._process.memory_info().rss,
            self._device_memory(),
        )
        self._paces.clear()
        self._steps.clear()
        return ticked
