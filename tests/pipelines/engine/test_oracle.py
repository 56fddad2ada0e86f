"""The engine paints what diffusers' own pipelines paint: same seed, at most one grey level off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from limner.bot.settings import HOUSE_MODEL
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
@pytest.mark.parametrize("name", ["inpaint", "sd2-inpaint", "sdxl-inpaint"])
def test_inside_a_mask_with_nine_channels(
    name: str, strength: float, models: dict[str, Path], engines: Callable[[str], Engine]
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
    for result in engines(name).run(requests):
        check(models[name], result)


@pytest.mark.parametrize("name", ["sd2", "sdxl"])
def test_a_negative_prompt_over_a_wide_picture_and_inside_its_mask(
    name: str, models: dict[str, Path], engines: Callable[[str], Engine]
) -> None:
    over = Request(
        "a blue dog",
        negative_prompt="red cat",
        seed=6,
        steps=8,
        guidance_scale=6.0,
        init_image=oracle.picture(24, 16),
        strength=0.6,
    )
    inside = replace(over, mask_image=oracle.mask(24, 16), seed=7, sampler="euler")
    for result in engines(name).run([over, inside, replace(inside, strength=1.0)]):
        assert result.image.size == (24, 16)
        check(models[name], result)


@pytest.mark.parametrize("name", ["lcm", "sdxl-lcm"])
def test_a_distilled_denoiser_takes_the_guidance_itself_and_one_row(
    name: str, models: dict[str, Path], engines: Callable[[str], Engine]
) -> None:
    engine = engines(name)
    usual = Request("a blue dog", seed=3)
    over = Request("a cat", seed=5, steps=6, guidance_scale=2.0, init_image=oracle.picture(16, 16))
    requests = [
        usual,
        replace(usual, guidance_scale=1.0, negative_prompt="red", steps=4),
        replace(usual, guidance_scale=3.5, steps=8, sampler="dpmpp_2m"),
        over,
        replace(over, mask_image=oracle.mask(16, 16)),
    ]
    ids = [engine.add(request) for request in requests]
    while engine.live_rows < len(requests):
        engine.step()
    for request_id in ids:
        engine.cancel(request_id)
    results = engine.run(requests)
    assert (results[0].request.sampler, results[0].request.guidance_scale) == ("lcm", 8.0)
    for result in results:
        check(models[name], result)
    first = oracle.paint(models[name], results[0].request)
    other = oracle.paint(models[name], replace(results[0].request, guidance_scale=2.0))
    assert (first != other).any(), "the scale matters"


@pytest.mark.parametrize("is_tiled", [False, True], ids=["one by one", "in tiles"])
def test_what_is_decoded_in_parts_for_want_of_memory_is_the_same_picture(
    is_tiled: bool, models: dict[str, Path]
) -> None:
    """A VAE that tiles blends its seams, so only flat parts are exactly the whole's; diffusers'
    own tiling is the oracle there."""
    engine = Engine.from_pretrained(models["house"])
    vae = engine._shelf.get(engine._shelf.default, lambda _: False).codec.vae
    # The house model's own tile is a whole picture: smaller ones, or there would be one tile.
    vae.tile_latent_min_size, vae.tile_sample_min_size = 8, 64
    most = (1, 8 * 8) if is_tiled else (1, 16 * 16)

    def refuse(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        rows, _, height, width = inputs[0].shape
        if rows > most[0] or height * width > most[1]:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    vae.decoder.register_forward_pre_hook(refuse)
    requests = [Request("a blue dog", seed=seed, steps=3) for seed in (1, 2)]
    for result in engine.run(requests):
        if not is_tiled:
            check(models["house"], result)
            continue
        pipeline, _ = oracle.open_pipeline(models["house"], "text")
        pipeline.vae.tile_latent_min_size, pipeline.vae.tile_sample_min_size = 8, 64
        pipeline.vae.enable_tiling()
        try:
            check(models["house"], result)
        finally:
            pipeline.vae.disable_tiling()


def test_the_shipped_model_paints_what_diffusers_paints() -> None:
    """As its card says: `StableDiffusionPipeline.from_pretrained("pipelines/house")`."""
    engine = Engine.from_pretrained(HOUSE_MODEL)
    requests = [
        Request("a red heart", seed=42, steps=10, sampler="ddim"),
        Request("a blue star", negative_prompt="red", seed=7, steps=8, sampler="dpmpp_2m"),
    ]
    for result in engine.run(requests):
        check(HOUSE_MODEL, result)


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
