"""Painting with the parts while they train: DDIM with guidance, and decoding."""

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor

from .autoencoder import to_pictures
from .networks import build_scheduler


@torch.no_grad()
def paint_latents(
    unet: UNet2DConditionModel,
    hidden: Tensor,
    empty: Tensor,
    *,
    steps: int,
    guidance: float,
    seed: int,
) -> Tensor:
    """``(rows, 4, 16, 16)`` latents for ``(rows, 77, width)`` hidden states.

    Shapes: ``empty`` is ``(77, width)``, the hidden states of the empty caption.
    """
    scheduler = build_scheduler()
    scheduler.set_timesteps(steps)
    generator = torch.Generator("cpu").manual_seed(seed)
    noise = torch.randn(1, 4, 16, 16, generator=generator)
    x = noise.repeat(len(hidden), 1, 1, 1).to(hidden.device)
    is_guided = guidance != 1.0
    context = torch.cat([empty.expand_as(hidden), hidden]) if is_guided else hidden
    for t in scheduler.timesteps:
        with torch.autocast(hidden.device.type, torch.bfloat16):
            out = unet(torch.cat([x, x]) if is_guided else x, t, context).sample.float()
        if is_guided:
            without, with_words = out.chunk(2)
            out = without + guidance * (with_words - without)
        x = scheduler.step(out, t, x).prev_sample
    return x


@torch.no_grad()
def decode_latents(vae: AutoencoderKL, latents: Tensor) -> np.ndarray:
    """Pictures ``(rows, 128, 128, 3)`` uint8."""
    painted = []
    for chunk in (latents / vae.config["scaling_factor"]).split(16):
        with torch.autocast(latents.device.type, torch.bfloat16):
            painted.append(to_pictures(vae.decode(chunk).sample))
    return np.concatenate(painted)
