"""What the owner decides about serving; read from nowhere here, `bot/settings.py` fills it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..checkpoint import Adapter, Checkpoint
    from ..safety.checker import Safety


@dataclass(frozen=True, slots=True)
class Limits:
    """How many jobs may wait and run; None is no limit."""

    waiting: int = 200
    waiting_per_tenant: int | None = 10
    waiting_per_group: int | None = 100
    running_per_tenant: int | None = None
    running_per_group: int | None = None


@dataclass(frozen=True, slots=True)
class Fairness:
    """Who is next: the tenant who has used least lately, waiting counted as its own claim."""

    half_life_s: float = 600.0
    """What was used counts half after this long."""
    aging_s: float = 120.0
    """Having waited this long outweighs having used one average job more."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a silent worker is believed, and when a lost one is started again."""

    hang_factor: float = 50.0
    """Ticks' worth of silence that are a hang."""
    tick_s: float = 60.0
    """Never less than this; before a tick was measured, ten times this."""
    loading_s: float = 900.0
    compiling_s: float = 3600.0
    restart_s: float = 0.5
    """Before the first restart; doubled with each that follows without a picture between."""
    restart_most_s: float = 60.0
    give_up_after: int = 5
    """Starts in a row that failed by themselves; then it is broken, and tried again rarely."""
    give_up_after_kills: int = 20
    """The same of starts that were killed from outside, which may have no cause in us: with the
    waits between them, a quarter of an hour."""
    broken_s: float = 300.0
    stop_s: float = 3.0
    """Between closing a worker's pipe and killing it."""


@dataclass(frozen=True, slots=True)
class PoolConfig:
    models: tuple[Checkpoint, ...]
    """The first one is the default."""
    adapters: tuple[Adapter, ...] = ()
    devices: tuple[str, ...] = ("auto",)
    """One worker each: "cpu", "cuda:0", ...; "auto" is every GPU there is, or the CPU."""
    dtype: str = "auto"
    limits: Limits = Limits()
    fairness: Fairness = Fairness()
    patience: Patience = Patience()
    max_rows: int | None = None
    """Rows in flight per worker; None: what the engine says."""
    threads: int | None = None
    """Per worker on the CPU; None: the cores, shared among the workers."""
    is_compiled: bool = False
    """Whether torch.compile works on each model at a worker's start, for minutes."""
    weights_bytes: int | None = None
    """Of all models held on one device at once; None: all of them are held."""
    memory_limit_bytes: int | None = None
    """Address space of a worker, where the system can limit it (RLIMIT_AS)."""
    is_hub_allowed: bool = False
    """Whether a worker may fetch from a model hub; only if a configured model names one."""
    fixed_bucket: int | None = None
    """Always this many rows in a forward pass: slower, and bytes repeat whatever the company."""
    safety: Safety | None = None
    """Who judges every picture; None: nobody does, and all are shown."""
