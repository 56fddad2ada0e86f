"""LoRA files in both layouts: asked for by name, in the batch key, exact beside others."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from limner.pipelines import (
    Adapter,
    Engine,
    InvalidRequestError,
    Lora,
    ModelError,
    Request,
    describe,
)
from limner.pipelines.families.family import PromptAsk

if TYPE_CHECKING:
    from pathlib import Path

ASK = Request("a red cat", seed=1, steps=4, guidance_scale=3.0)
_ONE = {"num_images_per_prompt": 1, "do_classifier_free_guidance": False}
TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]


def _open(path: Path, family: str = "sd1") -> Any:
    import diffusers

    name = "StableDiffusionXLPipeline" if family == "sdxl" else "StableDiffusionPipeline"
    with warnings.catch_warnings(action="ignore"):
        pipe = getattr(diffusers, name).from_pretrained(path)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def files(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same random adapter in diffusers' and in kohya's layout."""
    from peft import LoraConfig, get_peft_model_state_dict

    folder = tmp_path_factory.mktemp("loras")
    unet = _open(models["sd1"]).unet
    torch.manual_seed(9)
    unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=TARGETS, init_lora_weights=False))
    plain: dict[str, torch.Tensor] = get_peft_model_state_dict(unet)
    save_file(
        {f"unet.{name}": tensor.contiguous() for name, tensor in plain.items()},
        folder / "diffusers.safetensors",
    )
    kohya: dict[str, torch.Tensor] = {}
    for name, tensor in plain.items():
        module, half = name.removesuffix(".weight").rsplit(".lora_", 1)
        stem = "lora_unet_" + module.replace(".", "_")
        kohya[f"{stem}.lora_{'down' if half == 'A' else 'up'}.weight"] = tensor.contiguous()
        kohya[f"{stem}.alpha"] = torch.tensor(4.0)
    save_file(kohya, folder / "kohya.safetensors")
    return {name: folder / f"{name}.safetensors" for name in ("diffusers", "kohya")}


@pytest.fixture(scope="module")
def engine(models: dict[str, Path], files: dict[str, Path]) -> Engine:
    adapters = [Adapter(name, path, weight=0.5) for name, path in files.items()]
    return Engine([describe(models["sd1"], name="sd1")], adapters=adapters)


def _expected(models: dict[str, Path], file: Path, weight: float) -> np.ndarray[Any, Any]:
    pipe = _open(models["sd1"])
    with warnings.catch_warnings(action="ignore"):
        pipe.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name="it")
        pipe.set_adapters(["it"], [weight])
    return _paint(pipe)


def _paint(pipe: Any) -> np.ndarray[Any, Any]:
    from limner.pipelines.sampling.recipes import build_scheduler

    with warnings.catch_warnings(action="ignore"):
        pipe.scheduler = build_scheduler("dpmpp_2m", pipe.scheduler.config)
        picture = pipe(
            ASK.prompt,
            num_inference_steps=4,
            guidance_scale=3.0,
            generator=torch.Generator().manual_seed(1),
        ).images[0]
    return np.asarray(picture).astype(int)


@pytest.mark.parametrize("layout", ["diffusers", "kohya"])
def test_an_adapter_paints_what_diffusers_paints_with_it(
    layout: str, engine: Engine, models: dict[str, Path], files: dict[str, Path]
) -> None:
    plain, asked, tagged, named = engine.run(
        [
            ASK,
            replace(ASK, loras=(Lora(layout, 0.8),)),
            replace(ASK, prompt=f"a red cat <lora:{layout}>"),
            replace(ASK, loras=(Lora(layout),)),
        ]
    )
    got = np.asarray(asked.image).astype(int)
    assert np.abs(got - _expected(models, files[layout], 0.8)).max() <= 1
    usual = np.asarray(tagged.image).astype(int)
    assert np.abs(usual - _expected(models, files[layout], 0.5)).max() <= 1
    assert tagged.request.prompt == "a red cat"
    assert tagged.request.loras == named.request.loras == (Lora(layout, 0.5),)
    assert named.image.tobytes() == tagged.image.tobytes()
    assert np.abs(np.asarray(plain.image).astype(int) - got).max() > 1, "it changes something"


def test_requests_with_and_without_an_adapter_do_not_touch_each_other(
    engine: Engine, models: dict[str, Path]
) -> None:
    alone = Engine.from_pretrained(models["sd1"]).run([ASK])[0]
    crowd = engine.run([ASK, replace(ASK, loras=(Lora("kohya"),)), ASK])
    assert crowd[0].image.tobytes() == crowd[2].image.tobytes()
    apart = np.asarray(crowd[0].image).astype(int) - np.asarray(alone.image).astype(int)
    assert np.abs(apart).max() <= 1


def _train_all(pipe: Any) -> dict[str, Any]:
    """A random adapter on the denoiser and on every text encoder: weights by part."""
    from peft import LoraConfig, get_peft_model_state_dict

    torch.manual_seed(10)
    text = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
    wanted = {"unet": TARGETS, "text_encoder": text, "text_encoder_2": text}
    weights: dict[str, Any] = {}
    for part, targets in wanted.items():
        if (module := getattr(pipe, part, None)) is not None:
            module.add_adapter(
                LoraConfig(r=4, lora_alpha=4, target_modules=targets, init_lora_weights=False)
            )
            # Small enough that pixels do not saturate, large enough that they move.
            weights[part] = {
                # transformers 5 took the inner model away; the files in the world name it.
                name if part == "unet" else f"text_model.{name.removeprefix('text_model.')}": (
                    0.2 * tensor.contiguous()
                )
                for name, tensor in get_peft_model_state_dict(module).items()
            }
    return weights


def _save_in(layout: str, weights: dict[str, Any], file: Path) -> None:
    is_xl = "text_encoder_2" in weights
    prefix = {"unet": "unet", "text_encoder": "te1" if is_xl else "te", "text_encoder_2": "te2"}
    tensors: dict[str, torch.Tensor] = {}
    for part, named in weights.items():
        for name, tensor in named.items():
            if layout == "diffusers":
                tensors[f"{part}.{name}"] = tensor
                continue
            module, half = name.removesuffix(".weight").rsplit(".lora_", 1)
            stem = f"lora_{prefix[part]}_" + module.replace(".", "_")
            tensors[f"{stem}.lora_{'down' if half == 'A' else 'up'}.weight"] = tensor
            tensors[f"{stem}.alpha"] = torch.tensor(4.0)
    save_file(tensors, file)


def _merge(pipe: Any, weights: dict[str, Any], scale: float) -> None:
    """By hand: W + scale * B A, without anybody's loader."""
    for part, named in weights.items():
        modules = dict(getattr(pipe, part).named_modules())
        for name in named:
            if not name.endswith(".lora_A.weight"):
                continue
            stem = name.removesuffix(".lora_A.weight")
            module = modules.get(stem) or modules[stem.removeprefix("text_model.")]
            with torch.no_grad():
                module.weight += scale * named[f"{stem}.lora_B.weight"] @ named[name]


@pytest.mark.parametrize("layout", ["diffusers", "kohya"])
@pytest.mark.parametrize("model", ["sd1", "sdxl"])
def test_an_adapter_on_text_encoders_too_paints_as_if_it_were_merged_into_the_weights(
    model: str, layout: str, models: dict[str, Path], tmp_path: Path
) -> None:
    weights = _train_all(_open(models[model], model))
    _save_in(layout, weights, tmp_path / "all.safetensors")
    engine = Engine(
        [describe(models[model], name=model)],
        adapters=[Adapter("all", tmp_path / "all.safetensors")],
    )
    plain, adapted = engine.run([ASK, replace(ASK, loras=(Lora("all", 0.7),))])
    expected = [_open(models[model], model) for _ in range(2)]
    _merge(expected[1], weights, 0.7)
    for result, pipe in zip((plain, adapted), expected, strict=True):
        picture = np.asarray(result.image).astype(int)
        assert np.abs(picture - _paint(pipe)).max() <= 1
    loaded = engine._shelf.get(model, lambda _: False)
    loaded.use_adapters((Lora("all", 0.7),), engine._adapters)
    got = loaded.encode_prompts([PromptAsk(ASK.prompt)])[0].context
    with torch.inference_mode():
        without, merged = (
            pipe.encode_prompt(ASK.prompt, device="cpu", **_ONE)[0][0] for pipe in expected
        )
    assert torch.allclose(got, merged, atol=1e-5)
    assert not torch.allclose(without, merged, atol=1e-2), "the texts change"


def test_an_unknown_adapter_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError, match="no adapter called 'magic'"):
        engine.add(replace(ASK, loras=(Lora("magic"),)))


def test_an_adapter_for_another_model_is_refused(
    models: dict[str, Path], files: dict[str, Path]
) -> None:
    adapter = Adapter("ink", files["kohya"], models=("other",))
    engine = Engine([describe(models["sd1"], name="sd1")], adapters=[adapter])
    with pytest.raises(InvalidRequestError, match="not made for the model sd1"):
        engine.add(replace(ASK, loras=(Lora("ink"),)))


def test_an_adapter_that_does_not_fit_fails_its_request_alone(
    models: dict[str, Path], tmp_path: Path
) -> None:
    save_file({"unet.nothing.lora_A.weight": torch.zeros(2, 2)}, tmp_path / "odd.safetensors")
    (tmp_path / "old.pt").write_bytes(b"pickle")
    adapters = [
        Adapter("odd", tmp_path / "odd.safetensors"),
        Adapter("old", tmp_path / "old.pt"),
    ]
    engine = Engine([describe(models["sd1"])], adapters=adapters)
    for name in ("odd", "old"):
        with pytest.raises(ModelError, match=f"The adapter {name}"):
            engine.run([replace(ASK, loras=(Lora(name),))])
    assert engine.run([ASK])


def test_an_adapter_that_was_refused_beside_a_good_one_leaves_nothing_behind(
    models: dict[str, Path], files: dict[str, Path], tmp_path: Path
) -> None:
    save_file({"unet.nothing.lora_A.weight": torch.zeros(2, 2)}, tmp_path / "bad.safetensors")
    adapters = [Adapter("good", files["kohya"]), Adapter("bad", tmp_path / "bad.safetensors")]
    engine = Engine([describe(models["sd1"])], adapters=adapters)
    expected = engine.run([ASK])[0].image.tobytes()
    with pytest.raises(ModelError, match="The adapter bad"):
        engine.run([replace(ASK, loras=(Lora("good"), Lora("bad")))])
    assert engine.run([ASK])[0].image.tobytes() == expected
