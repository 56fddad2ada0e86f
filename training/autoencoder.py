"""Stage 2: train the `AutoencoderKL` (factor 8, 4 channels) that pictures are painted in.

Method: perceptual compression with a lightly KL-regularised bottleneck (Rombach et al. 2022,
arXiv:2112.10752, section 3.1). The edge term stands in for a perceptual network, which no
registry carries: icon art is edges and flat colour.
"""

import time

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from diffusers import AutoencoderKL
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from .budget import (
    CHECKPOINT_EVERY_S,
    Budget,
    Journal,
    load_checkpoint,
    save_checkpoint,
    save_sheet,
)
from .data import on_background, read_manifest
from .workspace import Workspace, stage_parser

# The bottleneck collapses to the prior for good if the KL pulls before the decoder listens (Adam
# makes
# any lone gradient large), so it starts nearly noiseless and the KL waits.
KL_WEIGHT = 1e-6
KL_FROM_STEP = 300
# The first part of the budget sees pictures at half size: four times as many a second, and denser
# in content.
HALF_SIZE_UNTIL = 0.6
# Keeps the decoder calm about the denoiser's small errors.
LATENT_NOISE = 0.03
FIRST_LOG_VARIANCE = -5.0
EDGE_WEIGHT = 0.7
PATCH_WEIGHT = 1.5


def build() -> AutoencoderKL:
    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 96, 192),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=128,
        scaling_factor=1.0,
    )
    with torch.no_grad():
        model.quant_conv.weight[4:] *= 0.1
        model.quant_conv.bias[4:] = FIRST_LOG_VARIANCE
    return model


def to_tensor(pictures: np.ndarray) -> Tensor:
    """``(n, h, w, 3)`` uint8 to ``(n, 3, h, w)`` float32 in -1..1."""
    return (
        torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    )


def to_pictures(tensor: Tensor) -> np.ndarray:
    scaled = ((tensor.float() + 1.0) * 127.5).round().clamp(0, 255)
    return scaled.permute(0, 2, 3, 1).byte().cpu().numpy()


def edges(x: Tensor, step: int) -> tuple[Tensor, Tensor]:
    return x[..., step:] - x[..., :-step], x[..., step:, :] - x[..., :-step, :]


def picture_loss(painted: Tensor, target: Tensor) -> Tensor:
    """L1 on pixels, on differences at two distances (sharp outlines) and on patch means (true
    colours)."""
    loss = functional.l1_loss(painted, target) + 0.5 * functional.mse_loss(painted, target)
    loss = loss + PATCH_WEIGHT * functional.l1_loss(
        functional.avg_pool2d(painted, 8), functional.avg_pool2d(target, 8)
    )
    for step in (1, 3):
        for got, wanted in zip(edges(painted, step), edges(target, step), strict=True):
            loss = loss + EDGE_WEIGHT * 0.25 * functional.l1_loss(got, wanted)
    return loss


def draw_batch(
    pictures: np.ndarray, rows: np.ndarray, rng: np.random.Generator, *, halved: bool
) -> Tensor:
    """Pictures on white or now and then on a colour, mirrored and shifted; half size if asked."""
    batch = []
    for index in rows:
        picture = np.asarray(pictures[index])
        colour = (
            (255, 255, 255)
            if rng.random() < 0.88
            else tuple(int(c) for c in rng.integers(0, 256, 3))
        )
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
        shift = rng.integers(-4, 5, 2) if rng.random() < 0.5 else (0, 0)
        batch.append(on_background(np.roll(picture, shift, (0, 1)), colour))
    flat = np.stack(batch)
    if halved:
        count, height, width, _ = flat.shape
        flat = flat.reshape(count, height // 2, 2, width // 2, 2, 3).mean((2, 4)).astype(np.uint8)
    return to_tensor(flat)


@torch.no_grad()
def psnr(
    model: AutoencoderKL, pictures: np.ndarray, accelerator: Accelerator
) -> tuple[float, np.ndarray]:
    """Mean PSNR in dB over pictures, and the reconstructions."""
    scores, painted = [], []
    for start in range(0, len(pictures), 16):
        target = to_tensor(pictures[start : start + 16]).to(accelerator.device)
        with accelerator.autocast():
            out = model.decode(model.encode(target).latent_dist.mode()).sample
        error = ((out.float().clamp(-1, 1) - target) / 2).pow(2).mean((1, 2, 3))
        scores += (-10 * torch.log10(error)).tolist()
        painted.append(to_pictures(out))
    return float(np.mean(scores)), np.concatenate(painted)


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, minutes=25)
    parser.add_argument(
        "--batch", type=int, default=8, help="at full size; twice that at half size"
    )
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--max-steps", type=int, default=10**9)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    set_seed(options.seed)
    workspace = Workspace(options.root)
    folder = workspace.run("autoencoder")
    accelerator = Accelerator(mixed_precision="bf16", cpu=not torch.cuda.is_available())

    rows = read_manifest(workspace)
    pictures = np.load(workspace.pictures, mmap_mode="r")
    known = np.array([i for i, row in enumerate(rows) if not row.held_out])
    share = np.array([1.0 if rows[i].natural else 0.2 for i in known])
    held_out = [i for i, row in enumerate(rows) if row.held_out and row.natural][:96]
    held_out_pictures = np.stack([on_background(np.asarray(pictures[i])) for i in held_out])

    model = build().to(accelerator.device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        model.parameters(), options.learning_rate, betas=(0.9, 0.98), weight_decay=1e-4
    )
    ema = EMAModel(model.parameters(), decay=0.998)
    step, spent_s = 0, 0.0
    if state := load_checkpoint(folder / "checkpoint.pt"):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        ema.load_state_dict(state["ema"])
        step, spent_s = state["step"], state["spent_s"]
    budget, journal = Budget(options.minutes, spent_s), Journal(folder)
    rng = np.random.default_rng(options.seed + step)

    def look(write_sheet: bool = True) -> float:
        ema.store(model.parameters())
        ema.copy_to(model.parameters())
        score, painted = psnr(model.eval(), held_out_pictures, accelerator)
        ema.restore(model.parameters())
        model.train()
        if write_sheet:
            pairs = np.stack([held_out_pictures[:32], painted[:32]], 1).reshape(
                -1, *painted.shape[1:]
            )
            save_sheet(pairs, 16, folder / "sheet.png")
        return score

    def save() -> None:
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "ema": ema.state_dict(),
        }
        save_checkpoint(folder / "checkpoint.pt", state | {"step": step, "spent_s": budget.spent_s})

    last_save, last_look = time.monotonic(), time.monotonic()
    bar = tqdm(desc="autoencoder", mininterval=20)
    while not budget.is_over and step < options.max_steps:
        for group in optimizer.param_groups:
            group["lr"] = budget.learning_rate(options.learning_rate, step, 150)
        halved = budget.progress < HALF_SIZE_UNTIL
        chosen = rng.choice(known, options.batch * (2 if halved else 1), p=share / share.sum())
        target = draw_batch(pictures, chosen, rng, halved=halved).to(
            accelerator.device, memory_format=torch.channels_last
        )
        with accelerator.autocast():
            posterior = model.encode(target).latent_dist
            latents = posterior.sample()
            latents = latents + LATENT_NOISE * posterior.mean.detach().std() * torch.randn_like(
                latents
            )
            painted = model.decode(latents).sample
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        loss = picture_loss(painted.float(), target) + (
            KL_WEIGHT * kl if step > KL_FROM_STEP else 0.0
        )
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ema.step(model.parameters())
        step += 1
        journal.add({"loss": loss.item(), "kl": kl.item()})
        bar.update()
        if step % 20 == 0:
            extra: dict[str, float] = {}
            if time.monotonic() - last_look > 420:
                extra["psnr_db"], last_look = round(look(), 2), time.monotonic()
            bar.set_postfix(journal.write(step, budget.spent_s, **extra))
        if time.monotonic() - last_save > CHECKPOINT_EVERY_S:
            save()
            last_save = time.monotonic()
    save()
    score = look()
    journal.write(step, budget.spent_s, psnr_db=round(score, 2))
    journal.draw("loss", "kl", "psnr_db")
    ema.copy_to(model.parameters())
    model.save_pretrained(folder / "model")
    print(f"{step} steps, held-out PSNR {score:.2f} dB")


if __name__ == "__main__":
    main()
