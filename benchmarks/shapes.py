"""Checkpoints to measure with: the house model, or random weights of the published models' sizes.

Random weights cost what trained ones cost; what they paint is noise.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from ..pipelines.families import standard

SHAPES: Final = ("house", "tiny", "sd15", "sd21", "sdxl")
HOUSE: Final = Path(standard.__file__).parent.parent / "house"
_STANDARD: Final = {"tiny": "sd1", "sd15": "sd1", "sd21": "sd2", "sdxl": "sdxl"}


def checkpoint_of(shape: str, folder: Path) -> Path:
    """The house model's folder, or a new one in `folder` with random weights of that shape."""
    if shape == "house":
        return HOUSE
    made = folder / shape
    if not (made / "model_index.json").exists():
        _make(shape, made)
    return made


def _make(shape: str, folder: Path) -> None:
    """Copies a standard configuration and fills it with noise; tokenizers come with it."""
    standard.copy_configuration(_STANDARD[shape], folder)
    torch.manual_seed(0)
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        path = folder / part / "config.json"
        if not path.exists():
            continue
        config: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if shape == "tiny":
            config |= _TINY[part]
        _build(part, config).to(torch.bfloat16).save_pretrained(folder / part)


def _build(part: str, config: dict[str, Any]) -> Any:
    if part == "unet":
        return UNet2DConditionModel.from_config(config)
    if part == "vae":
        return AutoencoderKL.from_config(config)
    settings = CLIPTextConfig(**config)
    is_projected = config["architectures"] == ["CLIPTextModelWithProjection"]
    return (CLIPTextModelWithProjection if is_projected else CLIPTextModel)(settings)


_TINY: Final[dict[str, dict[str, Any]]] = {
    "unet": {
        "block_out_channels": [32, 64],
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "cross_attention_dim": 32,
        "attention_head_dim": 4,
        "layers_per_block": 1,
        "sample_size": 8,
    },
    "vae": {
        "block_out_channels": [16, 16, 16, 32],
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "sample_size": 64,
    },
    "text_encoder": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
    },
}
