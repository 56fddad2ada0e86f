"""A sampler's table replays its scheduler; what no table describes is refused by name."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from limner.pipelines import SAMPLERS, UnsupportedSamplerError
from limner.pipelines.sampling.fit import Ask, fit
from limner.pipelines.sampling.recipes import RECIPES, build_scheduler
from limner.pipelines.sampling.table import HISTORY, output_place, produced_place, state_place
from limner.pipelines.sampling.tables import Tables

CONFIG: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
}


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_table_replays_its_scheduler(sampler: str, prediction: str) -> None:
    config = CONFIG | {"prediction_type": prediction}
    for steps, first_step in ((1, 0), (4, 0), (12, 5)):
        table = fit(Ask(sampler, steps, first_step), config)
        assert table.residual < 1e-5, "relative, on random states with a blend at every tick"
        assert table.coefficients.shape == (table.ticks, HISTORY)
        assert np.isfinite(table.coefficients).all()


@pytest.mark.parametrize("sampler", ["flow_euler", "flow_heun"])
def test_flow_samplers_fit_too(sampler: str) -> None:
    with warnings.catch_warnings(action="ignore"):
        table = fit(Ask(sampler, 8), {})
    assert table.residual < 1e-5


def test_every_name_has_a_recipe() -> None:
    assert {name.removesuffix("_karras") for name in SAMPLERS} | {"flow_euler", "flow_heun"} == set(
        RECIPES
    )
    with pytest.raises(UnsupportedSamplerError, match="no sampler called 'magic'"):
        build_scheduler("magic", CONFIG)


@pytest.mark.parametrize(
    ("sampler", "change"),
    [
        ("ddim", {"clip_sample": True}),
        ("ddpm", {"clip_sample": True}),
        ("dpmpp_2m", {"thresholding": True}),
        ("unipc", {"thresholding": True}),
    ],
)
def test_a_scheduler_that_is_not_linear_is_refused_by_name(
    sampler: str, change: dict[str, bool]
) -> None:
    with pytest.raises(UnsupportedSamplerError, match=f"'{sampler}'|not linear"):
        fit(Ask(sampler, 8), CONFIG | change)


def test_strength_leaves_the_first_steps_out() -> None:
    tables = Tables(CONFIG)
    whole, part = tables.get("ddim", 10), tables.get("ddim", 10, strength=0.35)
    assert part.ticks == 3
    assert np.array_equal(part.timesteps, whole.timesteps[-3:])
    assert part.steps == 3
    assert tables.get("ddim", 10, strength=0.35) is part, "fitted once"


def test_heun_counts_the_users_steps_not_its_calls() -> None:
    table = Tables(CONFIG).get("heun", 10)
    assert (table.steps, table.ticks) == (10, 19)


def test_draws_are_counted_even_where_nothing_comes_of_them() -> None:
    table = Tables(CONFIG).get("euler_a", 5)
    assert table.draws.tolist() == [1] * 5
    assert table.noise[-1] == pytest.approx(0, abs=1e-9), "the last step adds none"


def test_the_estimate_is_the_picture_where_the_denoiser_is_right() -> None:
    """x = alpha * x0 + sigma * eps: the true eps (or v) gives back x0."""
    for prediction in ("epsilon", "v_prediction"):
        table = Tables(CONFIG | {"prediction_type": prediction}).get("ddim", 10)
        cumulative = build_scheduler("ddim", CONFIG).alphas_cumprod.numpy()
        for tick in range(table.ticks):
            bar = cumulative[int(table.timesteps[tick])]
            alpha, sigma, x0, eps = bar**0.5, (1 - bar) ** 0.5, 0.7, -0.4
            x = alpha * x0 + sigma * eps
            output = eps if prediction == "epsilon" else alpha * eps - sigma * x0
            share = table.denoised[tick]
            assert share[0] * x + share[1] * output == pytest.approx(x0, abs=1e-3)


def test_the_rings_do_not_overlap() -> None:
    for tick in range(24):
        places = {
            *(state_place(tick - age) for age in range(4)),
            *(produced_place(tick - age) for age in range(2)),
            *(output_place(tick - age) for age in range(4)),
        }
        assert places == set(range(HISTORY))
