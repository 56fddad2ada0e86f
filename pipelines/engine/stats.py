"""What the engine says about itself: counted by it, shown by whoever asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineStats:
    """A moment's numbers."""

    ticks: int
    """Since the start."""
    painted: int
    last_rows: int
    """Of the last tick that ran, without padding."""
    last_bucket: int
    last_tick_s: float
    live_rows: int
    num_waiting: int
    """Not yet encoded."""
    num_denoising: int
    num_decoding: int
    num_captured: int
    """Ticks captured as CUDA graphs, since the start."""
    models: tuple[str, ...]
    """Loaded, the most recently used last."""
    memory_bytes: int
    """Of the device, as the allocator counts; on the CPU the process's resident memory."""
    uncompiled: tuple[tuple[str, str], ...] = ()
    """(model, why) of those that should be compiled and are not."""
