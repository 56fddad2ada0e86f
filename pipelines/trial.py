"""The least that shows whether a model paints: to warm up, for `doctor`, for a worker in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from .checkpoint import Task
from .request import Request

if TYPE_CHECKING:
    from .checkpoint import Checkpoint


def trial(model: Checkpoint) -> Request:
    """A request that runs every part of the model, in two steps."""
    if model.task is Task.TEXT:
        return Request("", seed=0, steps=2, model=model.name)
    picture = Image.new("RGB", (model.size_px, model.size_px))
    mask = Image.new("L", picture.size, 255)
    return Request(
        "", seed=0, steps=2, model=model.name, init_image=picture, mask_image=mask, strength=1.0
    )
