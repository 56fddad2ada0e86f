"""Small Stable Diffusion safety checkers with random weights, taught which pictures are unsafe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from torch.nn.functional import normalize
from transformers import CLIPConfig, CLIPImageProcessor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL.Image import Image

NUM_CONCEPTS, NUM_SPECIAL = 17, 3
_WIDTH, _SIZE = 32, 32
_TOKENS = {"vocab_size": 4, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}


def make_checker(
    folder: Path, *, unsafe: Sequence[Image] = (), safe: Sequence[Image] = ()
) -> StableDiffusionSafetyChecker:
    """In a pipeline's layout. Without examples it finds nothing; each unsafe one is a concept."""
    processor = CLIPImageProcessor(size={"shortest_edge": _SIZE}, crop_size=_SIZE)
    torch.manual_seed(0)
    model = StableDiffusionSafetyChecker(_config()).eval()
    with torch.no_grad():
        # Random pictures look much the same to random weights; so its patches speak up.
        weights = dict(model.named_parameters())
        next(weights[name] for name in weights if name.endswith("patch_embedding.weight")).mul_(30)
        for concepts in model.concept_embeds, model.special_care_embeds:
            concepts.copy_(torch.randn(concepts.shape))
        model.concept_embeds_weights.fill_(2.0)
        model.special_care_embeds_weights.fill_(2.0)
        if unsafe:
            found, others = (embeddings(model, processor, each) for each in (unsafe, safe))
            for index, one in enumerate(found):
                # The part of it that no safe picture has: they lie at right angles to the concept.
                rest = one - others.T @ torch.linalg.lstsq(others.T, one).solution
                assert rest.norm() > 0.03, "to it this picture looks too much like the safe ones"
                model.concept_embeds[index] = rest
                model.concept_embeds_weights[index] = rest.norm() / 2
    model.save_pretrained(folder / "safety_checker")
    processor.save_pretrained(folder / "feature_extractor")
    return model


def embeddings(
    model: StableDiffusionSafetyChecker, processor: CLIPImageProcessor, pictures: Sequence[Image]
) -> torch.Tensor:
    pixels = processor([p.convert("RGB") for p in pictures], return_tensors="pt").pixel_values
    return normalize(model.visual_projection(model.vision_model(pixels)[1]))


def _config() -> CLIPConfig:
    tower = {"hidden_size": _WIDTH, "intermediate_size": 2 * _WIDTH, "num_attention_heads": 4}
    return CLIPConfig(
        text_config={**tower, "num_hidden_layers": 1, **_TOKENS},
        vision_config={**tower, "num_hidden_layers": 2, "image_size": _SIZE, "patch_size": 8},
        projection_dim=_WIDTH,
    )
