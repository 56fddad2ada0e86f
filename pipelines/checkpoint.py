"""What a checkpoint is, read from its configuration files without torch: family, sizes, defaults.

Weights are loaded in `families/`; this is what the bot may know before a worker stands.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from .errors import ModelError
from .headers import Header, fingerprint, read_header


class Task(Enum):
    """What the denoiser was trained to take."""

    TEXT = "text"
    """4 latent channels: paints from text, over a picture, and inpaints by blending."""
    INPAINT = "inpaint"
    """9 channels: latents, mask and masked picture."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model as the owner configured it, with the defaults that requests take."""

    name: str
    path: Path
    family: str
    """A name in `families/`'s registry: "sd", "sdxl"."""
    task: Task
    size_px: int
    """The side of the square that it was trained on; sizes are multiples of `size_multiple_px`."""
    size_multiple_px: int
    steps: int
    guidance_scale: float
    sampler: str
    strength: float
    fingerprint: str
    """A hash of its configuration and samples of its weights: equal ones paint the same."""
    num_bytes: int
    """Of its weights on disk."""
    is_guidance_embedded: bool = False
    """The denoiser was distilled to take the guidance scale itself: one row does for two."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA file by the name that users ask for, and its weight where they give none."""

    name: str
    path: Path
    weight: float = 1.0
    models: tuple[str, ...] = ()
    """Checkpoints that it was made for; empty: every one."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What the files say; the owner's wishes come on top."""

    family: str
    task: Task
    size_px: int
    size_multiple_px: int
    configs: tuple[Path, ...]
    weights: tuple[Path, ...]
    is_guidance_embedded: bool = False


_GUIDANCE: Final = {"sd": 7.5, "sdxl": 5.0}
_STEPS: Final = {"sd": 25, "sdxl": 30}
_SAMPLER: Final = "dpmpp_2m"
_DISTILLED_GUIDANCE: Final = 8.0
_DISTILLED_STEPS: Final = 6
_DISTILLED_SAMPLER: Final = "lcm"
_STRENGTH: Final = 0.7
_PICKLED: Final = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
_TEXT_ENCODERS: Final = {"sd": ("text_encoder",), "sdxl": ("text_encoder", "text_encoder_2")}
_CHANNELS: Final = {4: Task.TEXT, 9: Task.INPAINT}


def describe(
    path: Path | str,
    *,
    name: str = "",
    steps: int | None = None,
    guidance_scale: float | None = None,
    sampler: str | None = None,
    strength: float | None = None,
    size_px: int | None = None,
) -> Checkpoint:
    """Reads a diffusers folder's or a `.safetensors` file's headers; what is None is its family's.

    Raises `ModelError` with one sentence: missing, pickled, broken, of no known family.
    """
    path = Path(path)
    if not path.exists():
        raise ModelError(f"The model {path.name} is not where it is configured to be.")
    found = _read_folder(path) if path.is_dir() else _read_file(path)
    is_distilled = found.is_guidance_embedded
    usual_steps = _DISTILLED_STEPS if is_distilled else _STEPS[found.family]
    usual_guidance = _DISTILLED_GUIDANCE if is_distilled else _GUIDANCE[found.family]
    return Checkpoint(
        name=name or path.stem,
        path=path,
        family=found.family,
        task=found.task,
        size_px=size_px or found.size_px,
        size_multiple_px=found.size_multiple_px,
        steps=steps or usual_steps,
        guidance_scale=usual_guidance if guidance_scale is None else guidance_scale,
        sampler=sampler or (_DISTILLED_SAMPLER if is_distilled else _SAMPLER),
        strength=_STRENGTH if strength is None else strength,
        fingerprint=fingerprint(found.configs, found.weights),
        num_bytes=sum(file.stat().st_size for file in found.weights),
        is_guidance_embedded=is_distilled,
    )


def _read_folder(path: Path) -> _Found:
    if not (path / "model_index.json").is_file():
        raise ModelError(
            f"{path.name} is no model in diffusers layout: it has no model_index.json inside."
        )
    denoiser = path / "unet" / "config.json"
    if not denoiser.is_file():
        raise ModelError(
            f"{path.name} has no UNet; Limner paints with Stable Diffusion 1, 2 and XL models."
        )
    unet, vae = _read_json(denoiser), _read_json(path / "vae" / "config.json")
    try:
        factor = 2 ** (len(vae["block_out_channels"]) - 1)
        channels, latents_px = int(unet["in_channels"]), int(unet["sample_size"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path.name} has a configuration that says too little.") from error
    if channels not in _CHANNELS:
        raise ModelError(f"{path.name} takes {channels} channels; Limner knows 4 and 9.")
    family = "sdxl" if unet.get("addition_embed_type") == "text_time" else "sd"
    parts = ("unet", "vae", *_TEXT_ENCODERS[family])
    for part in parts:
        if not (path / part / "config.json").is_file():
            raise ModelError(f"{path.name} lacks its {part} folder; download the whole model.")
    return _Found(
        family,
        _CHANNELS[channels],
        latents_px * factor,
        factor,
        (*(path / part / "config.json" for part in parts), *_scheduler_config(path)),
        tuple(file for part in parts for file in _weights(path / part)),
        is_guidance_embedded=unet.get("time_cond_proj_dim") is not None,
    )


def _scheduler_config(path: Path) -> tuple[Path, ...]:
    config = path / "scheduler" / "scheduler_config.json"
    if not config.is_file():
        raise ModelError(f"{path.name} lacks its scheduler folder; download the whole model.")
    return (config,)


def _weights(part: Path) -> list[Path]:
    """One part's safetensors files; of several precisions the plain one, as diffusers loads it."""
    files = sorted(part.glob("*.safetensors"))
    plain = [file for file in files if ".fp16." not in file.name and ".non_ema." not in file.name]
    if not plain:
        if any(file.suffix in _PICKLED for file in part.iterdir()):
            raise ModelError(
                f"{part.parent.name}'s {part.name} is a pickle, which can run code when it is "
                "read; convert it to safetensors."
            )
        raise ModelError(f"{part.parent.name} has no weights in {part.name}.")
    for file in plain:
        read_header(file)
    return plain


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{path.parent.parent.name} lacks {path.parent.name}.") from error
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path.name} of {path.parent.name} can't be read as JSON; download the model again."
        ) from error


class Standard(Enum):
    """Which of the standard configurations a single file needs: a folder in `families/configs`."""

    SD1 = "sd1"
    SD1_INPAINT = "sd1-inpaint"
    SD2 = "sd2"
    SD2_INPAINT = "sd2-inpaint"
    SDXL = "sdxl"
    SDXL_INPAINT = "sdxl-inpaint"


def _read_file(path: Path) -> _Found:
    if path.suffix in _PICKLED:
        raise ModelError(
            f"{path.name} is a pickle, which can run code when it is read; "
            "convert it to safetensors."
        )
    if path.suffix != ".safetensors":
        raise ModelError(f"{path.name} is neither a diffusers folder nor a .safetensors file.")
    standard = standard_of(path.name, read_header(path))
    family = "sdxl" if standard in (Standard.SDXL, Standard.SDXL_INPAINT) else "sd"
    size_px = {Standard.SD2: 768}.get(standard, 1024 if family == "sdxl" else 512)
    task = Task.INPAINT if standard.value.endswith("inpaint") else Task.TEXT
    return _Found(family, task, size_px, 8, (), (path,))


def standard_of(name: str, header: Header) -> Standard:
    """Which standard model a single file holds, by the names and shapes of its tensors."""
    shapes = header.shapes
    first = shapes.get("model.diffusion_model.input_blocks.0.0.weight")
    if first is None:
        raise ModelError(f"{name} is not a whole Stable Diffusion model in one file.")
    is_inpaint = first[1] == 9
    if first[1] not in _CHANNELS:
        raise ModelError(f"{name} takes {first[1]} channels; Limner knows 4 and 9.")
    if "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias" in shapes:
        return Standard.SDXL_INPAINT if is_inpaint else Standard.SDXL
    context = shapes.get(
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    )
    match context[-1] if context else 0:
        case 768:
            return Standard.SD1_INPAINT if is_inpaint else Standard.SD1
        case 1024:
            return Standard.SD2_INPAINT if is_inpaint else Standard.SD2
        case _:
            raise ModelError(f"{name} is of a family that Limner does not know yet.")
