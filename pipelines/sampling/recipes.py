"""Which diffusers scheduler a sampler's name stands for; what its run does is `fit`'s business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import diffusers

from ..errors import UnsupportedSamplerError

if TYPE_CHECKING:
    from collections.abc import Mapping

KARRAS = "_karras"
"""A name's ending that asks for the sigmas of https://arxiv.org/abs/2206.00364, eq. 5."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A scheduler class, and what its configuration says beside the checkpoint's own."""

    scheduler: str
    overrides: tuple[tuple[str, bool | int | str], ...] = ()


RECIPES: dict[str, Recipe] = {
    "ddpm": Recipe("DDPMScheduler"),
    "ddim": Recipe("DDIMScheduler"),
    "plms": Recipe("PNDMScheduler", (("skip_prk_steps", True),)),
    "euler": Recipe("EulerDiscreteScheduler"),
    "euler_a": Recipe("EulerAncestralDiscreteScheduler"),
    "heun": Recipe("HeunDiscreteScheduler"),
    "lms": Recipe("LMSDiscreteScheduler"),
    "kdpm2": Recipe("KDPM2DiscreteScheduler"),
    "kdpm2_a": Recipe("KDPM2AncestralDiscreteScheduler"),
    "dpmpp_2m": Recipe("DPMSolverMultistepScheduler"),
    "dpmpp_2m_sde": Recipe("DPMSolverMultistepScheduler", (("algorithm_type", "sde-dpmsolver++"),)),
    "dpmpp_3m": Recipe("DPMSolverMultistepScheduler", (("solver_order", 3),)),
    "dpmpp_singlestep": Recipe("DPMSolverSinglestepScheduler"),
    "deis": Recipe("DEISMultistepScheduler"),
    "unipc": Recipe("UniPCMultistepScheduler"),
    "lcm": Recipe("LCMScheduler"),
    "tcd": Recipe("TCDScheduler"),
    "sa": Recipe("SASolverScheduler"),
    "flow_euler": Recipe("FlowMatchEulerDiscreteScheduler"),
    "flow_heun": Recipe("FlowMatchHeunDiscreteScheduler"),
}


def build_scheduler(name: str, config: Mapping[str, Any]) -> Any:
    """A fresh scheduler of that name over a checkpoint's scheduler configuration.

    Raises `UnsupportedSamplerError` for a name that nobody knows.
    """
    plain = name.removesuffix(KARRAS)
    recipe = RECIPES.get(plain)
    if recipe is None:
        raise UnsupportedSamplerError(f"There is no sampler called {name!r}.")
    overrides = dict(recipe.overrides)
    if plain != name:
        overrides["use_karras_sigmas"] = True
    return getattr(diffusers, recipe.scheduler).from_config(config, **overrides)
