"""Small random models in diffusers layout, for tests: every family, made in a second each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from limner.pipelines.families.standard import byte_letters

if TYPE_CHECKING:
    from pathlib import Path

_BETAS = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
}
_MERGES = (
    "r e",
    "re d</w>",
    "h e",
    "c a",
    "ca t</w>",
    "b l",
    "bl u",
    "blu e</w>",
    "d o",
    "do g</w>",
)


def tokenizer(folder: Path, pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """CLIP's own alphabet and special tokens, with a handful of merges."""
    letters = byte_letters()
    words = [
        *letters,
        *(letter + "</w>" for letter in letters),
        *("".join(merge.split()) for merge in _MERGES),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: index for index, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *_MERGES]) + "\n", "utf-8")
    return CLIPTokenizer(
        vocab=vocabulary,
        merges=[tuple(merge.split()) for merge in _MERGES],
        model_max_length=77,
        pad_token=pad,
    )


def _text(width: int, vocabulary: int, *, projected: bool = False) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=width,
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        pad_token_id=vocabulary - 1,
        hidden_act="gelu",
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def _unet(
    context: int, *, channels: int = 4, latents: int = 8, **more: object
) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=latents,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=context,
        attention_head_dim=8,
        norm_num_groups=8,
        **more,
    )


def _vae(blocks: int = 2) -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(16, 32, 32, 32)[:blocks],
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=32,
    )


def _as_published(folder: Path) -> Path:
    """The published models' files say more than their own scheduler reads; others do read it."""
    config = folder / "scheduler" / "scheduler_config.json"
    told = json.loads(config.read_text("utf-8"))
    told |= {"clip_sample": False, "set_alpha_to_one": False, "skip_prk_steps": True}
    config.write_text(json.dumps(told), "utf-8")
    return folder


def make_sd1(folder: Path, *, channels: int = 4, is_distilled: bool = False) -> Path:
    """Epsilon; with 9 channels the inpainting variant; distilled it takes the guidance itself."""
    torch.manual_seed(1)
    words = tokenizer(folder / "tokenizer")
    pipeline = StableDiffusionPipeline if channels == 4 else StableDiffusionInpaintPipeline
    pipeline(
        vae=_vae(),
        text_encoder=_text(32, len(words)).eval(),
        tokenizer=words,
        unet=_unet(32, channels=channels, time_cond_proj_dim=16 if is_distilled else None),
        scheduler=PNDMScheduler(
            **_BETAS, skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)
    return _as_published(folder)


def make_sd2(folder: Path, *, channels: int = 4) -> Path:
    """v prediction, another padding token; with 9 channels the inpainting variant."""
    torch.manual_seed(2)
    words = tokenizer(folder / "tokenizer", pad="!")
    pipeline = StableDiffusionPipeline if channels == 4 else StableDiffusionInpaintPipeline
    pipeline(
        vae=_vae(),
        text_encoder=_text(48, len(words)).eval(),
        tokenizer=words,
        unet=_unet(48, channels=channels, use_linear_projection=True),
        scheduler=DDIMScheduler(
            **_BETAS,
            prediction_type="v_prediction",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)
    return folder


def make_sdxl(folder: Path, *, channels: int = 4, is_distilled: bool = False) -> Path:
    """Two encoders, pooled state, sizes; variants as of the others."""
    torch.manual_seed(3)
    words = tokenizer(folder / "tokenizer")
    words_2 = tokenizer(folder / "tokenizer_2", pad="!")
    pipeline = StableDiffusionXLPipeline if channels == 4 else StableDiffusionXLInpaintPipeline
    pipeline(
        vae=_vae(),
        text_encoder=_text(32, len(words)).eval(),
        text_encoder_2=_text(32, len(words_2), projected=True).eval(),
        tokenizer=words,
        tokenizer_2=words_2,
        unet=_unet(
            64,
            channels=channels,
            time_cond_proj_dim=16 if is_distilled else None,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=32 + 6 * 8,
            use_linear_projection=True,
            transformer_layers_per_block=(1, 2),
        ),
        scheduler=EulerDiscreteScheduler(**_BETAS, timestep_spacing="leading", steps_offset=1),
        add_watermarker=False,
    ).save_pretrained(folder, safe_serialization=True)
    return _as_published(folder)


def make_house_like(folder: Path) -> Path:
    """The house model's layout in small: an f8 VAE, 16 by 16 latents, v prediction."""
    torch.manual_seed(4)
    words = tokenizer(folder / "tokenizer")
    StableDiffusionPipeline(
        vae=_vae(4),
        text_encoder=_text(32, len(words)).eval(),
        tokenizer=words,
        unet=_unet(32, latents=16),
        scheduler=DDIMScheduler(
            **_BETAS, prediction_type="v_prediction", clip_sample=False, steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)
    return folder
