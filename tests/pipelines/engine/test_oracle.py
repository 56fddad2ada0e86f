"""The engine paints what diffusers' own pipelines paint: same seed, at most one grey level off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from limner.pipelines import SAMPLERS, Engine, Request
from tests.pipelines import oracle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from limner.pipelines import Result

FAMILIES = ("sd1", "sd2", "sdxl", "house")


@pytest.fixture(scope="module")
def engines(models: dict[str, Path]) -> Callable[[str], Engine]:
    kept: dict[str, Engine] = {}

    def get(name: str) -> Engine:
        if name not in kept:
            kept[name] = Engine.from_pretrained(models[name])
        return kept[name]

    return get


def check(path: Path, result: Result) -> None:
    assert oracle.difference(path, result.request, result.image) <= 1, result.request


def size(name: str) -> int:
    return 128 if name == "house" else 16


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_sampler_paints_what_diffusers_paints(
    sampler: str, models: dict[str, Path], engines: Callable[[str], Engine]
) -> None:
    index = SAMPLERS.index(sampler)
    for offset, name in enumerate(("sd1", "sd2", "sdxl")):
        request = Request(
            "a red cat",
            negative_prompt="dog" if offset else "",
            seed=index,
            steps=(5, 9, 12)[(index + offset) % 3],
            guidance_scale=(1.0, 3.0, 7.5)[(index // 2 + offset) % 3],
            sampler=sampler,
            width=24 if offset == 1 else 16,
        )
        check(models[name], engines(name).run([request])[0])


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("guidance", [1.0, 3.0, 7.5])
def test_text_to_image(
    name: str, guidance: float, models: dict[str, Path], engines: Callable[[str], Engine]
) -> None:
    request = Request("a blue dog", seed=11, steps=6, guidance_scale=guidance)
    results = engines(name).run([request, replace(request, negative_prompt="red", seed=12)])
    for result in results:
        check(models[name], result)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("strength", [0.3, 0.7, 1.0])
def test_over_a_picture(
    name: str, strength: float, models: dict[str, Path], engines: Callable[[str], Engine]
) -> None:
    side = size(name)
    requests = [
        Request(
            "a blue dog",
            seed=5,
            steps=10,
            guidance_scale=4.0,
            sampler=sampler,
            init_image=oracle.picture(side, side + side // 2),
            strength=strength,
        )
        for sampler in ("dpmpp_2m", "euler_a", "heun", "ddim")
    ]
    for result in engines(name).run(requests):
        assert result.image.size == (side, side + side // 2)
        check(models[name], result)


@pytest.mark.parametrize("strength", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("name", FAMILIES)
def test_inside_a_mask_with_four_channels(
    name: str, strength: float, models: dict[str, Path], engines: Callable[[str], Engine]
) -> None:
    side = size(name)
    requests = [
        Request(
            "a blue dog",
            seed=5,
            steps=10,
            guidance_scale=4.0,
            sampler=sampler,
            init_image=oracle.picture(side, side),
            mask_image=oracle.mask(side, side),
            strength=strength,
        )
        for sampler in ("dpmpp_2m", "euler_a", "plms", "unipc")
    ]
    for result in engines(name).run(requests):
        check(models[name], result)


@pytest.mark.parametrize(
    "sampler", ["lms", "dpmpp_3m", "sa", "deis", "heun", "kdpm2_a", "tcd", "ddpm"]
)
def test_samplers_with_memory_inside_a_mask(
    sampler: str, models: dict[str, Path], engines: Callable[[str], Engine]
) -> None:
    request = Request(
        "a cat",
        seed=8,
        steps=9,
        guidance_scale=3.0,
        sampler=sampler,
        init_image=oracle.picture(16, 16),
        mask_image=oracle.mask(16, 16),
        strength=0.8,
    )
    check(models["sd1"], engines("sd1").run([request])[0])


@pytest.mark.parametrize("strength", [0.3, 0.7, 1.0])
def test_inside_a_mask_with_nine_channels(
    strength: float, models: dict[str, Path], engines: Callable[[str], Engine]
) -> None:
    requests = [
        Request(
            "a blue dog",
            seed=5,
            steps=10,
            guidance_scale=guidance,
            sampler=sampler,
            init_image=oracle.picture(16, 24),
            mask_image=oracle.mask(16, 24),
            strength=strength,
        )
        for sampler in ("dpmpp_2m", "euler_a", "plms")
        for guidance in (1.0, 5.0)
    ]
    for result in engines("inpaint").run(requests):
        check(models["inpaint"], result)


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_guidance_rescale_and_eta(
    name: str, models: dict[str, Path], engines: Callable[[str], Engine]
) -> None:
    requests = [
        Request(
            "a cat", seed=2, steps=8, guidance_scale=7.5, guidance_rescale=0.7, sampler="euler"
        ),
        Request("a cat", seed=2, steps=8, guidance_scale=5.0, eta=0.6, sampler="ddim"),
        Request("a cat", seed=3, steps=4, guidance_scale=2.0, eta=0.3, sampler="tcd"),
    ]
    for result in engines(name).run(requests):
        check(models[name], result)


def test_two_runs_give_the_same_bytes(engines: Callable[[str], Engine]) -> None:
    request = Request("a red cat", seed=7, steps=6, sampler="dpmpp_2m_sde")
    first, second = (engines("house").run([request])[0] for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.seed == 7
