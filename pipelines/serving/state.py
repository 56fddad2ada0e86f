"""What can be seen of the pool at a moment: values for the queue card, `doctor`, the metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .updates import Cause


class WorkerStatus(StrEnum):
    STARTING = "starting"
    LOADING = "loading"
    READY = "ready"
    BUSY = "busy"
    RESTARTING = "restarting"
    """Lost, and about to be started again."""
    BROKEN = "broken"
    """Failed to start too often; tried again rarely."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class WorkerState:
    device: str
    pid: int | None
    status: WorkerStatus
    reason: str
    """One sentence: why it is as it is; empty when all is well."""
    models: tuple[str, ...]
    broken_models: Mapping[str, str]
    """Name to sentence."""
    num_running: int
    num_rows: int
    """In flight; so many lines of a forward pass."""
    max_rows: int
    memory_bytes: int
    device_memory_bytes: int
    ticks: int
    """Since the pool began, over all restarts; so are rows, seconds and restarts."""
    rows: int
    ticks_s: float
    """Seconds spent in ticks."""
    rows_per_tick: float
    """Lately."""
    tick_s: float | None
    """Lately."""
    restarts: int


@dataclass(frozen=True, slots=True)
class PoolState:
    workers: tuple[WorkerState, ...]
    num_waiting: int
    num_running: int
    oldest_wait_s: float
    is_paused: bool
    pictures: int
    failures: Mapping[Cause, int] = field(default_factory=dict["Cause", int])

    @property
    def is_ready(self) -> bool:
        """Whether somebody can paint now."""
        return any(w.status in (WorkerStatus.READY, WorkerStatus.BUSY) for w in self.workers)

    @property
    def models(self) -> tuple[str, ...]:
        """Loaded by at least one worker."""
        return tuple(dict.fromkeys(name for w in self.workers for name in w.models))
