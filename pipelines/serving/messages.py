"""What pool and worker say to each other: frozen values, the same on any transport.

How they travel is channel's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..checkpoint import Adapter, Checkpoint
    from ..events import Timings
    from ..pictures import Picture
    from ..request import Request
    from ..safety.checker import Safety, Verdict
    from .updates import Cause


# To the worker. Closing the pipe ends it.


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message: what to load, and where."""

    models: tuple[Checkpoint, ...]
    adapters: tuple[Adapter, ...]
    skipped_models: tuple[tuple[str, str], ...]
    """(name, sentence): took a worker down while being loaded."""
    device: str
    dtype: str
    threads: int | None
    max_rows: int | None
    is_compiled: bool
    weights_bytes: int | None
    memory_limit_bytes: int | None
    fixed_bucket: int | None
    safety: Safety | None = None


@dataclass(frozen=True, slots=True)
class Inspect:
    """The picture that a ticket starts from: its pictures, which follow, wait for the verdict."""

    key: str
    num_pictures: int
    """That follow."""
    ground: Picture = field(repr=False)


@dataclass(frozen=True, slots=True)
class Paint:
    key: str
    index: int
    request: Request = field(repr=False)
    wants_previews: bool
    shows_unsafe: bool = False
    """Whether what the checker finds unsafe may leave the worker, with its verdict."""


@dataclass(frozen=True, slots=True)
class Cancel:
    key: str


@dataclass(frozen=True, slots=True)
class Watch:
    key: str
    is_on: bool


Order = Setup | Inspect | Paint | Cancel | Watch


# From the worker.


@dataclass(frozen=True, slots=True)
class Hello:
    pid: int
    device: str
    """What "auto" has become."""
    num_devices: int
    """Of that kind, which it could use."""


class Phase(Enum):
    """What a worker is about to do that has no ticks; each has its own patience."""

    LOADING = "loading"
    COMPILING = "compiling"
    PAINTING = "painting"


@dataclass(frozen=True, slots=True)
class Entered:
    phase: Phase
    model: str = ""


@dataclass(frozen=True, slots=True)
class ModelLoaded:
    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ModelBroke:
    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Ready:
    max_rows: int


@dataclass(frozen=True, slots=True)
class PictureBegan:
    key: str
    index: int


@dataclass(frozen=True, slots=True)
class Paced:
    """Ticks of one model since the last report."""

    model: str
    ticks: int
    rows: int
    """That advanced, summed over the ticks; so are the weights."""
    weight: float
    live_weight: float
    """Of all that could have advanced: a tick takes only one batch key, and only so many rows."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Stepped:
    key: str
    index: int
    step: int
    steps: int


@dataclass(frozen=True, slots=True)
class Ticked:
    """Proof of life, and of progress; several ticks may share one."""

    paces: tuple[Paced, ...]
    steps: tuple[Stepped, ...]
    memory_bytes: int
    device_memory_bytes: int


@dataclass(frozen=True, slots=True)
class PicturePreviewed:
    key: str
    index: int
    image: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PicturePainted:
    key: str
    index: int
    png: bytes = field(repr=False)
    seed: int
    width: int
    height: int
    parameters_json: str = field(repr=False)
    timings: Timings
    verdict: Verdict | None = None
    """None: no checker is configured."""


@dataclass(frozen=True, slots=True)
class PictureBlocked:
    """It was painted, found unsafe, and stays here."""

    key: str
    index: int
    sha256: str
    """Of the file that it would have been."""
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class GroundRefused:
    """The picture that a ticket starts from is unsafe, or could not be judged (None)."""

    key: str
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class PictureFailed:
    key: str
    index: int
    sentence: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class PictureCancelled:
    key: str
    index: int


@dataclass(frozen=True, slots=True)
class Dying:
    """The worker ends itself, and says why in one sentence."""

    sentence: str
    is_closed: bool = False
    """Trying again soon is no use: the safety checker does not load, and without it nobody
    paints."""


Report = (
    Hello
    | Entered
    | ModelLoaded
    | ModelBroke
    | Ready
    | PictureBegan
    | Ticked
    | PicturePreviewed
    | PicturePainted
    | PictureBlocked
    | GroundRefused
    | PictureFailed
    | PictureCancelled
    | Dying
)
