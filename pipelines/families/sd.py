"""Stable Diffusion 1.x and 2.x, epsilon and v prediction, and their inpainting variants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_inpaint import (
    StableDiffusionInpaintPipeline,
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

    import torch
    from torch import Tensor

    from ..checkpoint import Adapter, Checkpoint
    from ..request import Lora
    from .family import PromptAsk

_WITHOUT = ("safety_checker", "feature_extractor", "image_encoder")


class StableDiffusion:
    """One text encoder; implements `family.Model`."""

    def __init__(
        self, checkpoint: Checkpoint, pipeline: Any, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.checkpoint = checkpoint
        self.device = device
        self.dtype = dtype
        self.unet = pipeline.unet
        self.num_bytes = place((pipeline.unet, pipeline.vae, pipeline.text_encoder), device)
        self.text = ClipText(pipeline.tokenizer, pipeline.text_encoder)
        self.codec = Codec(pipeline.vae)
        self.scheduler_config = scheduler_config(pipeline)
        self._adapters = Adapters(pipeline)
        self._guidance = EmbeddedGuidance(pipeline)

    @property
    def context_width(self) -> int:
        return self.unet.config.cross_attention_dim

    @property
    def vector_width(self) -> int:
        return self._guidance.width

    def count_chunks(self, text: str) -> int:
        return self.text.count_chunks(text)

    def encode_prompts(self, asks: Sequence[PromptAsk]) -> list[Conditioning]:
        # diffusers leaves the negative prompt's last layer in, whatever is skipped.
        layers = [-1 if ask.is_negative else -1 - ask.clip_skip for ask in asks]
        texts = [self.text.tokenize(ask.text, ask.num_chunks) for ask in asks]
        states = self.text.states(texts, layers, is_normed=True)
        return [Conditioning(state.context) for state in states]

    def vector(
        self, conditioning: Conditioning, width: int, height: int, guidance_scale: float
    ) -> Tensor | None:
        return self._guidance.embed(guidance_scale) if self._guidance.width else None

    def forward(
        self, latents: Tensor, timesteps: Tensor, context: Tensor, vectors: Tensor | None
    ) -> Tensor:
        guidance = None if vectors is None else vectors.to(self.dtype)
        return self.unet(latents, timesteps, context, timestep_cond=guidance, return_dict=False)[0]

    def use_adapters(self, loras: Sequence[Lora], known: Mapping[str, Adapter]) -> None:
        self._adapters.use(loras, known)


def load_sd(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> StableDiffusion:
    """Raises `ModelError`."""
    is_inpaint = checkpoint.task is Task.INPAINT
    pipeline = StableDiffusionInpaintPipeline if is_inpaint else StableDiffusionPipeline
    opened = open_pipeline(pipeline, checkpoint, dtype, _WITHOUT)
    return StableDiffusion(checkpoint, opened, device, dtype)
