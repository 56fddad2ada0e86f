"""When a lost worker is started again, and when to stop believing that it will ever start. Pure.

What is done with the verdict is supervisor's.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import Patience

_PROVEN_S = 60.0
_MOST_LOAD_FAULTS = 6
"""In a row, of one model: three crashes, or six kills from outside."""
_OUTSIDE = tuple(-getattr(signal, name, signal.SIGTERM) for name in ("SIGKILL", "SIGTERM"))


@dataclass(frozen=True, slots=True)
class Loss:
    """How a worker was lost."""

    was_ready: bool
    stood_s: float
    """Since it was ready."""
    is_from_outside: bool
    """Killed by a signal that neither it nor we sent: a person, a service manager, or the kernel
    for want of memory. Which of them, nobody can tell."""


def is_from_outside(code: int | None, sentence: str) -> bool:
    """Whether a process with this exit code, which said this last, was killed by others."""
    return code in _OUTSIDE and not sentence


class Revival:
    """Of one worker, over all its processes."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        """In a row; a picture sets it back, and so does having stood for a while."""
        self._false_starts = 0
        """In a row without getting ready; so are kills, which say less."""
        self._kills = 0
        self._load_faults: dict[str, int] = {}

    def painted(self) -> None:
        self._failures = 0

    def ready(self) -> None:
        self._false_starts = self._kills = 0

    def loaded(self, model: str) -> None:
        self._load_faults.pop(model, None)

    def lost(self, loss: Loss, *, is_hopeless: bool = False) -> tuple[bool, float]:
        """Whether it is broken now, and the seconds until it is started again.

        Hopeless is one that said itself that the next start would fail too.

        A start that fails by itself would fail again. A kill from outside says little about the
        next start, so many more of them are waited out, each longer than the one before.
        """
        if loss.was_ready and loss.stood_s > _PROVEN_S:
            self._failures = 0
        self._failures += 1
        if loss.was_ready:
            self.ready()
        elif loss.is_from_outside:
            self._kills += 1
        else:
            self._false_starts += 1
        patience = self._patience
        if (
            is_hopeless
            or self._false_starts >= patience.give_up_after
            or self._kills >= patience.give_up_after_kills
        ):
            return True, patience.broken_s
        doublings = min(self._failures - 1, 30)
        return False, min(patience.restart_s * 2**doublings, patience.restart_most_s)

    def lost_while_loading(self, model: str, loss: Loss) -> bool:
        """Whether this model takes the worker down again and again, and is left out from now on."""
        faults = self._load_faults.get(model, 0) + (1 if loss.is_from_outside else 2)
        self._load_faults[model] = faults
        return faults >= _MOST_LOAD_FAULTS

    @property
    def left_out(self) -> tuple[str, ...]:
        """Models that are not loaded any more."""
        return tuple(m for m, faults in self._load_faults.items() if faults >= _MOST_LOAD_FAULTS)
