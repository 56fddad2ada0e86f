"""Colours straight from latents: a linear map that is fitted to a model's own decoder, once."""

# torch's own annotations leave these open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from ..families.codec import Codec

_PATCHES: Final = 8
"""Latent patches a side of a probe: flat patches, as a picture's areas are."""
_PATCH: Final = 4
_PROBES: Final = 4


class Projection:
    """One decode of a few probes at first use; after that a preview costs next to nothing."""

    @torch.inference_mode()
    def __init__(self, codec: Codec) -> None:
        generator = torch.Generator().manual_seed(0)
        patches = torch.randn(_PROBES, codec.channels, _PATCHES, _PATCHES, generator=generator)
        latents = patches.repeat_interleave(_PATCH, 2).repeat_interleave(_PATCH, 3)
        decoded = codec.decode(latents.to(codec.vae.device)).float().permute(0, 3, 1, 2).cpu()
        colours = torch.nn.functional.avg_pool2d(decoded, codec.factor * _PATCH)
        inputs = patches.permute(0, 2, 3, 1).flatten(0, 2)
        ones = torch.ones(len(inputs), 1)
        targets = colours.permute(0, 2, 3, 1).flatten(0, 2)
        solution = torch.linalg.lstsq(torch.cat([inputs, ones], 1), targets).solution
        self._matrix = solution[:-1].to(codec.vae.device)
        self._offset = solution[-1].to(codec.vae.device)

    @torch.inference_mode()
    def apply(self, latents: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, h, w, 3) uint8, a pixel a latent."""
        colours = latents.float().permute(0, 2, 3, 1) @ self._matrix + self._offset
        return colours.nan_to_num(0.0).clamp(0, 255).to(torch.uint8)
