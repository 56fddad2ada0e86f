"""diffusers' own pipelines, asked for the same picture: what the engine is compared with."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

import diffusers
import numpy as np
import torch
from PIL import Image

from limner.pipelines import Request, describe
from limner.pipelines.sampling.recipes import build_scheduler

if TYPE_CHECKING:
    from pathlib import Path

_PIPELINES = {
    ("sd", "text"): "StableDiffusionPipeline",
    ("sd", "image"): "StableDiffusionImg2ImgPipeline",
    ("sd", "mask"): "StableDiffusionInpaintPipeline",
    ("sdxl", "text"): "StableDiffusionXLPipeline",
    ("sdxl", "image"): "StableDiffusionXLImg2ImgPipeline",
    ("sdxl", "mask"): "StableDiffusionXLInpaintPipeline",
}


@cache
def open_pipeline(path: Path, mode: str) -> tuple[Any, dict[str, Any]]:
    """A checkpoint's pipeline for "text", "image" or "mask", and its own scheduler's words."""
    name = _PIPELINES[describe(path).family, mode]
    with warnings.catch_warnings(action="ignore"):
        pipeline = getattr(diffusers, name).from_pretrained(path)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, dict(pipeline.scheduler.config)


def paint(path: Path, request: Request) -> np.ndarray[Any, Any]:
    """What diffusers paints for a filled request, (height, width, 3) of 0 to 255."""
    mode = "mask" if request.mask_image else "image" if request.init_image else "text"
    pipeline, config = open_pipeline(path, mode)
    with warnings.catch_warnings(action="ignore"):
        pipeline.scheduler = build_scheduler(request.sampler or "", config)
    extra: dict[str, Any] = {}
    if mode != "text":
        extra["image"] = request.init_image
        extra["strength"] = request.strength
    if mode == "mask":
        extra["mask_image"] = request.mask_image
    if mode != "image":
        extra |= {"width": request.width, "height": request.height}
    if request.guidance_rescale:
        extra["guidance_rescale"] = request.guidance_rescale
    with warnings.catch_warnings(action="ignore"), torch.inference_mode():
        picture = pipeline(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt or None,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
            eta=request.eta or 0.0,
            generator=torch.Generator().manual_seed(request.seed or 0),
            **extra,
        ).images[0]
    return np.asarray(picture).astype(int)


def difference(path: Path, request: Request, image: Image.Image) -> int:
    """Grey levels, of the pixel that is furthest off."""
    return int(np.abs(paint(path, request) - np.asarray(image).astype(int)).max())


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth random picture."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return Image.fromarray(small, "RGB").resize((width, height), Image.Resampling.BICUBIC)


def mask(width: int, height: int) -> Image.Image:
    """White is painted: the right half and a corner."""
    drawn = Image.new("L", (width, height), 0)
    drawn.paste(255, (width // 2, 0, width, height))
    drawn.paste(255, (0, 0, width // 4, height // 4))
    return drawn
