"""Opens a checkpoint through diffusers, without a hub: folders and single files.

Using diffusers' own pipeline classes brings their corrections of scheduler configurations, and the
loading of adapters. Which class a family takes is the family's.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers

from ..checkpoint import standard_of
from ..errors import ModelError
from ..headers import read_header
from .standard import copy_configuration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from ..checkpoint import Checkpoint
    from ..headers import Header

log = logging.getLogger(__name__)


def open_pipeline(
    pipeline: Any, checkpoint: Checkpoint, dtype: torch.dtype, without: Sequence[str]
) -> Any:
    """A diffusers pipeline on the CPU, its optional parts `without` left out.

    Raises `ModelError`; a pickle is never read.
    """
    nothing: dict[str, Any] = dict.fromkeys(without)
    try:
        # An old scheduler configuration is corrected by diffusers, with a warning to its maker.
        with warnings.catch_warnings(action="ignore"):
            return _open(pipeline, checkpoint, dtype, nothing)
    except ModelError:
        raise
    except Exception as error:
        log.exception("loading %s failed", checkpoint.path)
        raise ModelError(
            f"The model {checkpoint.name} can't be loaded; its files do not fit together "
            "or are damaged."
        ) from error


def _open(
    pipeline: Any, checkpoint: Checkpoint, dtype: torch.dtype, nothing: dict[str, Any]
) -> Any:
    if checkpoint.path.is_dir():
        return pipeline.from_pretrained(
            checkpoint.path,
            torch_dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            **nothing,
        )
    header = read_header(checkpoint.path)
    standard = standard_of(checkpoint.path.name, header)
    with tempfile.TemporaryDirectory() as temporary:
        folder = copy_configuration(standard.value, Path(temporary))
        scheduler = _scheduler(folder, header)
        return pipeline.from_single_file(
            str(checkpoint.path),
            config=str(folder),
            torch_dtype=dtype,
            local_files_only=True,
            scheduler=scheduler,
            **nothing,
        )


def _scheduler(folder: Path, header: Header) -> Any:
    """What the file's maker says about its prediction outweighs the family's custom."""
    path = folder / "scheduler" / "scheduler_config.json"
    config: dict[str, Any] = json.loads(path.read_text("utf-8"))
    told = header.metadata.get("modelspec.prediction_type", "")
    if told.startswith("eps"):
        config["prediction_type"] = "epsilon"
    elif told.startswith("v") or "v_pred" in header.shapes:
        config["prediction_type"] = "v_prediction"
    if "ztsnr" in header.shapes:
        config["rescale_betas_zero_snr"] = True
    return getattr(diffusers, config["_class_name"]).from_config(config)


def scheduler_config(pipeline: Any) -> Mapping[str, Any]:
    """What a checkpoint says about its noise, diffusers' corrections made.

    Where nothing is said, DDIM, DDPM, LCM and TCD would clip latents as if they were pixels.
    """
    return {"clip_sample": False, **pipeline.scheduler.config}


def place(modules: Sequence[torch.nn.Module], device: torch.device) -> int:
    """Moves the modules there, frozen and ready to run; returns their bytes."""
    num_bytes = 0
    for module in modules:
        module.to(device).eval().requires_grad_(False)
        for tensor in (*module.parameters(), *module.buffers()):
            num_bytes += tensor.numel() * tensor.element_size()
    return num_bytes
