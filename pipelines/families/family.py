"""The seam between the engine and a model family: what a loaded model can do.

A family is one file that implements `Model`, one line in `registry`, one parity test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from torch import Tensor

    from ..checkpoint import Adapter, Checkpoint
    from ..request import Lora
    from .codec import Codec


@dataclass(frozen=True, slots=True)
class PromptAsk:
    """A text to encode; equal asks are encoded once."""

    text: str
    is_negative: bool = False
    clip_skip: int = 0
    num_chunks: int = 1
    """Context length in chunks of 77 tokens; both halves of a guided request have the same."""


@dataclass(frozen=True, slots=True)
class Conditioning:
    """An encoded text. Shapes: context (tokens, width); pooled (width,), where a family has it."""

    context: Tensor
    pooled: Tensor | None = None

    @property
    def num_bytes(self) -> int:
        pooled = 0 if self.pooled is None else self.pooled.numel() * self.pooled.element_size()
        return self.context.numel() * self.context.element_size() + pooled


class Model(Protocol):
    """A loaded checkpoint. Only the engine's runner calls it, from the thread that steps."""

    checkpoint: Checkpoint
    device: torch.device
    dtype: torch.dtype
    codec: Codec
    scheduler_config: Mapping[str, Any]
    """As diffusers' own pipeline would use it, its corrections made."""
    num_bytes: int
    """Of its weights on the device."""

    @property
    def context_width(self) -> int: ...

    @property
    def vector_width(self) -> int:
        """Of what the denoiser takes beside the context, a row; 0 for nothing."""
        ...

    def count_chunks(self, text: str) -> int:
        """Of 77 tokens, that the text needs; at least 1."""
        ...

    def encode_prompts(self, asks: Sequence[PromptAsk]) -> list[Conditioning]:
        """All in one pass; the asks have the same number of chunks."""
        ...

    def vector(
        self, conditioning: Conditioning, width: int, height: int, guidance_scale: float
    ) -> Tensor | None:
        """One row's added conditioning, or None."""
        ...

    def forward(
        self, latents: Tensor, timesteps: Tensor, context: Tensor, vectors: Tensor | None
    ) -> Tensor:
        """The denoiser's output.

        Shapes: latents (rows, 4 or 9, h, w) in the model's dtype, timesteps (rows,) float32,
        context (rows, tokens, width), vectors (rows, vector_width).
        """
        ...

    def use_adapters(self, loras: Sequence[Lora], known: Mapping[str, Adapter]) -> None:
        """Makes exactly these adapters active; loads them at first."""
        ...
