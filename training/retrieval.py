"""Text-to-picture retrieval: how often a caption finds its picture among a thousand others.

The shipped text encoder stays as it is. What reads the pictures is not shipped, so a fixed short
recipe trains it anew against the frozen text encoder, on other drawings than those searched.
"""

import random

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from .caption_bank import write_bank
from .captions import write_caption
from .judge import build_network
from .manifest import Row, on_background
from .renders import NO_THINGS, jitter, shrink
from .unseen import pooled

NUM_SEARCHED = 1000
LEARNING_RATE = 2e-3


def choose_searched(rows: list[Row], seed: int, count: int) -> list[int]:
    """One drawing, in some style, of so many things; each is known in another style as well."""
    of_thing: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if row.natural and row.group not in NO_THINGS:
            of_thing.setdefault(row.hexcode, []).append(i)
    rng = random.Random(seed)
    able = sorted(code for code, members in of_thing.items() if len(members) > 1)
    return [rng.choice(of_thing[code]) for code in rng.sample(able, min(count, len(able)))]


def fresh_caption(row: Row, known: set[str], rng: random.Random) -> str:
    """A sentence for a row that training never said, where chance gives one."""
    text = ""
    for _ in range(20):
        text = write_caption(row.names, row.tags, row.colour, row.stated, row.style, rng).lower()
        if text not in known:
            break
    return text


def fit_tower(
    small: Tensor,
    of_row: Tensor,
    texts: Tensor,
    share: Tensor,
    *,
    steps: int,
    batch: int,
    seed: int,
) -> nn.Module:
    """Teach pictures to lie beside their captions' vectors, by contrast within a batch."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    tower = build_network(texts.shape[1]).to(memory_format=torch.channels_last)
    log_scale = nn.Parameter(torch.tensor(2.7))
    optimizer = torch.optim.AdamW([*tower.parameters(), log_scale], LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in tqdm(range(steps), desc="retrieval", mininterval=20):
        chosen = torch.multinomial(share, batch, replacement=True, generator=generator)
        which = torch.randint(of_row.shape[1], (batch,), generator=generator)
        said = texts[of_row[chosen, which]]
        seen = jitter(small[chosen], generator).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            looked = tower(seen)
        looked = functional.normalize(looked.float(), dim=-1)
        logits = log_scale.exp().clamp(max=100) * said @ looked.T
        labels = torch.arange(batch)
        loss = functional.cross_entropy(logits, labels) + functional.cross_entropy(logits.T, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return tower.eval()


def measure_retrieval(
    pipeline: StableDiffusionPipeline,
    rows: list[Row],
    pictures: np.ndarray,
    *,
    steps: int,
    seed: int,
    batch: int = 128,
    count: int = NUM_SEARCHED,
) -> dict[str, float | int | str]:
    """Captions that training never said, and the drawings that they should find."""
    searched = choose_searched(rows, 2025, count)
    hidden = {(rows[i].hexcode, rows[i].style) for i in searched}
    known = [
        i
        for i, row in enumerate(rows)
        if (row.hexcode, row.style) not in hidden and row.group not in NO_THINGS
    ]
    bank = write_bank(rows, seed)
    rng = random.Random(77)
    asked = [fresh_caption(rows[i], set(bank.texts), rng) for i in searched]
    used = sorted({caption for i in known for caption in bank.of_row[i]})
    place = {caption: i for i, caption in enumerate(used)}
    vectors = pooled(pipeline, [*(bank.texts[caption] for caption in used), *asked])

    def see(chosen: list[int]) -> Tensor:
        parts = np.array_split(np.array(chosen), -(-len(chosen) // 256))
        return torch.cat(
            [shrink(np.stack([on_background(np.asarray(pictures[i])) for i in p])) for p in parts]
        )

    tower = fit_tower(
        see(known),
        torch.tensor([[place[caption] for caption in bank.of_row[i]] for i in known]),
        vectors[: len(used)],
        torch.tensor([1.0 if rows[i].natural else 0.2 for i in known]),
        steps=steps,
        batch=batch,
        seed=seed,
    )
    with torch.no_grad():
        looked = functional.normalize(tower(see(searched)), dim=-1)
    likeness = vectors[len(used) :] @ looked.T
    rank = (likeness > likeness.diag()[:, None]).sum(1)
    return {
        "retrieval at 1": round((rank < 1).float().mean().item(), 3),
        "retrieval at 10": round((rank < 10).float().mean().item(), 3),
        "retrieval among": len(searched),
    }
