"""One fused update that advances every request of a tick, whatever its sampler.

What the numbers mean is `table`'s; where the state lives is the engine's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def guide(conditional: Tensor, unconditional: Tensor, scale: Tensor) -> Tensor:
    """Classifier-free guidance (https://arxiv.org/abs/2207.12598, eq. 6), one scale a request.

    A request without guidance passes its output twice with a scale of 1: then it is exact.
    """
    return unconditional + scale * (conditional - unconditional)


def rescale(guided: Tensor, conditional: Tensor, share: Tensor) -> Tensor:
    """Takes back the contrast of guidance (https://arxiv.org/abs/2305.08891, section 3.4)."""
    inner = (1, 2, 3)
    ratio = conditional.std(inner, keepdim=True) / guided.std(inner, keepdim=True).clamp(min=1e-8)
    return share * (guided * ratio) + (1 - share) * guided


def advance(
    history: Tensor, coefficients: Tensor, noise: Tensor | None, noise_scale: Tensor
) -> Tensor:
    """The next states.

    Shapes: history (requests, HISTORY, channels, height, width) float32, coefficients (requests,
    HISTORY), noise like a state or None where nobody draws, noise_scale (requests, 1, 1, 1).
    """
    new = (coefficients[:, :, None, None, None] * history).sum(1)
    return new if noise is None else new + noise_scale * noise


def blend(produced: Tensor, known: Tensor, noise: Tensor, mix: Tensor, mask: Tensor) -> Tensor:
    """Keeps the known region of an inpainting request at its own noise level; 1 in `mask` paints.

    Shapes: mix (requests, 2), mask (requests, 1, height, width).
    """
    at_level = mix[:, 0, None, None, None] * known + mix[:, 1, None, None, None] * noise
    return (1 - mask) * at_level + mask * produced
