"""The Stable Diffusion safety checker: a CLIP that compares a picture with unsafe concepts.

Source: diffusers, `StableDiffusionSafetyChecker.forward`, whose verdict this is at threshold 0.5.
It would blacken what it finds; here the picture stays and the margin is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..errors import ModelError
from .checker import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL.Image import Image

NAME = "stable-diffusion"
_NEUTRAL = 0.5
"""The score of a picture that lies exactly on one of the folder's own thresholds."""
_SPECIAL_CARE = 0.01
"""How much stricter it judges what shows a concept of special care."""
_DECIMALS = 3


class StableDiffusionChecker:
    """On the CPU in float32, whatever paints: its verdicts shall not depend on the device."""

    def __init__(self, model: Any, processor: Any, threshold: float) -> None:
        self._model = model
        self._processor = processor
        self._threshold = threshold

    @classmethod
    def open(cls, folder: Path, threshold: float) -> StableDiffusionChecker:
        """From the checker's own folder, or from a pipeline's that has one in it.

        Raises `ModelError`, and what diffusers does over broken files.
        """
        weights, processor = _folders(folder)
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from transformers import CLIPImageProcessor

        loaded = cast(Any, StableDiffusionSafetyChecker)
        model, loading = loaded.from_pretrained(
            weights, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        if missing := sorted(loading["missing_keys"]):
            # They would be made up, and such a checker finds nothing.
            raise ModelError(
                f"{weights.name} lacks {len(missing)} weights, the first {missing[0]}."
            )
        reader = cast(Any, CLIPImageProcessor)
        return cls(
            model.float().eval(),
            reader.from_pretrained(processor, local_files_only=True),
            threshold,
        )

    def check(self, pictures: Sequence[Image]) -> list[Verdict]:
        import torch

        if not pictures:
            return []
        asked = [picture.convert("RGB") for picture in pictures]
        with torch.inference_mode():
            pixels = self._processor(asked, return_tensors="pt").pixel_values
            margins = _margins(self._model, pixels)
        return [Verdict.of(NAME, "nsfw", _NEUTRAL + margin, self._threshold) for margin in margins]


def _margins(model: Any, pixels: Any) -> list[float]:
    """By how much each picture is over the nearest threshold; below 0 where it is under all."""
    from torch.nn.functional import normalize

    found = normalize(model.visual_projection(model.vision_model(pixels)[1]))

    def over(concepts: Any, thresholds: Any, stricter: Any) -> Any:
        return (found @ normalize(concepts).T - thresholds + stricter).round(decimals=_DECIMALS)

    special = over(model.special_care_embeds, model.special_care_embeds_weights, 0.0)
    care = (special > 0).any(1, keepdim=True) * _SPECIAL_CARE
    return over(model.concept_embeds, model.concept_embeds_weights, care).amax(1).tolist()


def _folders(folder: Path) -> tuple[Path, Path]:
    """Where the weights lie, and where it says how pictures are prepared for them."""
    weights = folder / "safety_checker" if (folder / "safety_checker").is_dir() else folder
    if not (weights / "config.json").is_file():
        raise ModelError(f"{folder.name} holds no safety checker (no config.json).")
    for place in (weights, weights.parent / "feature_extractor", folder / "feature_extractor"):
        if (place / "preprocessor_config.json").is_file():
            return weights, place
    raise ModelError(
        f"{folder.name} has no preprocessor_config.json: copy the model's feature_extractor folder"
        " beside safety_checker."
    )
