"""What a denoiser is given, made up: to measure it, and to compile it before anybody asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..checkpoint import Task
from ..families.family import PromptAsk

if TYPE_CHECKING:
    from torch import Tensor

    from ..families.family import Model


@dataclass(frozen=True, slots=True)
class Sample:
    """A forward pass's inputs, of the size that the model was trained on."""

    latents: Tensor
    timesteps: Tensor
    context: Tensor
    vectors: Tensor | None


@torch.inference_mode()
def sample(model: Model, rows: int) -> Sample:
    size = model.checkpoint.size_px
    side, channels = size // model.codec.factor, model.codec.channels
    if model.checkpoint.task is Task.INPAINT:
        channels += 1 + model.codec.channels
    text = model.encode_prompts([PromptAsk("")])[0]
    vector = model.vector(text, size, size, model.checkpoint.guidance_scale)
    device = model.device
    return Sample(
        torch.zeros(rows, channels, side, side, device=device, dtype=model.dtype),
        torch.full((rows,), 500.0, device=device),
        text.context.repeat(rows, 1, 1),
        None if vector is None else vector.to(device).repeat(rows, 1),
    )
