"""How far the host runs ahead of the device, and how long a tick takes there."""

from __future__ import annotations

import time

import torch


class Pace:
    """On a GPU the host prepares one tick while another runs, never more: who joins or leaves
    should not wait behind work that is already queued. On a CPU the two are one."""

    def __init__(self, device: torch.device) -> None:
        self._is_cuda = device.type == "cuda"
        self._before: tuple[torch.cuda.Event, torch.cuda.Event] | None = None
        self._began_s = 0.0
        self._start: torch.cuda.Event | None = None

    def begin(self) -> None:
        """Before a tick is put together."""
        self._began_s = time.perf_counter()
        if self._is_cuda:
            self._start = torch.cuda.Event(enable_timing=True)
            self._start.record()

    def end(self) -> float:
        """The tick is on its way; waits for the one before it. Returns seconds of the last one
        that is known."""
        if self._start is None:
            return time.perf_counter() - self._began_s
        stop = torch.cuda.Event(enable_timing=True)
        stop.record()
        before, self._before = self._before, (self._start, stop)
        if before is None:
            return time.perf_counter() - self._began_s
        before[1].synchronize()
        return before[0].elapsed_time(before[1]) / 1000
