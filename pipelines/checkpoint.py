"""What a checkpoint is, read from its configuration files without torch: family, sizes, defaults.

Weights are loaded in `families/`; this is what the bot may know before a worker stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


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
    """A hash of its configuration and its weights' headers: the same pictures come from the same."""
    num_bytes: int
    """Of its weights on disk."""


def describe(
    path: Path,
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
    raise NotImplementedError
