"""A request while the engine has it: what changes about it, and in which phase it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from ..request import Lora, Request
    from ..sampling.table import Table


class Phase(Enum):
    """WAITING -> DENOISING -> DECODING, or gone at any time."""

    WAITING = auto()
    """No slot yet: its texts and pictures are not encoded."""
    DENOISING = auto()
    DECODING = auto()
    """Its latents are finished; the slot is kept until they are a picture."""


@dataclass(frozen=True, slots=True)
class BatchKey:
    """Everything that must be equal for one forward pass; nothing else is in it."""

    model: str
    loras: tuple[Lora, ...]
    width: int
    """Of the latents; so is `height`."""
    height: int
    num_chunks: int
    """Context length, in chunks of 77 tokens."""


@dataclass(slots=True)
class Live:
    """One request. Owned by the engine; the planner and the runner read it."""

    id: int
    request: Request
    """Filled: no default is missing, the seed is drawn."""
    rows: int
    cost: float
    """Of one tick: rows x latent pixels."""
    added_at: float
    phase: Phase = Phase.WAITING
    key: BatchKey | None = None
    slot: int = -1
    tick: int = 0
    """The next one to run."""
    table: Table | None = None
    generator: torch.Generator | None = None
    is_masked: bool = False
    """Its known region is blended in at every tick."""
    is_watched: bool = False
    previewed_at: float = 0.0
    joined_at: float = 0.0
    denoised_at: float = 0.0
    denoised_tick: int = 0
    """Of the engine, not its own."""
    encoded_s: float = field(default=0.0)

    @property
    def tenant(self) -> str:
        return self.request.tenant

    @property
    def is_denoised(self) -> bool:
        return self.table is not None and self.tick >= self.table.ticks

    @property
    def step(self) -> int:
        """Of the user's steps, how many are done."""
        assert self.table is not None
        return self.tick * self.table.steps // self.table.ticks
