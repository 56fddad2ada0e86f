"""Denoisers that were distilled to take the guidance scale itself, as latent consistency models do.

Their scale is one more embedding beside the timestep's, so one row does for two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor


class EmbeddedGuidance:
    """Of one checkpoint: how wide the embedding is, 0 for a denoiser that takes none."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self.width: int = pipeline.unet.config.time_cond_proj_dim or 0

    def embed(self, guidance_scale: float) -> Tensor:
        """(width,) float32 on the CPU, by diffusers' own mathematics."""
        scales = torch.tensor([guidance_scale - 1])
        return self._pipeline.get_guidance_scale_embedding(scales, embedding_dim=self.width)[0]
