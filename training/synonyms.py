"""Stage 3b: teach the text encoder words that no caption holds, without moving those it knows.

A word of the teacher's vocabulary is paired with the known name that the teacher puts nearest, and
its hidden states are drawn towards those of that name, as the text encoder gave them before;
captions are held where they were. So a denoiser trained before paints the new words at once.
"""

import random
import time

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor
from tqdm import tqdm
from transformers import CLIPTextModel, CLIPTokenizer

from .budget import CHECKPOINT_EVERY_S, Budget, load_checkpoint, save_checkpoint
from .caption_bank import other_words, write_bank
from .captions import with_article
from .colours import PAINTS
from .emphasis import COMMON
from .journal import Journal
from .manifest import Row, read_manifest
from .text_encoder import teacher_targets
from .workspace import Workspace, stage_parser

LEAST_LIKENESS = 0.5  # cosine of the teacher's embeddings
COMMON_BONUS = 0.06  # a thing painted well is the better answer when two are about as near
INNER_WEIGHT = 0.25  # of positions before the word is complete, which cannot know it yet
SHORT, FULL = 12, 77  # positions; nearly every sentence of a word ends within the first


def pair_words(words: list[str], targets: Tensor, rows: list[Row]) -> list[tuple[str, str]]:
    """Every other word with the known name that it means, by the teacher's likeness."""
    place = {word: i for i, word in enumerate(words)}
    names = sorted({name for row in rows for name in row.names if name in place})
    plain = {row.names[0] for row in rows if row.simple}
    bonus = torch.tensor([COMMON_BONUS * (name in COMMON or name in plain) for name in names])
    known = set(names) | {part for name in names for part in name.split()}
    fresh = [word for word in words if word not in known and not word.startswith("a ")]
    likeness = targets[[place[word] for word in fresh]] @ targets[[place[n] for n in names]].T
    best, which = (likeness + bonus).max(1)
    return [
        (word, names[i])
        for word, i, score in zip(fresh, which.tolist(), best.tolist(), strict=True)
        if score > LEAST_LIKENESS
    ]


def say(pairs: list[tuple[str, str]], rng: random.Random) -> tuple[list[str], list[str]]:
    """The same sentence with the new word and with the known one."""
    new, old = [], []
    for word, name in pairs:
        colour = f"{rng.choice(list(PAINTS))} " if rng.random() < 0.3 else ""
        state = rng.getstate()
        new.append(with_article(colour + word, rng))
        rng.setstate(state)
        old.append(with_article(colour + name, rng))
    return new, old


@torch.no_grad()
def copy_whole_words(
    model: CLIPTextModel, tokenizer: CLIPTokenizer, pairs: list[tuple[str, str]]
) -> int:
    """Where word and name are one token each, start from the name's own embedding."""
    table = model.get_input_embeddings().weight
    new = tokenizer([word for word, _ in pairs], add_special_tokens=False).input_ids
    old = tokenizer([name for _, name in pairs], add_special_tokens=False).input_ids
    whole = [(a[0], b[0]) for a, b in zip(new, old, strict=True) if len(a) == len(b) == 1]
    for word, name in whole:
        table[word] = table[name]
    return len(whole)


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, minutes=20)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--max-steps", type=int, default=10**9)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    set_seed(options.seed)
    workspace = Workspace(options.root)
    folder, source = workspace.run("synonyms"), workspace.run("text_encoder") / "model"
    accelerator = Accelerator(mixed_precision="bf16", cpu=not torch.cuda.is_available())

    rows = read_manifest(workspace)
    bank, words = write_bank(rows, options.seed), other_words(workspace, rows)
    pairs = pair_words(words, teacher_targets(workspace, bank, words)[len(bank.texts) :], rows)
    print(f"{len(pairs)} words, for example {random.Random(1).sample(pairs, min(12, len(pairs)))}")
    tokenizer = CLIPTokenizer.from_pretrained(source / "tokenizer")
    before = CLIPTextModel.from_pretrained(source / "text_encoder").to(accelerator.device).eval()
    model = CLIPTextModel.from_pretrained(source / "text_encoder").to(accelerator.device)
    copied = copy_whole_words(model, tokenizer, pairs)
    print(f"{copied} of them start as copies of a name's token")
    optimizer = torch.optim.AdamW(
        model.parameters(), options.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
    )
    step, spent_s = 0, 0.0
    if state := load_checkpoint(folder / "checkpoint.pt"):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent_s = state["step"], state["spent_s"]
    budget, journal = Budget(options.minutes, spent_s), Journal(folder)
    rng = random.Random(options.seed + step)

    def read(network: CLIPTextModel, texts: list[str], length: int) -> tuple[Tensor, Tensor]:
        """Hidden states, and the place of the end token."""
        encoded = tokenizer(
            texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        with accelerator.autocast():
            hidden = network(encoded.input_ids.to(accelerator.device)).last_hidden_state.float()
        return hidden, encoded.attention_mask.sum(1).to(accelerator.device) - 1

    def save() -> None:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        save_checkpoint(folder / "checkpoint.pt", state | {"step": step, "spent_s": budget.spent_s})
        model.save_pretrained(folder / "text_encoder")

    last_save = time.monotonic()
    bar = tqdm(desc="synonyms", mininterval=20)
    while not budget.is_over and step < options.max_steps:
        for group in optimizer.param_groups:
            group["lr"] = budget.learning_rate(options.learning_rate, step, 50)
        length = FULL if rng.random() < 0.2 else SHORT
        count = options.batch if length == SHORT else max(options.batch * SHORT // FULL, 1)
        new, old = say(rng.choices(pairs, k=count), rng)
        kept = rng.choices(bank.texts, k=count)
        with torch.no_grad():
            wanted, _ = read(before, old + kept, length)
        got, ends = read(model, new + kept, length)
        inner = torch.arange(length, device=got.device)[None] < ends[:, None] - 1
        inner[count:] = False
        weight = torch.where(inner, INNER_WEIGHT, 1.0)
        error = ((got - wanted).pow(2).mean(-1) * weight).mean(1)
        loss = error[:count].mean() + 2.0 * error[count:].mean()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        journal.add({"words": error[:count].mean().item(), "captions": error[count:].mean().item()})
        bar.update()
        if step % 20 == 0:
            bar.set_postfix(journal.write(step, budget.spent_s))
        if time.monotonic() - last_save > CHECKPOINT_EVERY_S:
            save()
            last_save = time.monotonic()
    save()
    journal.draw("words", "captions")
    print(f"{step} steps in {budget.spent_s / 60:.1f} minutes")


if __name__ == "__main__":
    main()
