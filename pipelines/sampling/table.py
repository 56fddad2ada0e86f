"""A sampler's whole run as numbers: made by `fit` from a diffusers scheduler, used by `update`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STATES: Final = 4
"""Of the states x that the denoiser was given, the present one included."""
PRODUCED: Final = 2
"""Of the states as the sampler made them, before a known region was blended in."""
OUTPUTS: Final = 4
"""Of the model's outputs, the present one included."""
HISTORY: Final = STATES + PRODUCED + OUTPUTS
"""Measured: every sampler of `recipes` fits in it (LMS, PLMS, UniPC, SA and 3M need it)."""


def state_place(tick: int) -> int:
    """Where the ring buffer keeps x of a tick."""
    return tick % STATES


def produced_place(tick: int) -> int:
    """Where it keeps the state before blending: what tick - 1 produced."""
    return STATES + tick % PRODUCED


def output_place(tick: int) -> int:
    """Where it keeps a tick's model output."""
    return STATES + PRODUCED + tick % OUTPUTS


@dataclass(frozen=True, slots=True)
class Table:
    """The run of one (sampler, steps, first step, eta): plain numbers, one line a tick.

    x_next = sum(coefficients[k] * history) + noise[k] * z; history lies as the rings above say.
    """

    sampler: str
    timesteps: NDArray[np.float32]
    """(ticks,)"""
    input_scales: NDArray[np.float32]
    """(ticks,): what x is multiplied with for the denoiser."""
    coefficients: NDArray[np.float32]
    """(ticks, HISTORY)"""
    noise: NDArray[np.float32]
    """(ticks,)"""
    draws: NDArray[np.int64]
    """(ticks,): how often the scheduler draws noise, even where its coefficient is zero."""
    blend: NDArray[np.float32]
    """(ticks, 2): after the tick, a known region is blend[0] * known + blend[1] * start noise."""
    denoised: NDArray[np.float32]
    """(ticks, 2): an estimate of the picture is denoised[0] * x + denoised[1] * output."""
    start: tuple[float, float]
    """Over a picture: x_0 = start[0] * latents + start[1] * noise."""
    start_scale: float
    """From text: x_0 = start_scale * noise."""
    steps: int
    """What the user calls steps: ticks, but for samplers that call the model twice."""
    residual: float = field(default=0.0)
    """Of the fit's replay against the scheduler, relative to the state."""

    @property
    def ticks(self) -> int:
        return len(self.timesteps)
