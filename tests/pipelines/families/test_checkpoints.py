"""What is read from a checkpoint's files, and what is refused with one sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from limner.pipelines import Engine, ModelError, Request, describe
from limner.pipelines.checkpoint import Standard, Task, standard_of
from limner.pipelines.families import opening, standard
from limner.pipelines.headers import Header, read_header
from tests.pipelines.families import single_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "family", "task", "size_px", "multiple"),
    [
        ("sd1", "sd", Task.TEXT, 16, 2),
        ("inpaint", "sd", Task.INPAINT, 16, 2),
        ("sdxl", "sdxl", Task.TEXT, 16, 2),
        ("house", "sd", Task.TEXT, 128, 8),
    ],
)
def test_a_folder_is_described_by_its_files(
    models: dict[str, Path], name: str, family: str, task: Task, size_px: int, multiple: int
) -> None:
    found = describe(models[name], name="mine", steps=9)
    assert (found.name, found.family, found.task) == ("mine", family, task)
    assert (found.size_px, found.size_multiple_px) == (size_px, multiple)
    assert found.steps == 9
    assert found.num_bytes > 100_000


def test_describing_loads_no_torch(models: dict[str, Path]) -> None:
    code = (
        "import sys; from limner.pipelines import describe, check, rows_of, SAMPLERS, Request;"
        f"c = describe({str(models['sd1'])!r}); check(Request('a cat'), c);"
        "assert rows_of(Request('a cat'), c) == 2;"
        "assert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_fingerprint_tells_weights_and_configuration_apart(
    models: dict[str, Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(models["sd1"], tmp_path / "copy")
    assert describe(copy).fingerprint == describe(models["sd1"]).fingerprint
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + len(data) // 8):
        data[place] ^= 1
    weights.write_bytes(data)
    retrained = describe(copy).fingerprint
    assert retrained != describe(models["sd1"]).fingerprint
    config = copy / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"beta_end": 0.02}))
    assert describe(copy).fingerprint != retrained


def _remove(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def _pickled(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


def _cut(folder: Path) -> None:
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _garbage(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights" * 100)


def _channels(folder: Path) -> None:
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"in_channels": 8}))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_remove("model_index.json"), "no model_index.json"),
        (_remove("unet"), "has no UNet"),
        (_remove("vae"), "lacks vae"),
        (_remove("text_encoder"), "lacks its text_encoder"),
        (_remove("scheduler"), "lacks its scheduler"),
        (_pickled, "is a pickle"),
        (_cut, "is cut off"),
        (_garbage, "not a safetensors file"),
        (_channels, "takes 8 channels"),
    ],
)
def test_a_broken_folder_is_refused_with_a_sentence(
    models: dict[str, Path], tmp_path: Path, change: Callable[[Path], None], sentence: str
) -> None:
    folder = shutil.copytree(models["sd1"], tmp_path / "broken")
    change(folder)
    with pytest.raises(ModelError, match=sentence) as caught:
        describe(folder)
    assert str(caught.value).count(". ") == 0, "one sentence"


def test_missing_pickled_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not where it is configured to be"):
        describe(tmp_path / "nowhere")
    for name, sentence in (("a.ckpt", "is a pickle"), ("a.gguf", "neither")):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ModelError, match=sentence):
            describe(tmp_path / name)
    save_file({"lora": torch.zeros(2)}, tmp_path / "lora.safetensors")
    with pytest.raises(ModelError, match="not a whole Stable Diffusion"):
        describe(tmp_path / "lora.safetensors")


@pytest.mark.parametrize(
    ("channels", "width", "is_xl", "found"),
    [
        (4, 768, False, Standard.SD1),
        (9, 768, False, Standard.SD1_INPAINT),
        (4, 1024, False, Standard.SD2),
        (9, 1024, False, Standard.SD2_INPAINT),
        (4, None, True, Standard.SDXL),
        (9, None, True, Standard.SDXL_INPAINT),
    ],
)
def test_a_single_files_tensors_tell_its_family(
    channels: int, width: int | None, is_xl: bool, found: Standard
) -> None:
    shapes: dict[str, tuple[int, ...]] = {
        "model.diffusion_model.input_blocks.0.0.weight": (320, channels, 3, 3)
    }
    if width:
        name = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
        shapes[name] = (320, width)
    if is_xl:
        shapes["conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias"] = (1280,)
    assert standard_of("x", Header(shapes, {})) is found


@pytest.mark.parametrize("kind", [kind.value for kind in Standard])
def test_a_standard_configuration_is_a_whole_model_but_for_its_weights(
    kind: str, tmp_path: Path
) -> None:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTokenizer

    folder = standard.copy_configuration(kind, tmp_path / kind)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(_read(folder / "unet"))
        AutoencoderKL.from_config(_read(folder / "vae"))
    parameters = sum(weight.numel() for weight in unet.parameters())
    expected = {"sd1": 859.5e6, "sd2": 865.9e6, "sdxl": 2567.5e6}[kind.split("-")[0]]
    assert parameters == pytest.approx(expected, rel=0.001), "as published"
    widths = [
        json.loads((folder / part / "config.json").read_text())["hidden_size"]
        for part in ("text_encoder", "text_encoder_2")
        if (folder / part).exists()
    ]
    assert sum(widths) == unet.config.cross_attention_dim
    CLIPTextConfig.from_pretrained(folder / "text_encoder")
    words = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    # The ids that CLIP's own tokenizer gives, from its published examples.
    assert words("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]


def test_a_single_file_paints_what_its_folder_paints(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In small: the tests' model in the original names, with a configuration of its size."""
    file = single_file.write(models["sd1"], tmp_path / "small.safetensors")
    configs = tmp_path / "configs"
    shutil.copytree(models["sd1"], configs / "sd1", ignore=shutil.ignore_patterns("*.safetensors"))

    def small(kind: str, folder: Path) -> Path:
        shutil.copytree(configs / kind, folder, dirs_exist_ok=True)
        return folder

    monkeypatch.setattr(opening, "copy_configuration", small)
    monkeypatch.setattr(opening, "standard_of", lambda *_: Standard.SD1)
    folder = describe(models["sd1"], name="folder")
    single = _as_file(folder, file)
    ask = Request("a red cat", seed=1, steps=4, guidance_scale=3.0)
    expected = Engine([folder]).run([ask])[0]
    got = Engine([single]).run([ask])[0]
    apart = np.asarray(got.image).astype(int) - np.asarray(expected.image).astype(int)
    assert np.abs(apart).max() <= 1
    assert "cond_stage_model" in "".join(read_header(file).shapes)


def _read(part: Path) -> dict[str, Any]:
    return json.loads((part / "config.json").read_text("utf-8"))


def _as_file(folder: Any, file: Path) -> Any:
    from dataclasses import replace

    return replace(folder, name="single", path=file)
