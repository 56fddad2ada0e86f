"""How far the host runs ahead of the device, and how long a tick takes there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .planner import Plan


@dataclass(frozen=True, slots=True)
class _Tick:
    plan: Plan
    start: torch.cuda.Event
    stop: torch.cuda.Event


class Pace:
    """On a GPU the host prepares one tick while another runs, never more: who joins or leaves
    should not wait behind work that is already queued. On a CPU the two are one."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before: _Tick | None = None
        self._began_s = 0.0
        self._start: torch.cuda.Event | None = None

    def begin(self) -> None:
        """Before a tick is put together."""
        self._began_s = time.perf_counter()
        if self._device.type == "cuda":
            self._start = self._mark()

    def end(self, plan: Plan) -> tuple[Plan, float] | None:
        """The tick is on its way; waits for the one before it. Returns the last one that is known
        and its seconds."""
        if self._start is None:
            return plan, time.perf_counter() - self._began_s
        before, self._before = self._before, _Tick(plan, self._start, self._mark())
        if before is None:
            return None
        before.stop.synchronize()
        return before.plan, before.start.elapsed_time(before.stop) / 1000

    def _mark(self) -> torch.cuda.Event:
        """Now, on this device's stream; without being told, torch takes the first GPU's."""
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event
