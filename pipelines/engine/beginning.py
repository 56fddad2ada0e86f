"""How a request's run begins: its noise and latents, drawn in the order in which diffusers draws.

The order was read off diffusers 0.42's pipelines; a seed gives the picture that diffusers gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..checkpoint import Task
from ..pictures import opened
from .lane import Beginning

if TYPE_CHECKING:
    from torch import Tensor

    from ..families.codec import Codec
    from ..families.family import Conditioning
    from ..request import Request
    from ..sampling.table import Table


@dataclass(frozen=True, slots=True)
class Canvas:
    """A request's pictures as the codec takes them: pixels, and the same with the mask cut out."""

    pixels: Tensor
    mask: Tensor | None
    """(1, 1, height, width) of the picture's size; 1 is painted."""

    @property
    def masked(self) -> Tensor | None:
        return None if self.mask is None else self.pixels * (self.mask < 0.5)


Posterior = tuple["Tensor", "Tensor"]
"""Mean and deviation of what a picture is in latents."""


def open_canvas(request: Request, codec: Codec) -> Canvas | None:
    """None for a request from text alone."""
    if request.init_image is None:
        return None
    assert request.width is not None
    assert request.height is not None
    pixels = codec.pixels(opened(request.init_image), request.width, request.height)
    if request.mask_image is None:
        return Canvas(pixels, None)
    return Canvas(pixels, codec.mask(opened(request.mask_image), request.width, request.height))


@dataclass(frozen=True, slots=True)
class Brush:
    """What a beginning is drawn with."""

    request: Request
    task: Task
    table: Table
    codec: Codec
    generator: torch.Generator
    shape: tuple[int, int, int, int]


def from_text(
    brush: Brush, conditional: Conditioning, unconditional: Conditioning | None
) -> Beginning:
    """Draws: noise."""
    noise = torch.randn(brush.shape, generator=brush.generator)
    return Beginning(noise * brush.table.start_scale, conditional, unconditional)


def over_picture(
    brush: Brush,
    conditional: Conditioning,
    unconditional: Conditioning | None,
    picture: Posterior,
) -> Beginning:
    """Draws: the picture's posterior, noise. Strength 1 still mixes the picture in."""
    known = brush.codec.sample(picture, brush.generator)
    noise = torch.randn(brush.shape, generator=brush.generator)
    return Beginning(_mix(brush.table, known, noise), conditional, unconditional)


def inside_mask(
    brush: Brush,
    conditional: Conditioning,
    unconditional: Conditioning | None,
    canvas: Canvas,
    picture: Posterior,
    masked: Posterior,
) -> Beginning:
    """Draws: the picture's posterior (9 channels at strength 1: not), noise, the masked picture's.

    With 4 channels the masked picture is drawn too, though nothing uses it.
    """
    assert canvas.mask is not None
    is_full = brush.request.strength == 1.0
    known: Tensor | None = None
    if brush.task is Task.TEXT or not is_full:
        known = brush.codec.sample(picture, brush.generator)
    noise = torch.randn(brush.shape, generator=brush.generator)
    masked_latents = brush.codec.sample(masked, brush.generator)
    if is_full or known is None:
        latents = noise * brush.table.start_scale
    else:
        latents = _mix(brush.table, known, noise)
    mask = brush.codec.shrink_mask(canvas.mask)
    if brush.task is Task.TEXT:
        return Beginning(latents, conditional, unconditional, known=known, noise=noise, mask=mask)
    return Beginning(latents, conditional, unconditional, mask=mask, masked_latents=masked_latents)


def _mix(table: Table, known: Tensor, noise: Tensor) -> Tensor:
    return table.start[0] * known + table.start[1] * noise
