"""Stable Diffusion XL: two text encoders, a pooled state, the picture's size as conditioning."""

# torch's own annotations leave these open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_inpaint import (
    StableDiffusionXLInpaintPipeline,
)

from ..checkpoint import Task
from .adapters import Adapters
from .clip import ClipText
from .codec import Codec
from .family import Conditioning
from .guidance import EmbeddedGuidance
from .opening import open_pipeline, place, scheduler_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from ..checkpoint import Adapter, Checkpoint
    from ..request import Lora
    from .family import PromptAsk

_WITHOUT = ("image_encoder", "feature_extractor")
_NUM_TIME_IDS: Final = 6
"""Original size, crop, target size: (height, width) each."""


class StableDiffusionXL:
    """Implements `family.Model`."""

    def __init__(
        self, checkpoint: Checkpoint, pipeline: Any, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.checkpoint = checkpoint
        self.device = device
        self.dtype = dtype
        self.unet = pipeline.unet
        if dtype is torch.float16:
            # Its activations overflow float16: black pictures.
            pipeline.vae.to(torch.float32)
        encoders = (pipeline.text_encoder, pipeline.text_encoder_2)
        self.num_bytes = place((pipeline.unet, pipeline.vae, *encoders), device)
        self.first = ClipText(pipeline.tokenizer, pipeline.text_encoder)
        self.second = ClipText(pipeline.tokenizer_2, pipeline.text_encoder_2)
        self.codec = Codec(pipeline.vae)
        self.scheduler_config = scheduler_config(pipeline)
        self._zeros_for_absent: bool = pipeline.config.get("force_zeros_for_empty_prompt", True)
        self._pooled_width: int = pipeline.text_encoder_2.config.projection_dim
        self._adapters = Adapters(pipeline)
        self._guidance = EmbeddedGuidance(pipeline)

    @property
    def context_width(self) -> int:
        return self.unet.config.cross_attention_dim

    @property
    def vector_width(self) -> int:
        return self._pooled_width + _NUM_TIME_IDS + self._guidance.width

    def count_chunks(self, text: str) -> int:
        return max(self.first.count_chunks(text), self.second.count_chunks(text))

    def encode_prompts(self, asks: Sequence[PromptAsk]) -> list[Conditioning]:
        layers = [-2 if ask.is_negative else -2 - ask.clip_skip for ask in asks]
        both = [
            encoder.states(
                [encoder.tokenize(ask.text, ask.num_chunks) for ask in asks],
                layers,
                is_normed=False,
            )
            for encoder in (self.first, self.second)
        ]
        conditionings: list[Conditioning] = []
        for ask, first, second in zip(asks, *both, strict=True):
            context, pooled = torch.cat([first.context, second.context], -1), second.pooled
            assert pooled is not None, "the second encoder has a projection"
            if ask.is_negative and not ask.text and self._zeros_for_absent:
                context, pooled = torch.zeros_like(context), torch.zeros_like(pooled)
            conditionings.append(Conditioning(context, pooled))
        return conditionings

    def vector(
        self, conditioning: Conditioning, width: int, height: int, guidance_scale: float
    ) -> Tensor:
        pooled = conditioning.pooled
        assert pooled is not None
        sizes = (height, width, 0, 0, height, width)
        parts = [pooled.float(), torch.tensor(sizes, device=pooled.device)]
        if self._guidance.width:
            parts.append(self._guidance.embed(guidance_scale).to(pooled.device))
        return torch.cat(parts)

    def forward(
        self, latents: Tensor, timesteps: Tensor, context: Tensor, vectors: Tensor | None
    ) -> Tensor:
        assert vectors is not None
        widths = (self._pooled_width, _NUM_TIME_IDS, self._guidance.width)
        pooled, sizes, guidance = vectors.to(self.dtype).split(widths, 1)
        return self.unet(
            latents,
            timesteps,
            context,
            timestep_cond=guidance if self._guidance.width else None,
            added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes},
            return_dict=False,
        )[0]

    def use_adapters(self, loras: Sequence[Lora], known: Mapping[str, Adapter]) -> None:
        self._adapters.use(loras, known)


def load_sdxl(
    checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype
) -> StableDiffusionXL:
    """Raises `ModelError`."""
    is_inpaint = checkpoint.task is Task.INPAINT
    pipeline = StableDiffusionXLInpaintPipeline if is_inpaint else StableDiffusionXLPipeline
    opened = open_pipeline(pipeline, checkpoint, dtype, _WITHOUT)
    return StableDiffusionXL(checkpoint, opened, device, dtype)
