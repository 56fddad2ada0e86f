"""Every stage for a few steps on a few drawn pictures, and going on after a kill."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL, LCMScheduler, StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from training import autoencoder, denoiser, distil, export, latents, synonyms, text_encoder
from training.caption_bank import other_words, write_bank
from training.manifest import on_background, read_manifest
from training.networks import build_scheduler, build_text_encoder
from training.tokenizer import build_tokenizer
from training.workspace import Workspace

pytestmark = pytest.mark.filterwarnings("ignore")  # the stages' libraries, not ours


def stage(workspace: Workspace, *options: str) -> list[str]:
    return ["--root", str(workspace.root), *options]


def steps(workspace: Workspace, name: str) -> int:
    state = torch.load(workspace.run(name) / "checkpoint.pt", weights_only=True)
    return state["step"]


@pytest.fixture
def taught(workspace: Workspace) -> Workspace:
    """A workspace where the teacher has spoken; a few steps need none of its real weights."""
    rows = read_manifest(workspace)
    texts, words = write_bank(rows, 0).texts, other_words(workspace, rows)
    targets = torch.nn.functional.normalize(torch.randn(len(texts) + len(words), 256), dim=-1)
    # In the teacher's mind a disc is much like a circle.
    targets[len(texts) + words.index("disc")] = targets[len(texts) + words.index("circle")]
    save_file({"targets": targets}, workspace.run("text_encoder") / "teacher.safetensors")
    return workspace


def test_the_stages_make_a_pipeline_that_diffusers_loads_and_paints_with(
    taught: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denoiser, "SHEET_PROMPTS", denoiser.SHEET_PROMPTS[:2])
    few = ["--threads", "2", "--batch", "2"]
    autoencoder.main(stage(taught, *few, "--max-steps", "2"))
    text_encoder.main(stage(taught, *few, "--max-steps", "2"))
    text_encoder.main(stage(taught, *few, "--max-steps", "3"))
    assert steps(taught, "text_encoder") == 3
    latents.main(stage(taught, "--threads", "2"))
    denoiser.main(stage(taught, *few, "--max-steps", "2"))
    denoiser.main(stage(taught, *few, "--max-steps", "3"))
    assert steps(taught, "denoiser") == 3
    assert list(taught.run("denoiser").glob("sheet-*.png"))

    shown = load_file(taught.latents)["latents"]
    assert shown.mean().abs() < 1e-3
    assert abs(shown.std().item() - 1) < 0.02

    house = tmp_path / "house"
    export.main(stage(taught, "--target", str(house)))
    pipeline = StableDiffusionPipeline.from_pretrained(house, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    painted = pipeline("a red circle", num_inference_steps=2, output_type="np").images
    assert painted.shape == (1, 128, 128, 3)
    assert np.isfinite(painted).all()
    sibling = tmp_path / "few-steps"
    distil.main(stage(taught, *few, "--max-steps", "2", "--export-to", str(sibling)))
    assert steps(taught, "distil") == 2
    quick = StableDiffusionPipeline.from_pretrained(sibling, torch_dtype=torch.float32)
    quick.set_progress_bar_config(disable=True)
    said = {"num_inference_steps": 2, "guidance_scale": 1.0, "output_type": "np"}
    assert np.isfinite(quick("a red circle", **said).images).all()
    names = json.loads((house / "model_index.json").read_text())
    assert names["safety_checker"] == [None, None]
    assert str(taught.root) not in "".join(path.read_text() for path in house.rglob("*.json"))


def test_a_new_word_is_drawn_towards_the_name_that_the_teacher_puts_nearest(
    taught: Workspace,
) -> None:
    few = ["--threads", "2", "--batch", "4"]
    text_encoder.main(stage(taught, *few, "--max-steps", "1"))
    rows = read_manifest(taught)
    words = other_words(taught, rows)
    targets = load_file(taught.run("text_encoder") / "teacher.safetensors")["targets"]
    pairs = synonyms.pair_words(words, targets[-len(words) :].float(), rows)
    assert pairs == [("disc", "circle")]
    synonyms.main(stage(taught, *few, "--max-steps", "2"))
    assert steps(taught, "synonyms") == 2
    assert taught.text_encoder == taught.run("synonyms") / "text_encoder"


def test_a_killed_stage_goes_on_from_its_checkpoint(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoencoder, "CHECKPOINT_EVERY_S", 0.0)
    real = autoencoder.picture_loss
    calls = []

    def killed(*tensors: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*tensors)

    monkeypatch.setattr(autoencoder, "picture_loss", killed)
    few = stage(workspace, "--threads", "2", "--batch", "2", "--max-steps", "4")
    with pytest.raises(KeyboardInterrupt):
        autoencoder.main(few)
    assert steps(workspace, "autoencoder") == 2

    autoencoder.main(few)
    assert steps(workspace, "autoencoder") == 4
    assert len(calls) == 5


def test_a_spent_budget_trains_no_further(workspace: Workspace) -> None:
    few = ["--threads", "2", "--batch", "2"]
    autoencoder.main(stage(workspace, *few, "--max-steps", "1"))
    autoencoder.main(stage(workspace, *few, "--minutes", "0.0001"))
    assert steps(workspace, "autoencoder") == 1


def test_folding_the_normalisation_changes_latents_but_not_pictures() -> None:
    torch.manual_seed(0)
    vae = autoencoder.build().eval()
    pictures = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = vae.encode(pictures).latent_dist.mode()
        painted = vae.decode(before).sample
        mean, deviation = before.mean((0, 2, 3)), before.std((0, 2, 3))
        latents.fold_normalisation(vae, mean, deviation)
        after = vae.encode(pictures).latent_dist.mode()
        again = vae.decode(after).sample
    assert isinstance(vae, AutoencoderKL)
    torch.testing.assert_close(after.mean((0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(after.std((0, 2, 3)), torch.ones(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(again, painted, atol=1e-4, rtol=1e-3)


def test_a_mirror_image_shares_its_pictures_captions_and_weight(workspace: Workspace) -> None:
    rows = [replace(row, flips=i % 2 == 0) for i, row in enumerate(read_manifest(workspace))]
    shown = np.array([2, 3, 4, 7])
    weights = np.zeros(len(rows))
    weights[shown] = (0.4, 0.3, 0.2, 0.1)
    pictures = np.load(workspace.pictures)
    pictures[:, :, :64, 3] = 0  # half of each is gone, or no mirror image would differ
    np.save(workspace.pictures, pictures)
    vae = autoencoder.build()
    vae.save_pretrained(workspace.run("autoencoder") / "model")
    latents.prepare_pictures(workspace, rows, shown, weights, Accelerator(cpu=True), flips=True)
    hidden = torch.randn(9, 77, 256).half()
    captions = torch.arange(1, 9).view(4, 2)
    save_file({"hidden": hidden, "captions": captions}, workspace.captions)

    examples = denoiser.Examples.load(workspace)
    assert examples.weights.tolist() == pytest.approx([0.2, 0.3, 0.1, 0.1, 0.2, 0.1])
    assert examples.captions.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [1, 2], [5, 6]]
    turned = autoencoder.to_tensor(on_background(pictures[4])[None, :, ::-1])
    finished = AutoencoderKL.from_pretrained(workspace.run("latents") / "autoencoder")
    with torch.no_grad():
        wanted = finished.encode(turned).latent_dist.mode()[0]
    like = torch.nn.functional.cosine_similarity
    mirrored, plain = (like(examples.latents[i].ravel(), wanted.ravel(), 0) for i in (5, 2))
    assert mirrored > 0.95  # encoded in bfloat16
    assert mirrored > plain + 0.05

    save_file({"hidden": hidden, "captions": captions[:3]}, workspace.captions)
    with pytest.raises(SystemExit, match="emphasis"):
        denoiser.Examples.load(workspace)


def test_a_short_text_reads_the_same_whether_its_padding_is_cut_or_not(
    workspace: Workspace,
) -> None:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(workspace.downloads, workspace.root / "tokenizer")
    trainee = text_encoder.Trainee(build_text_encoder(tokenizer)).eval()
    texts = ["a", "a red circle", "circle " * 4, "a rather long text about a circle"]
    encoded = tokenizer(
        texts, padding="max_length", truncation=True, max_length=24, return_tensors="pt"
    )
    ends = encoded.attention_mask.sum(1) - 1
    assert (ends <= text_encoder.SHORT_END).any()
    assert (ends > text_encoder.SHORT_END).any()
    with torch.no_grad():
        cut, _ = trainee.read(encoded.input_ids, ends, in_full=False)
        whole, _ = trainee.read(encoded.input_ids, ends, in_full=True)
    torch.testing.assert_close(cut, whole, atol=1e-5, rtol=1e-4)


def test_the_distilled_step_is_ddims_own_and_leaves_clean_latents_alone() -> None:
    path = distil.NoisePath(torch.device("cpu"))
    x, v = torch.randn(2, 3, 4, 8, 8)
    scheduler = build_scheduler()
    scheduler.set_timesteps(distil.SOLVER_STEPS)
    late = torch.full((3,), 500)
    early = late - 1000 // distil.SOLVER_STEPS
    stepped = path.add_noise(*path.split(x, v, late), early)
    torch.testing.assert_close(stepped, scheduler.step(v, 500, x).prev_sample, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(distil.consistent(path, x, v, torch.zeros(3).long()), x)
    sampler = LCMScheduler.from_config(scheduler.config)
    sampler.sigma_data = distil.SIGMA_DATA
    skip, out = sampler.get_scalings_for_boundary_condition_discrete(500)
    wanted = skip * x + out * path.split(x, v, late)[0]
    torch.testing.assert_close(distil.consistent(path, x, v, late), wanted, atol=1e-5, rtol=1e-4)
    far, near = distil.draw_neighbours(500, torch.Generator().manual_seed(0))
    assert far.max() == 999
    assert near.min() == 0
