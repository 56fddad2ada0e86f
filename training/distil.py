"""Stretch: distil the denoiser into a sibling that paints in four steps without guidance.

Method: latent consistency distillation (Luo et al. 2023, arXiv:2310.04378) at one fixed guidance
scale; a DDIM step of the guided teacher says where two neighbouring noise levels must agree.
"""

import time
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from diffusers import AutoencoderKL, LCMScheduler, UNet2DConditionModel
from diffusers.training_utils import EMAModel
from torch import Tensor
from tqdm import tqdm
from transformers import CLIPTextModel, CLIPTokenizer

from .budget import CHECKPOINT_EVERY_S, Budget, load_checkpoint, save_checkpoint
from .denoiser import Examples
from .export import export
from .journal import Journal
from .networks import build_denoiser, build_scheduler
from .workspace import Workspace, stage_parser

SOLVER_STEPS = 50  # of the teacher's whole way
SIGMA_DATA = 0.5
TIMESTEP_SCALING = 10.0  # as `LCMScheduler` has it
EMA_DECAY = 0.95
WARMUP_STEPS = 50
HUBER = 0.001


class NoisePath:
    """The noise schedule as tables: signal and noise at a timestep."""

    def __init__(self, device: torch.device) -> None:
        alphas = build_scheduler().alphas_cumprod.to(device)
        self._signal, self._noise = alphas.sqrt(), (1 - alphas).sqrt()

    def at(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1, 1, 1, 1)
        return self._signal[timesteps].view(shape), self._noise[timesteps].view(shape)

    def add_noise(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        signal, sigma = self.at(timesteps)
        return signal * clean + sigma * noise

    def split(self, x: Tensor, v: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """The clean latents and the noise that a prediction of v means."""
        signal, sigma = self.at(timesteps)
        return signal * x - sigma * v, sigma * x + signal * v


def consistent(path: NoisePath, x: Tensor, v: Tensor, timesteps: Tensor) -> Tensor:
    """The consistency function: clean latents, and the input itself at no noise."""
    scaled = (timesteps * TIMESTEP_SCALING).view(-1, 1, 1, 1)
    skip = SIGMA_DATA**2 / (scaled**2 + SIGMA_DATA**2)
    out = scaled / (scaled**2 + SIGMA_DATA**2).sqrt()
    return skip * x + out * path.split(x, v, timesteps)[0]


def draw_neighbours(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Timesteps of the solver's grid, and the next less noisy ones."""
    stride = 1000 // SOLVER_STEPS
    late = torch.randint(1, SOLVER_STEPS + 1, (count,), generator=generator) * stride - 1
    return late, (late - stride).clamp(min=0)


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, minutes=30)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--max-steps", type=int, default=10**9)
    parser.add_argument("--guidance", type=float, default=5.0, help="that the sibling has built in")
    parser.add_argument("--export-to", type=Path, help="write the sibling's pipeline folder here")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    set_seed(options.seed)
    workspace = Workspace(options.root)
    folder = workspace.run("distil")
    accelerator = Accelerator(mixed_precision="bf16", cpu=not torch.cuda.is_available())
    device = accelerator.device
    examples, path = Examples.load(workspace), NoisePath(device)
    source = workspace.run("denoiser") / "ema"
    teacher = UNet2DConditionModel.from_pretrained(source).to(device).eval()
    student = UNet2DConditionModel.from_pretrained(source).to(device)
    target = UNet2DConditionModel.from_pretrained(source).to(device).eval()
    optimizer = torch.optim.AdamW(student.parameters(), options.learning_rate, fused=True)
    ema = EMAModel(student.parameters(), decay=EMA_DECAY, foreach=True)
    step, spent_s = 0, 0.0
    if state := load_checkpoint(folder / "checkpoint.pt"):
        student.load_state_dict(state["student"])
        optimizer.load_state_dict(state["optimizer"])
        ema.load_state_dict(state["ema"])
        step, spent_s = state["step"], state["spent_s"]
    ema.to(device)
    budget, journal = Budget(options.minutes, spent_s), Journal(folder)
    generator = torch.Generator().manual_seed(options.seed + 1000 * step)
    empty = examples.hidden[:1].float().to(device)

    def save() -> None:
        state = {
            "student": student.state_dict(),
            "optimizer": optimizer.state_dict(),
            "ema": ema.state_dict(),
        }
        save_checkpoint(folder / "checkpoint.pt", state | {"step": step, "spent_s": budget.spent_s})

    @torch.no_grad()
    def guided(x: Tensor, timesteps: Tensor, hidden: Tensor) -> Tensor:
        both = torch.cat([empty.expand_as(hidden), hidden])
        out = teacher(torch.cat([x, x]), timesteps.repeat(2), both).sample.float()
        without, with_words = out.chunk(2)
        return without + options.guidance * (with_words - without)

    last_save = time.monotonic()
    bar = tqdm(desc="distil", mininterval=20)
    while not budget.is_over and step < options.max_steps:
        for group in optimizer.param_groups:
            group["lr"] = budget.learning_rate(options.learning_rate, step, WARMUP_STEPS)
        clean, hidden = (x.to(device) for x in examples.draw(options.batch, generator))
        late, early = (t.to(device) for t in draw_neighbours(options.batch, generator))
        noise = torch.randn(clean.shape, generator=generator).to(device)
        noisy = path.add_noise(clean, noise, late)
        with accelerator.autocast():
            got = consistent(path, noisy, student(noisy, late, hidden).sample.float(), late)
            with torch.no_grad():
                x0, eps = path.split(noisy, guided(noisy, late, hidden), late)
                nearer = path.add_noise(x0, eps, early)  # one DDIM step
                ema.copy_to(target.parameters())
                v = target(nearer, early, hidden).sample.float()
                wanted = consistent(path, nearer, v, early)
        error = (got - wanted).pow(2)
        loss = ((error + HUBER**2).sqrt() - HUBER).mean()  # pseudo-Huber
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ema.step(student.parameters())
        step += 1
        journal.add({"loss": loss.item()})
        bar.update()
        if step % 25 == 0:
            bar.set_postfix(journal.write(step, budget.spent_s))
        if time.monotonic() - last_save > CHECKPOINT_EVERY_S:
            save()
            last_save = time.monotonic()
    save()
    journal.draw("loss")
    if options.export_to:
        bare = build_denoiser()
        ema.to("cpu")
        ema.copy_to(bare.parameters())
        few_steps = LCMScheduler.from_config(
            build_scheduler().config, original_inference_steps=SOLVER_STEPS
        )
        export(
            bare,
            AutoencoderKL.from_pretrained(workspace.autoencoder),
            CLIPTextModel.from_pretrained(workspace.text_encoder),
            CLIPTokenizer.from_pretrained(workspace.run("text_encoder") / "model" / "tokenizer"),
            options.export_to,
            few_steps,
        )
    print(f"{step} steps in {budget.spent_s / 60:.1f} minutes")


if __name__ == "__main__":
    main()
