"""Turns a diffusers scheduler's run into a `Table`, by running it on basis vectors.

Every scheduler worth having is linear in (states, outputs, noise), so its mathematics stays
diffusers' own. Applying a table is `update`'s business.
"""

# torch's own annotations leave these open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import copy
import inspect
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from ..errors import UnsupportedSamplerError
from .recipes import build_scheduler
from .table import (
    HISTORY,
    OUTPUTS,
    PRODUCED,
    STATES,
    Table,
    output_place,
    produced_place,
    state_place,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

_WINDOWS: Final = (
    (1, 0, 1),
    (1, 0, 2),
    (2, 0, 2),
    (1, 0, 3),
    (1, 0, 4),
    (1, 1, 2),
    (2, 1, 3),
    (3, 0, 3),
    (4, 0, 4),
    (2, 2, 4),
    (STATES, PRODUCED, OUTPUTS),
)
"""(states, produced, outputs) to try, fewest first: what a tick does not need stays out of it."""
_TOLERANCE: Final = 1e-6
"""Of a tick's fit, relative: schedulers compute in float32."""
_REPLAY_TOLERANCE: Final = 2e-4
"""Of the whole run's replay on large random states: catches what only looks linear, as clipping."""
_MAX_DRAWS: Final = 3


@dataclass(frozen=True, slots=True)
class Ask:
    """What a table is made for."""

    sampler: str
    steps: int
    first_step: int = 0
    """Steps that image-to-image leaves out."""
    eta: float = 0.0


def fit(ask: Ask, config: Mapping[str, Any]) -> Table:
    """The table of one sampler over a checkpoint's scheduler configuration.

    Raises `UnsupportedSamplerError` with its name where no table describes it.
    """
    try:
        # diffusers hands tensors to numpy in a way that numpy 2 warns about.
        with warnings.catch_warnings(action="ignore"):
            scheduler = build_scheduler(ask.sampler, config)
            scheduler.set_timesteps(ask.steps)
            table = _fit(ask, copy.deepcopy(scheduler))
            residual = _replay_residual(ask, scheduler, table)
    except UnsupportedSamplerError:
        raise
    except Exception as error:
        raise UnsupportedSamplerError(
            f"The sampler {ask.sampler!r} can't run {ask.steps} steps with this model."
        ) from error
    if not residual < _REPLAY_TOLERANCE:
        raise UnsupportedSamplerError(
            f"The sampler {ask.sampler!r} can't share a batch with this model's configuration "
            f"(its run is not linear, off by {residual:.1e})."
        )
    return replace(table, residual=residual)


class _Run:
    """A scheduler driven as diffusers' pipelines drive it, its noise known."""

    def __init__(self, ask: Ask, scheduler: Any) -> None:
        self.scheduler = scheduler
        begin = ask.first_step * getattr(self.scheduler, "order", 1)
        if hasattr(self.scheduler, "set_begin_index"):
            self.scheduler.set_begin_index(begin)
        self.timesteps: Tensor = self.scheduler.timesteps[begin:]
        if len(self.timesteps) == 0:
            raise UnsupportedSamplerError(f"The sampler {ask.sampler!r} has no step left to take.")
        self._generator = torch.Generator().manual_seed(0)
        parameters = inspect.signature(self.scheduler.step).parameters
        self._extra: dict[str, Any] = {}
        if "generator" in parameters:
            self._extra["generator"] = self._generator
        if "eta" in parameters:
            self._extra["eta"] = ask.eta

    def scale(self, x: Tensor, tick: int) -> Tensor:
        if not hasattr(self.scheduler, "scale_model_input"):
            return x
        return self.scheduler.scale_model_input(x, self.timesteps[tick])

    def step(self, x: Tensor, output: Tensor, tick: int) -> tuple[Tensor, list[Tensor]]:
        """The next state, and the noise that was drawn for it, in order."""
        before = self._generator.get_state()
        produced = self.scheduler.step(
            output, self.timesteps[tick], x, return_dict=False, **self._extra
        )[0]
        after = self._generator.get_state()
        twin = torch.Generator()
        twin.set_state(before)
        drawn: list[Tensor] = []
        while not torch.equal(twin.get_state(), after):
            drawn.append(torch.randn(x.shape, generator=twin))
            if len(drawn) > _MAX_DRAWS:
                raise UnsupportedSamplerError("Its noise can't be followed.")
        return produced.float(), drawn

    def add_noise(self, known: Tensor, noise: Tensor, tick: int) -> Tensor:
        mix = getattr(self.scheduler, "add_noise", None) or self.scheduler.scale_noise
        return mix(known, noise, self.timesteps[tick : tick + 1])


def _fit(ask: Ask, scheduler: Any) -> Table:
    run = _Run(ask, scheduler)
    ticks = len(run.timesteps)
    basis = torch.eye(1 + 2 * ticks + HISTORY)
    shape = (1, 1, 1, basis.shape[0])
    unit = (torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))

    def mixture(tick: int) -> tuple[float, float]:
        return (
            float(run.add_noise(unit[0], unit[1], tick)),
            float(run.add_noise(unit[1], unit[0], tick)),
        )

    start = mixture(0)
    coefficients = np.zeros((ticks, HISTORY), np.float32)
    noise = np.zeros(ticks, np.float32)
    draws = np.zeros(ticks, np.int64)
    scales = np.ones(ticks, np.float32)
    blend = np.tile(np.array([1.0, 0.0], np.float32), (ticks, 1))
    x = basis[0].view(shape)
    states, produced, outputs = [x], [x], list[torch.Tensor]()
    for tick in range(ticks):
        outputs.append(basis[1 + tick].view(shape))
        scaled = run.scale(x, tick)
        scales[tick] = float((scaled * x).sum() / (x * x).sum())
        new, drawn = run.step(x, outputs[-1], tick)
        coefficients[tick], noise[tick] = _solve(tick, new, states, produced, outputs, drawn)
        draws[tick] = len(drawn)
        if tick + 1 < ticks:
            blend[tick] = mixture(tick + 1)
        # What blends a known region in adds something that the sampler has not made.
        x = new + basis[1 + ticks + tick].view(shape)
        states.append(x)
        produced.append(new)
    timesteps = run.timesteps.to(torch.float32).numpy().copy()
    return Table(
        sampler=ask.sampler,
        timesteps=timesteps,
        input_scales=scales,
        coefficients=coefficients,
        noise=noise,
        draws=draws,
        blend=blend,
        denoised=_denoised(run.scheduler, timesteps, scales),
        start=start,
        start_scale=float(getattr(run.scheduler, "init_noise_sigma", 1.0)),
        steps=ask.steps - ask.first_step,
    )


def _solve(
    tick: int,
    new: Tensor,
    states: list[Tensor],
    produced: list[Tensor],
    outputs: list[Tensor],
    drawn: list[Tensor],
) -> tuple[np.ndarray[Any, Any], float]:
    """One tick's coefficients, laid out as the rings are, and its noise's."""
    target = new.flatten().double()
    scale = max(1.0, float(target.abs().max()))
    for num_states, num_produced, num_outputs in _WINDOWS:
        places: list[int] = []
        columns: list[Tensor] = []
        for age in range(min(num_states, len(states))):
            places.append(state_place(tick - age))
            columns.append(states[-1 - age])
        for age in range(min(num_produced, len(produced))):
            places.append(produced_place(tick - age))
            columns.append(produced[-1 - age])
        for age in range(min(num_outputs, len(outputs))):
            places.append(output_place(tick - age))
            columns.append(outputs[-1 - age])
        matrix = torch.stack([column.flatten().double() for column in columns + drawn], 1)
        solution = torch.linalg.lstsq(matrix, target[:, None], driver="gelsd").solution
        if float((matrix @ solution - target[:, None]).abs().max()) <= _TOLERANCE * scale:
            line = np.zeros(HISTORY, np.float32)
            line[places] = solution[: len(places), 0].numpy()
            rest = solution[len(places) :, 0]
            if len(rest) > 1 and float(rest[:-1].abs().max()) > _TOLERANCE:
                raise UnsupportedSamplerError("It mixes several draws of noise in one step.")
            return line, float(rest[-1]) if len(rest) else 0.0
    raise UnsupportedSamplerError("Its step is not linear, or remembers too much.")


def _denoised(
    scheduler: Any, timesteps: np.ndarray[Any, Any], scales: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """The estimate of the finished latents: exact in x and output, the timestep rounded."""
    kind = getattr(scheduler.config, "prediction_type", "flow")
    if not hasattr(scheduler, "alphas_cumprod"):
        sigma = timesteps / scheduler.config.num_train_timesteps
        return np.stack([np.ones_like(sigma), -sigma], 1)
    cumulative = scheduler.alphas_cumprod.double().numpy()
    alpha_bar = np.interp(timesteps, np.arange(len(cumulative)), cumulative)
    alpha, sigma = np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar)
    match kind:
        case "v_prediction":
            pair = (alpha * scales, -sigma)
        case "sample":
            pair = (np.zeros_like(alpha), np.ones_like(alpha))
        case _:
            pair = (scales / alpha, -sigma / alpha)
    return np.stack(pair, 1).astype(np.float32)


def _replay_residual(ask: Ask, scheduler: Any, table: Table) -> float:
    """How far the table is from the scheduler itself on large random states, blends included."""
    run = _Run(ask, scheduler)
    run.add_noise(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1), 0)
    source = torch.Generator().manual_seed(1)

    def random() -> Tensor:
        return 5 * torch.randn(1, 1, 8, 8, generator=source)

    x = random()
    history = torch.zeros(HISTORY, *x.shape)
    history[state_place(0)] = history[produced_place(0)] = x
    worst = 0.0
    for tick in range(table.ticks):
        output = random()
        run.scale(x, tick)
        new, drawn = run.step(x, output, tick)
        history[output_place(tick)] = output
        line = torch.from_numpy(table.coefficients[tick]).view(-1, 1, 1, 1, 1)
        ours = (line * history).sum(0)
        if drawn:
            ours = ours + float(table.noise[tick]) * drawn[-1]
        worst = max(worst, float((ours - new).abs().max() / new.abs().max().clamp(min=1e-6)))
        x = new + random()
        history[produced_place(tick + 1)] = new
        history[state_place(tick + 1)] = x
    return worst
