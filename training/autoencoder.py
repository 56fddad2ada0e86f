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
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from .budget import CHECKPOINT_EVERY_S, Budget, agreed_progress, load_checkpoint, save_checkpoint
from .journal import Journal
from .manifest import on_background, read_manifest
from .sheets import save_sheet
from .workspace import Workspace, stage_parser

# The bottleneck collapses to the prior for good if the KL pulls before the decoder listens (Adam
# makes
# any lone gradient large), so it starts nearly noiseless and the KL waits.
KL_WEIGHT = 1e-6
KL_FROM_STEP = 300
# The first part of the budget sees pictures at half size: four times as many a second, and denser
# in content.
HALF_SIZE_UNTIL = 0.8
# Keeps the decoder calm about the denoiser's small errors.
LATENT_NOISE = 0.03
EMA_DECAY = 0.99
LOOK_EVERY_S = 300.0
FIRST_LOG_VARIANCE = -5.0
EDGE_WEIGHT = 0.6
COLOUR_WEIGHT = 1.5
THUMBNAIL_WEIGHT = 1.0


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


def opponents(x: Tensor) -> Tensor:
    """Red against green and yellow against blue: what is left of a colour without its lightness."""
    red, green, blue = x.unbind(1)
    return torch.stack([red - green, (red + green) / 2 - blue], 1)


def picture_loss(painted: Tensor, target: Tensor) -> Tensor:
    """L1 on pixels, on differences at two distances (sharp outlines) and on hues (true colours).

    Without the last a short run spends its four channels on outlines and one axis of colour.
    """
    loss = functional.l1_loss(painted, target) + 0.5 * functional.mse_loss(painted, target)
    loss = loss + COLOUR_WEIGHT * functional.l1_loss(
        functional.avg_pool2d(opponents(painted), 4), functional.avg_pool2d(opponents(target), 4)
    )
    for step in (1, 3):
        for got, wanted in zip(edges(painted, step), edges(target, step), strict=True):
            loss = loss + EDGE_WEIGHT * 0.25 * functional.l1_loss(got, wanted)
    return loss


class Reconstruction(nn.Module):
    """The whole way of a picture through the bottleneck, as one call that processes can share."""

    def __init__(self, model: AutoencoderKL) -> None:
        super().__init__()
        self.model = model
        # Reads a thumbnail straight off the latents, so that their channels hold all three axes
        # of colour from the start; without it a short run finds only two. It is not shipped.
        self.thumbnail = nn.Conv2d(model.config["latent_channels"], 3, 1)

    def forward(self, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The painted picture, the mean KL of its latents, and the thumbnail's error."""
        posterior = self.model.encode(target).latent_dist
        latents = posterior.sample()
        noise = LATENT_NOISE * posterior.mean.detach().std() * torch.randn_like(latents)
        painted = self.model.decode(latents + noise).sample
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        small = functional.avg_pool2d(target, target.shape[-1] // latents.shape[-1])
        return painted, kl, functional.l1_loss(self.thumbnail(latents).float(), small)


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
    parser.add_argument(
        "--decoder-only", action="store_true", help="after stage 4: the latents stay as they are"
    )
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    set_seed(options.seed)
    workspace = Workspace(options.root)
    folder = workspace.run("decoder" if options.decoder_only else "autoencoder")
    accelerator = Accelerator(mixed_precision="bf16", cpu=not torch.cuda.is_available())

    rows = read_manifest(workspace)
    pictures = np.load(workspace.pictures, mmap_mode="r")
    known = np.array([i for i, row in enumerate(rows) if not row.held_out])
    share = np.array([1.0 if rows[i].natural else 0.2 for i in known])
    held_out = [i for i, row in enumerate(rows) if row.held_out and row.natural][:96]
    held_out_pictures = np.stack([on_background(np.asarray(pictures[i])) for i in held_out])

    model = build()
    if options.decoder_only:
        model = AutoencoderKL.from_pretrained(workspace.run("latents") / "autoencoder")
        model.encoder.requires_grad_(False)
        model.quant_conv.requires_grad_(False)
    model = model.to(accelerator.device, memory_format=torch.channels_last)
    reconstruction = Reconstruction(model).to(accelerator.device)
    optimizer = torch.optim.AdamW(
        [p for p in reconstruction.parameters() if p.requires_grad],
        options.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=1e-4,
    )
    ema = EMAModel(model.parameters(), decay=EMA_DECAY)
    step, spent_s = 0, 0.0
    if state := load_checkpoint(folder / "checkpoint.pt"):
        reconstruction.load_state_dict(state["reconstruction"])
        optimizer.load_state_dict(state["optimizer"])
        ema.load_state_dict(state["ema"])
        ema.decay = EMA_DECAY
        step, spent_s = state["step"], state["spent_s"]
    budget, journal = Budget(options.minutes, spent_s), Journal(folder)
    rng = np.random.default_rng([options.seed, step, accelerator.process_index])
    network, optimizer = accelerator.prepare(reconstruction, optimizer)
    first = accelerator.is_main_process

    def look() -> float:
        """Measure, show and save the averaged weights."""
        ema.store(model.parameters())
        ema.copy_to(model.parameters())
        score, painted = psnr(model.eval(), held_out_pictures, accelerator)
        model.save_pretrained(folder / "model")
        ema.restore(model.parameters())
        model.train()
        pairs = np.stack([held_out_pictures[:32], painted[:32]], 1)
        save_sheet(pairs.reshape(-1, *painted.shape[1:]), 16, folder / "sheet.png")
        return score

    def save() -> None:
        state = {
            "reconstruction": reconstruction.state_dict(),
            "optimizer": optimizer.state_dict(),
            "ema": ema.state_dict(),
        }
        save_checkpoint(folder / "checkpoint.pt", state | {"step": step, "spent_s": budget.spent_s})

    last_save, last_look = time.monotonic(), time.monotonic()
    bar = tqdm(desc="autoencoder", mininterval=20, disable=not first)
    while step < options.max_steps:
        progress = agreed_progress(budget, accelerator)
        if progress >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = budget.learning_rate(options.learning_rate, step, 150)
        halved = progress < HALF_SIZE_UNTIL and not options.decoder_only
        chosen = rng.choice(known, options.batch * (2 if halved else 1), p=share / share.sum())
        target = draw_batch(pictures, chosen, rng, halved=halved).to(
            accelerator.device, memory_format=torch.channels_last
        )
        painted, kl, thumbnail = network(target)
        loss = picture_loss(painted.float(), target) + THUMBNAIL_WEIGHT * thumbnail
        loss = loss + (KL_WEIGHT if step > KL_FROM_STEP else 0.0) * kl
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        if not first:
            continue
        ema.step(model.parameters())
        journal.add({"loss": loss.item(), "kl": kl.item(), "thumbnail": thumbnail.item()})
        bar.update()
        if step % 20 == 0:
            extra: dict[str, float] = {}
            if time.monotonic() - last_look > LOOK_EVERY_S:
                extra["psnr_db"], last_look = round(look(), 2), time.monotonic()
            bar.set_postfix(journal.write(step, budget.spent_s, **extra))
        if time.monotonic() - last_save > CHECKPOINT_EVERY_S:
            save()
            last_save = time.monotonic()
    if not first:
        return
    save()
    score = look()
    journal.write(step, budget.spent_s, psnr_db=round(score, 2))
    journal.draw("loss", "kl", "psnr_db")
    print(f"{step} steps, held-out PSNR {score:.2f} dB")


if __name__ == "__main__":
    main()
