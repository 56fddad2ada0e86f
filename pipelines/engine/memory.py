"""A device's memory: what is left of it, what a piece of work takes, and how its end is put.

What a model takes and what follows from it is `appetite`'s.
"""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import psutil
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

TOO_BIG: Final = "The picture is too big for this device's memory; ask for a smaller one."

_SIGNS: Final = (
    "can't allocate memory",
    "not enough memory",
    "could not create a memory",
    "could not create a primitive",
    "std::bad_alloc",
)
"""How torch's CPU allocator, oneDNN and C++ put it."""
_PROCESS: Final = Path("/proc/self")
_GROUP: Final = Path("/sys/fs/cgroup")


def is_out_of_memory(error: Exception) -> bool:
    """Whether a smaller piece of the same work could succeed."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release(device: torch.device) -> None:
    """Gives cached memory back before a second try."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
    else:
        _trim()


class Meter(Protocol):
    """Reads a device's memory; asked at loads and for new shapes, never in a tick."""

    def held_bytes(self) -> int:
        """On a CPU the process's resident memory."""
        ...

    def available_bytes(self) -> int:
        """What the process could still take."""
        ...

    def peak_bytes(self, work: Callable[[], object]) -> int | None:
        """Does the work; what it took at its peak above what was held before. None: unknown."""
        ...


def choose_meter(device: torch.device) -> Meter:
    return CudaMeter(device) if device.type == "cuda" else CpuMeter()


class CudaMeter:
    """As torch's allocator counts."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def held_bytes(self) -> int:
        return torch.cuda.memory_allocated(self._device)

    def available_bytes(self) -> int:
        free, _ = torch.cuda.mem_get_info(self._device)
        held, used = torch.cuda.memory_reserved(self._device), self.held_bytes()
        # What CUDA graphs keep for their replays looks free to the allocator, and is not.
        segments: list[dict[str, Any]] = torch.cuda.memory_snapshot()  # pyright: ignore[reportUnknownMemberType]
        kept = idle_in_graphs(segments, self._device.index or 0)
        return max(0, free + held - used - kept)

    def peak_bytes(self, work: Callable[[], object]) -> int:
        torch.cuda.synchronize(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        before = self.held_bytes()
        work()
        torch.cuda.synchronize(self._device)
        return torch.cuda.max_memory_allocated(self._device) - before


def idle_in_graphs(segments: Iterable[Mapping[str, Any]], device: int) -> int:
    """Bytes in private pools of a GPU that hold nothing and serve nobody else.

    Source: `torch.cuda.memory_snapshot`; the pool of everything but graphs is (0, 0).
    """
    return sum(
        segment["total_size"] - segment["allocated_size"]
        for segment in segments
        if segment["device"] == device and tuple(segment["segment_pool_id"]) != (0, 0)
    )


class CpuMeter:
    """As the system counts: its memory, the container's and the process's own limit."""

    def held_bytes(self) -> int:
        return psutil.Process().memory_info().rss

    def available_bytes(self) -> int:
        _trim()
        left = [psutil.virtual_memory().available, _left_in_group(), left_in_address_space()]
        return max(0, min(bytes_ for bytes_ in left if bytes_ is not None))

    def peak_bytes(self, work: Callable[[], object]) -> int | None:
        """Linux only: there a process may start its own high-water mark anew."""
        _trim()
        try:
            (_PROCESS / "clear_refs").write_text("5")
        except OSError:
            work()
            return None
        before = self.held_bytes()
        work()
        status = (_PROCESS / "status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return max(0, int(peak.split()[1]) * 1024 - before)


def _trim() -> None:
    """What glibc keeps of freed memory (`heap`) would look as if it were in use."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if _PROCESS.exists() else None
    if trim is not None:
        trim(0)


def _left_in_group() -> int | None:
    """A container's limit, by cgroup version 2; files that it cached can leave."""
    try:
        most = (_GROUP / "memory.max").read_text().strip()
        now = int((_GROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return None if most == "max" else int(most) - now + int(stat.get("inactive_file", 0))


def left_in_address_space() -> int | None:
    """None: it is not limited."""
    try:
        import resource
    except ImportError:
        return None
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if most == resource.RLIM_INFINITY else most - psutil.Process().memory_info().vms
