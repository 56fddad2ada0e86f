"""What the pool tells about a ticket, in order; every ticket ends with exactly one of `End`.

Who is told, and how often, is the listener's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..events import Timings
    from ..safety.checker import Verdict


class Cause(StrEnum):
    """Why a ticket broke; a label for counting."""

    REQUEST = "request"
    """It could never be painted."""
    PAINTING = "painting"
    """It failed while being painted."""
    MEMORY = "memory"
    MODEL = "model"
    WORKER = "worker"
    """It took the worker down twice while alone, or no worker can run."""
    UNSAFE = "unsafe"
    """The picture that it starts from was found unsafe."""
    CHECKER = "checker"
    """The safety checker failed."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not begun yet; told at submission, and again when place or time have changed."""

    key: str
    place: int
    """1 is next; 0: begun before, interrupted, and about to begin again."""
    wait_s: float | None
    """Until it begins, by measured tick times; None before anything was measured, while the pool is
    paused, and for a moment where many came at once."""


@dataclass(frozen=True, slots=True)
class Began:
    """Its first rows joined the batch."""

    key: str
    waited_s: float = field(default=0.0, compare=False)
    """Since it was submitted."""


@dataclass(frozen=True, slots=True)
class Moved:
    """`step` of `steps` are done, over all its pictures."""

    key: str
    step: int
    steps: int
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Previewed:
    """What picture `index` looks like so far; only while somebody watches."""

    key: str
    index: int
    image: bytes = field(repr=False)
    """A small WebP file."""


@dataclass(frozen=True, slots=True)
class Painted:
    """A finished picture. After a restart of the worker it is not painted, nor told, again."""

    key: str
    index: int
    png: bytes = field(repr=False)
    seed: int
    width: int
    height: int
    parameters_json: str = field(repr=False)
    timings: Timings
    verdict: Verdict | None = None
    """Unsafe only where the ticket says that such pictures may be shown; None: nobody judges."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A finished picture that the checker found unsafe: it stayed in the worker."""

    key: str
    index: int
    sha256: str
    """Of the file that it would have been."""
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Done:
    """All its pictures were told, painted or blocked."""

    key: str


@dataclass(frozen=True, slots=True)
class Broke:
    """`sentence` is fit for a user."""

    key: str
    sentence: str
    cause: Cause
    verdict: Verdict | None = None
    """On the picture that it starts from, where that is the reason."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Cancelled; what was painted before was told."""

    key: str


End = Done | Broke | Withdrawn
Update = Waiting | Began | Moved | Previewed | Painted | Blocked | Done | Broke | Withdrawn
