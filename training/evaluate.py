"""Stage 7: measure the shipped folder and print the table: speed, PSNR, colours, things, words.

Everything is made from the shipped weights and the rendered pictures, so anybody can make it again.
"""

import argparse
import json
import random
import resource
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import StableDiffusionPipeline
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from . import colours
from .autoencoder import psnr
from .export import HOUSE
from .judge import train_judge
from .latents import encode_captions
from .manifest import Row, on_background, read_manifest
from .painting import decode_latents, paint_latents
from .prompts import PROMPTS
from .sheets import save_labelled_sheet, save_sheet
from .workspace import Workspace, stage_parser

SIMPLE_THINGS = ("heart", "circle", "square", "star", "balloon", "book", "apple", "car")
SEEDS = (0, 1, 2)
STEPS = 20
GUIDANCE = 5.0
# A word that no caption holds, and the thing it means.
SYNONYM_LIST = """
pup = dog; hound = dog; kitten = cat; feline = cat; stallion = horse; pony = horse; swine = pig;
hare = rabbit; serpent = snake; ape = monkey; vehicle = car; sedan = car; cottage = house;
aircraft = airplane; jet = airplane; yacht = sailboat; motorbike = motorcycle; novel = book;
textbook = book; blossom = cherry blossom; pine = evergreen tree; oak = deciduous tree; blaze =
fire; trousers = jeans; sneaker = running shoe; spectacles = glasses; violinist = violin; drums
= drum; pistol = water pistol; sword = crossed swords; bulb = light bulb; toadstool = mushroom;
maize = ear of corn; cookies = cookie; loaf = bread; espresso = hot beverage; wine = wine glass;
lager = beer mug; ocean = water wave; terrier = dog; poodle = dog; mutt = dog; tabby = cat; mare
= horse; colt = horse; piglet = pig; toad = frog; chimp = monkey; orca = whale; cobra = snake;
hornet = honeybee; dwelling = house; mansion = house; coupe = car; limousine = car; bonfire =
fire; parasol = umbrella; gown = dress; stool = chair; armchair = chair; mattress = bed; mallet
= hammer; cello = violin; steamship = ship; trout = fish; falcon = eagle; bunnies = rabbit
"""
SYNONYMS = dict(pair.split(" = ") for pair in " ".join(SYNONYM_LIST.split()).split("; "))
NUM_UNSEEN = 40

Table = dict[str, float | int | str]


def load(folder: Path) -> StableDiffusionPipeline:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


class Painter:
    """Paints many prompts from the shipped folder, in bfloat16, with one seed a batch."""

    def __init__(self, folder: Path, accelerator: Accelerator) -> None:
        self.parts = load(folder)
        self._accelerator = accelerator

    def paint(self, prompts: list[str], seed: int, guidance: float = GUIDANCE) -> np.ndarray:
        painted = []
        for start in range(0, len(prompts), 16):
            texts = ["", *prompts[start : start + 16]]
            hidden = encode_captions(
                texts, self.parts.text_encoder, self.parts.tokenizer, self._accelerator
            ).float()
            latents = paint_latents(
                self.parts.unet, hidden[1:], hidden[0], steps=STEPS, guidance=guidance, seed=seed
            )
            painted.append(decode_latents(self.parts.vae, latents))
        return np.concatenate(painted)


def with_alpha(picture: np.ndarray) -> np.ndarray:
    """A painted picture as RGBA whose near-white ground is transparent."""
    far = 255 - picture.min(-1).astype(np.int16)
    alpha = np.where(far > 40, 255, 0).astype(np.uint8)
    return np.concatenate([picture, alpha[..., None]], -1)


def judge_colours(painter: Painter, folder: Path, guidance: float = GUIDANCE) -> Table:
    """8 colours x 8 plain things x 3 seeds: how often the subject has the colour asked for."""
    asked = [(colour, thing) for thing in SIMPLE_THINGS for colour in colours.PAINTS]
    prompts = [f"a {colour} {thing}" for colour, thing in asked]
    right: list[bool] = []
    for seed in SEEDS:
        painted = painter.paint(prompts, seed, guidance)
        subjects = [colours.measure(with_alpha(picture)) for picture in painted]
        right += [
            s.share > 0.2 and colours.name(s) == colour
            for s, (colour, _) in zip(subjects, asked, strict=True)
        ]
        if seed == SEEDS[0]:
            save_sheet(painted, len(colours.PAINTS), folder / f"colours-{guidance:g}.png")
    return {
        f"colours right, guidance {guidance:g}": round(float(np.mean(right)), 3),
        "colours painted": len(right),
    }


def judge_things(
    painter: Painter,
    rows: list[Row],
    pictures: np.ndarray,
    options: argparse.Namespace,
    folder: Path,
) -> Table:
    """Names drawn by a fixed seed, each painted with three seeds and recognised by the judge."""
    judge = train_judge(rows, pictures, steps=options.judge_steps, batch=96, seed=7)
    labels = {row.label: row.hexcode for row in rows if row.group != "shapes"}
    names = random.Random(2024).sample(sorted(labels), options.things)
    right: list[bool] = []
    for seed in SEEDS[: options.seeds]:
        painted = painter.paint([f"a {name}" for name in names], seed)
        ranked = judge.rank(painted)
        right += [labels[name] in best for name, best in zip(names, ranked, strict=True)]
        if seed == SEEDS[0]:
            save_sheet(painted[:100], 10, folder / "things.png")
    return {
        "things in the judge's top 5": round(float(np.mean(right)), 3),
        "things painted": len(right),
        "judge's own top 5 on held-out renders": round(judge.held_out_top5, 3),
        "held-out renders": judge.num_held_out,
    }


@torch.no_grad()
def pooled(pipeline: StableDiffusionPipeline, texts: list[str]) -> Tensor:
    vectors = []
    for start in range(0, len(texts), 128):
        tokens = pipeline.tokenizer(texts[start : start + 128], padding=True, return_tensors="pt")
        vectors.append(pipeline.text_encoder(**tokens).pooler_output)
    return functional.normalize(torch.cat(vectors), dim=-1)


def judge_words(pipeline: StableDiffusionPipeline, rows: list[Row]) -> Table:
    """Synonyms that no caption holds: is the nearest known name the thing meant?"""
    known: dict[str, str] = {}
    for row in rows:
        for name in row.names:
            known.setdefault(name, row.label)
    spoken = {word for name in known for word in name.split()} | {
        tag for row in rows for tag in row.tags
    }
    unseen = [(word, thing) for word, thing in SYNONYMS.items() if word not in spoken]
    fresh = dict(unseen[:NUM_UNSEEN])
    names = list(known)
    nearest = (
        pooled(pipeline, [f"a {w}" for w in fresh]) @ pooled(pipeline, [f"a {n}" for n in names]).T
    ).argmax(1)
    got = [names[i] for i in nearest.tolist()]
    same = [
        thing in (name, known[name]) or thing in name.split() or thing in known[name].split()
        for thing, name in zip(fresh.values(), got, strict=True)
    ]
    for word, name, right in zip(fresh, got, same, strict=True):
        print(f"  {word}: {name}{'' if right else '  (not it)'}")
    return {"unseen words right": round(float(np.mean(same)), 3), "unseen words": len(same)}


def measure_speed(folder: Path) -> Table:
    """Seconds for one and four pictures in bfloat16 through diffusers' own pipeline."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.bfloat16)
    pipeline.set_progress_bar_config(disable=True)
    pipeline("a red heart", num_inference_steps=2)
    table: Table = {}
    for count in (1, 4):
        times = []
        for _ in range(3):
            started = time.perf_counter()
            pipeline(["a red heart"] * count, num_inference_steps=STEPS)
            times.append(time.perf_counter() - started)
        table[f"seconds for {count}, {STEPS} steps, bf16"] = round(min(times), 2)
    table["peak memory of this process, MB"] = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    )
    return table


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, minutes=0)
    parser.add_argument("--pipeline", type=Path, default=HOUSE)
    parser.add_argument("--parts", default="speed,psnr,words,colours,things,sheet")
    parser.add_argument("--things", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3, help="for the things")
    parser.add_argument("--judge-steps", type=int, default=1500)
    parser.add_argument("--guidances", default="1,5", help="for the colours")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    workspace = Workspace(options.root)
    folder = workspace.run("evaluate")
    accelerator = Accelerator(mixed_precision="bf16", cpu=not torch.cuda.is_available())
    parts = options.parts.split(",")
    path = folder / "table.json"
    table: Table = {}
    if "speed" in parts:  # first, before anything else has used memory
        table |= measure_speed(options.pipeline)
    painter = Painter(options.pipeline, accelerator)
    rows = read_manifest(workspace)
    pictures = np.load(workspace.pictures, mmap_mode="r")
    if "psnr" in parts:
        held = [i for i, row in enumerate(rows) if row.held_out and row.natural]
        flat = np.stack([on_background(np.asarray(pictures[i])) for i in held])
        table |= {
            "held-out PSNR, dB": round(psnr(painter.parts.vae, flat, accelerator)[0], 2),
            "held-out pictures": len(held),
        }
    if "words" in parts:
        table |= judge_words(painter.parts, rows)
    if "colours" in parts:
        for guidance in tqdm([float(g) for g in options.guidances.split(",")], desc="colours"):
            table |= judge_colours(painter, folder, guidance)
    if "things" in parts:
        table |= judge_things(painter, rows, pictures, options, folder)
    if "sheet" in parts:
        painted = [painter.paint(list(PROMPTS), seed) for seed in SEEDS[:2]]
        save_labelled_sheet(painted, list(PROMPTS), 5, folder / "prompts.png")
    if path.exists():  # parts may be measured one at a time
        table = json.loads(path.read_text()) | table
    path.write_text(json.dumps(table, indent=2) + "\n")
    for key, value in table.items():
        print(f"| {key} | {value} |")


if __name__ == "__main__":
    main()
