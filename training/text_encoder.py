"""Stage 3: train the `CLIPTextModel` against the pictures and towards a teacher's sense of meaning.

The pooled output itself is what both losses pull on, so nothing but the text model is shipped:
a contrastive loss with a small picture tower (Radford et al. 2021, arXiv:2103.00020) tells apart
what
looks different, and the teacher's embedding of the same text places words that no caption holds.
"""

import time

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from .budget import CHECKPOINT_EVERY_S, Budget, load_checkpoint, save_checkpoint
from .caption_bank import CaptionBank, other_words, write_bank
from .journal import Journal
from .manifest import on_background, read_manifest
from .networks import TEXT_WIDTH, build_text_encoder
from .teacher import embed, principal_projection
from .tokenizer import build_tokenizer
from .workspace import Workspace, stage_parser

TEACHER_WEIGHT = 4.0
MAX_LENGTH = 24  # no caption is longer; behind the end CLIP's padding repeats the end token
# Most texts end early and attention looks back only, so they are read up to the longest of their
# kind; now and then to the full length, which teaches the far padding to say the same.
SHORT_END = 7
FULL_LENGTH_SHARE = 0.1


class PictureTower(nn.Sequential):
    """A small convolutional encoder of 32-pixel pictures, there only to be contrasted with."""

    def __init__(self, width: int = 48) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.GELU()]
        for step in range(3):
            low, high = width * 2**step, width * 2 ** (step + 1)
            layers += [
                nn.Conv2d(low, high, 4, stride=2, padding=1),
                nn.GroupNorm(8, high),
                nn.GELU(),
            ]
        super().__init__(*layers, nn.Flatten(), nn.Linear(width * 8 * 16, TEXT_WIDTH))


class Trainee(nn.Module):
    """The text model, the picture tower and their temperatures, as one thing to optimise."""

    def __init__(self, text: nn.Module) -> None:
        super().__init__()
        self.text = text
        self.pictures = PictureTower()
        self.log_scale = nn.Parameter(torch.tensor(2.7))

    def read(self, tokens: Tensor, ends: Tensor, *, in_full: bool) -> tuple[Tensor, Tensor]:
        """Unit vectors at the end token and at the last padding, which should say the same."""
        end = torch.empty(len(tokens), TEXT_WIDTH, device=tokens.device)
        padding = torch.empty_like(end)
        is_short = ends <= (-1 if in_full else SHORT_END)
        for group in (is_short.nonzero()[:, 0], (~is_short).nonzero()[:, 0]):
            if not len(group):
                continue
            places = ends[group]
            length = tokens.shape[1] if in_full else min(int(places.max()) + 2, tokens.shape[1])
            hidden = self.text(input_ids=tokens[group, :length]).last_hidden_state.float()
            end[group] = hidden[torch.arange(len(group)), places]
            padding[group] = hidden[:, -1]
        return functional.normalize(end, dim=-1), functional.normalize(padding, dim=-1)


def contrast(a: Tensor, b: Tensor, scale: Tensor | float) -> Tensor:
    """Symmetric InfoNCE of paired unit vectors."""
    logits = scale * a @ b.T
    labels = torch.arange(len(a), device=a.device)
    return (
        functional.cross_entropy(logits, labels) + functional.cross_entropy(logits.T, labels)
    ) / 2


def shrink(pictures: np.ndarray) -> np.ndarray:
    """Every picture on white at 32 px, ``(n, 3, 32, 32)`` uint8."""
    small = np.empty((len(pictures), 32, 32, 3), np.uint8)
    for start in range(0, len(pictures), 256):
        flat = on_background(np.asarray(pictures[start : start + 256]))
        small[start : start + 256] = flat.reshape(-1, 32, 4, 32, 4, 3).mean((2, 4))
    return small.transpose(0, 3, 1, 2)


def teacher_targets(workspace: Workspace, bank: CaptionBank, words: list[str]) -> Tensor:
    """The teacher's embeddings of captions and words, turned to the text width; kept on disk."""
    path = workspace.run("text_encoder") / "teacher.safetensors"
    count = len(bank.texts) + len(words)
    if path.exists():
        targets = load_file(path)["targets"]
        if len(targets) == count:
            return targets.float()
    embeddings = embed(bank.meanings + words, workspace.downloads)
    targets = functional.normalize(
        embeddings @ principal_projection(embeddings, TEXT_WIDTH), dim=-1
    )
    save_file({"targets": targets.half()}, path)
    return targets


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, minutes=12)
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--max-steps", type=int, default=10**9)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    set_seed(options.seed)
    workspace = Workspace(options.root)
    folder = workspace.run("text_encoder")
    accelerator = Accelerator(mixed_precision="bf16", cpu=not torch.cuda.is_available())

    rows = read_manifest(workspace)
    bank, words = write_bank(rows, options.seed), other_words(workspace, rows)
    print(f"{len(bank.texts)} captions, {len(words)} other words")
    targets = teacher_targets(workspace, bank, words).to(accelerator.device)
    tokenizer = build_tokenizer(workspace.downloads, folder / "model" / "tokenizer")
    encoded = tokenizer(
        bank.texts + words,
        padding="max_length",
        truncation=True,
        max_length=MAX_LENGTH,
        return_tensors="pt",
    )
    tokens = encoded.input_ids.to(accelerator.device)
    ends = encoded.attention_mask.sum(1).to(accelerator.device) - 1
    pictures = torch.from_numpy(shrink(np.load(workspace.pictures, mmap_mode="r")))
    weights = np.array([0.6 if row.natural else 0.3 for row in rows])

    model = Trainee(build_text_encoder(tokenizer)).to(accelerator.device)
    optimizer = torch.optim.AdamW(
        model.parameters(), options.learning_rate, betas=(0.9, 0.98), weight_decay=0.05, fused=True
    )
    step, spent_s = 0, 0.0
    if state := load_checkpoint(folder / "checkpoint.pt"):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent_s = state["step"], state["spent_s"]
    budget, journal = Budget(options.minutes, spent_s), Journal(folder)
    rng = np.random.default_rng(options.seed + step)

    def save() -> None:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        save_checkpoint(folder / "checkpoint.pt", state | {"step": step, "spent_s": budget.spent_s})

    last_save = time.monotonic()
    bar = tqdm(desc="text encoder", mininterval=20)
    while not budget.is_over and step < options.max_steps:
        for group in optimizer.param_groups:
            group["lr"] = budget.learning_rate(options.learning_rate, step, 150)
        chosen = rng.choice(len(rows), options.batch, p=weights / weights.sum())
        said = [int(rng.choice(bank.of_row[row])) for row in chosen]
        extra = rng.integers(len(bank.texts), len(tokens), options.batch)
        ids = torch.tensor([*said, *extra], device=accelerator.device)
        seen = pictures[torch.from_numpy(chosen)].to(accelerator.device).float() / 127.5 - 1
        with accelerator.autocast():
            in_full = rng.random() < FULL_LENGTH_SHARE
            end, padding = model.read(tokens[ids], ends[ids], in_full=in_full)
            look = functional.normalize(model.pictures(seen).float(), dim=-1)
        wanted = targets[ids]
        image_loss = contrast(end[: options.batch], look, model.log_scale.exp().clamp(max=50))
        teacher_loss = (1 - (end * wanted).sum(-1)).mean() + 0.5 * (
            1 - (padding * wanted).sum(-1)
        ).mean()
        loss = image_loss + TEACHER_WEIGHT * teacher_loss + 0.3 * contrast(end, wanted, 20.0)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        hits = (end[: options.batch] @ look.T).argmax(1) == torch.arange(
            options.batch, device=end.device
        )
        journal.add(
            {
                "loss": loss.item(),
                "image": image_loss.item(),
                "teacher": teacher_loss.item(),
                "top1": hits.float().mean().item(),
            }
        )
        bar.update()
        if step % 20 == 0:
            bar.set_postfix(journal.write(step, budget.spent_s))
        if time.monotonic() - last_save > CHECKPOINT_EVERY_S:
            save()
            last_save = time.monotonic()
    save()
    journal.draw("image", "teacher", "top1")
    model.text.save_pretrained(folder / "model" / "text_encoder")
    # Anew: a used tokenizer saves the padding it was last used with.
    fresh = build_tokenizer(workspace.downloads, folder / "model" / "tokenizer")
    fresh.save_pretrained(folder / "model" / "tokenizer")
    print(f"{step} steps in {budget.spent_s / 60:.1f} minutes")


if __name__ == "__main__":
    main()
