"""Stage 5: train the `UNet2DConditionModel` on latents, with captions dropped for guidance.

Method: v-prediction (Salimans and Ho 2022, arXiv:2202.00512), min-SNR weighting (Hang et al. 2023,
arXiv:2303.09556), classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598).
Runs in one process, or in several that share the gradients: on a busy machine one process a core
with one thread each loses far less than one process with two threads that wait for each other.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from diffusers.training_utils import EMAModel, compute_snr
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm
from transformers import CLIPTextModel, CLIPTokenizer

from .budget import CHECKPOINT_EVERY_S, Budget, agreed_progress, load_checkpoint, save_checkpoint
from .export import export
from .journal import Journal
from .latents import encode_captions
from .networks import build_denoiser, build_scheduler
from .painting import decode_latents, paint_latents
from .sheets import save_sheet
from .workspace import Workspace, stage_parser

CAPTION_DROPOUT = 0.1
MIN_SNR_GAMMA = 5.0
EMA_DECAY = 0.9985
WARMUP_STEPS = 100
SHEET_PROMPTS = (
    "a red heart",
    "a blue heart",
    "a green square",
    "a yellow star",
    "a purple circle",
    "a pink balloon",
    "a blue car",
    "a red apple",
    "an orange book",
    "a dog",
    "a cat",
    "a smiley",
    "a fish",
    "a tree",
    "a house",
    "pizza",
    "a rocket",
    "an umbrella",
    "3d mushroom",
    "a burger, flat style",
    "a bicycle",
    "a guitar",
    "a puppy",
    "a green dragon",
)


@dataclass(frozen=True, slots=True)
class Examples:
    """What stage 4 wrote, and drawing batches from it."""

    latents: Tensor  # (latents, 4, 16, 16) float32
    captions: Tensor  # (latents, captions a picture) places in `hidden`
    weights: Tensor  # (latents,)
    hidden: Tensor  # (captions, 77, width) float16; row 0 is the empty caption

    @classmethod
    def load(cls, workspace: Workspace) -> "Examples":
        pictures, words = load_file(workspace.latents), load_file(workspace.captions)
        captions = words["captions"]
        # A mirror image has its picture's captions; without any, latents and captions go in step.
        said = pictures.get("said", torch.arange(len(pictures["latents"])))
        if int(said.max()) + 1 != len(captions):
            raise SystemExit(
                "latents and captions were made with different emphasis; run `latents` again"
            )
        return cls(pictures["latents"], captions[said], pictures["weights"], words["hidden"])

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents and their hidden states, some of them of the empty caption."""
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=generator)
        which = torch.randint(self.captions.shape[1], (count,), generator=generator)
        said = self.captions[chosen, which]
        said[torch.rand(count, generator=generator) < CAPTION_DROPOUT] = 0
        return self.latents[chosen], self.hidden[said].float()


def draw_timesteps(count: int, generator: torch.Generator) -> Tensor:
    """Timesteps spread evenly over the batch, so that a small batch still sees every noise
    level."""
    return ((torch.rand(1, generator=generator) + torch.arange(count) / count) % 1.0 * 1000).long()


class Sheet:
    """The prompts that are painted while training, and the decoder that shows them."""

    def __init__(self, workspace: Workspace, accelerator: Accelerator) -> None:
        self.text_encoder = CLIPTextModel.from_pretrained(workspace.text_encoder)
        tokenizer = workspace.run("text_encoder") / "model" / "tokenizer"
        self.tokenizer = CLIPTokenizer.from_pretrained(tokenizer)
        self.vae = AutoencoderKL.from_pretrained(workspace.run("latents") / "autoencoder")
        self.hidden = encode_captions(
            ["", *SHEET_PROMPTS], self.text_encoder, self.tokenizer, accelerator
        ).float()

    def paint(self, unet: UNet2DConditionModel, path: Path) -> None:
        latents = paint_latents(
            unet, self.hidden[1:], self.hidden[0], steps=12, guidance=4.0, seed=3
        )
        save_sheet(decode_latents(self.vae, latents), 6, path)


def v_loss(
    unet: torch.nn.Module, clean: Tensor, hidden: Tensor, timesteps: Tensor, noise: Tensor
) -> Tensor:
    """The min-SNR weighted error of v."""
    scheduler = build_scheduler()
    noisy = scheduler.add_noise(clean, noise, timesteps)
    wanted = scheduler.get_velocity(clean, noise, timesteps)
    got = unet(noisy, timesteps, hidden).sample.float()
    snr = compute_snr(scheduler, timesteps)
    weight = snr.clamp(max=MIN_SNR_GAMMA) / (snr + 1)
    return ((got - wanted).pow(2).mean((1, 2, 3)) * weight.to(clean.device)).mean()


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, minutes=60)
    parser.add_argument("--batch", type=int, default=32, help="in each process")
    parser.add_argument("--learning-rate", type=float, default=6e-4)
    parser.add_argument("--max-steps", type=int, default=10**9)
    parser.add_argument(
        "--show-every", type=float, default=8.0, help="minutes between sample sheets"
    )
    parser.add_argument(
        "--export-to", type=Path, help="also write the pipeline folder here at every sheet"
    )
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    workspace = Workspace(options.root)
    folder = workspace.run("denoiser")
    accelerator = Accelerator(mixed_precision="bf16", cpu=not torch.cuda.is_available())
    set_seed(options.seed)
    examples = Examples.load(workspace)
    unet = build_denoiser()
    optimizer = torch.optim.AdamW(
        unet.parameters(), options.learning_rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True
    )
    ema = EMAModel(
        unet.parameters(),
        decay=EMA_DECAY,
        use_ema_warmup=True,
        inv_gamma=1.0,
        power=0.75,
        foreach=True,
    )
    step, spent_s = 0, 0.0
    if state := load_checkpoint(folder / "checkpoint.pt"):
        unet.load_state_dict(state["unet"])
        optimizer.load_state_dict(state["optimizer"])
        ema.load_state_dict(state["ema"])
        step, spent_s = state["step"], state["spent_s"]
    # On a CPU the plain products are cheaper backwards than the fused kernel (measured: 0.25 s
    # against 0.36 s).
    unet.set_attn_processor(AttnProcessor())
    budget, journal = Budget(options.minutes, spent_s), Journal(folder)
    ema.to(accelerator.device)
    unet, optimizer = accelerator.prepare(unet, optimizer)
    generator = torch.Generator().manual_seed(
        options.seed + 1000 * step + accelerator.process_index
    )
    first = accelerator.is_main_process
    sheet = Sheet(workspace, accelerator) if first else None

    def save() -> None:
        bare = accelerator.unwrap_model(unet)
        state = {
            "unet": bare.state_dict(),
            "optimizer": optimizer.state_dict(),
            "ema": ema.state_dict(),
        }
        save_checkpoint(folder / "checkpoint.pt", state | {"step": step, "spent_s": budget.spent_s})

    def show() -> None:
        """Paint the sheet with the averaged weights, and put them where export finds them."""
        bare = build_denoiser().to(accelerator.device)
        ema.copy_to(bare.parameters())
        bare.eval().save_pretrained(folder / "ema")
        journal.draw("loss", "learning_rate")
        if sheet is None:
            return
        sheet.paint(bare, folder / f"sheet-{step:06d}.png")
        if options.export_to:
            vae = AutoencoderKL.from_pretrained(workspace.autoencoder)
            text = CLIPTextModel.from_pretrained(workspace.text_encoder)
            export(bare, vae, text, sheet.tokenizer, options.export_to)

    last_save, last_show = time.monotonic(), time.monotonic()
    bar = tqdm(desc="denoiser", mininterval=20, disable=not first)
    while step < options.max_steps:
        if agreed_progress(budget, accelerator) >= 1.0:
            break
        for group in optimizer.param_groups:
            group["lr"] = budget.learning_rate(options.learning_rate, step, WARMUP_STEPS)
        clean, hidden = (x.to(accelerator.device) for x in examples.draw(options.batch, generator))
        timesteps = draw_timesteps(options.batch, generator).to(accelerator.device)
        noise = torch.randn(clean.shape, generator=generator).to(accelerator.device)
        loss = v_loss(unet, clean, hidden, timesteps, noise)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        if not first:
            continue
        ema.step(unet.parameters())
        journal.add({"loss": loss.item()})
        bar.update()
        if step % 25 == 0:
            bar.set_postfix(
                journal.write(step, budget.spent_s, learning_rate=optimizer.param_groups[0]["lr"])
            )
        if time.monotonic() - last_save > CHECKPOINT_EVERY_S:
            save()
            last_save = time.monotonic()
        if time.monotonic() - last_show > options.show_every * 60:
            show()
            last_show = time.monotonic()
    if first:
        save()
        show()
        print(f"{step} steps in {budget.spent_s / 60:.1f} minutes")
    accelerator.end_training()


if __name__ == "__main__":
    main()
