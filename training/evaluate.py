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
from tqdm import tqdm

from . import colours
from .autoencoder import psnr, to_pictures, to_tensor
from .export import HOUSE
from .judge import Judge, load_judge, train_judge
from .latents import encode_captions
from .manifest import Row, on_background, read_manifest
from .painting import decode_latents, paint_latents
from .prompts import PROMPTS
from .renders import meant_by
from .retrieval import measure_retrieval
from .sheets import save_labelled_sheet, save_sheet
from .unseen import judge_words
from .workspace import Workspace, stage_parser

SIMPLE_THINGS = ("heart", "circle", "square", "star", "balloon", "book", "apple", "car")
SEEDS = (0, 1, 2)
STEPS = 20
GUIDANCE = 5.0
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

    @torch.no_grad()
    def soften(self, pictures: np.ndarray) -> np.ndarray:
        """Real pictures as the shipped autoencoder gives them back."""
        with self._accelerator.autocast():
            latents = self.parts.vae.encode(to_tensor(pictures)).latent_dist.mode()
            return to_pictures(self.parts.vae.decode(latents).sample)


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


def make_judge(
    painter: Painter,
    rows: list[Row],
    pictures: np.ndarray,
    workspace: Workspace,
    options: argparse.Namespace,
) -> Judge:
    """The judge of this recipe, made now or kept from before."""
    recipe = {"version": 2, "steps": options.judge_steps, "batch": 128, "seed": 7}
    path = workspace.run("evaluate") / "judge.pt"
    if judge := load_judge(path, recipe):
        return judge
    judge = train_judge(
        rows,
        pictures,
        workspace.downloads,
        painter.soften,
        steps=recipe["steps"],
        batch=recipe["batch"],
        seed=recipe["seed"],
    )
    judge.save(path, recipe)
    return judge


def judge_things(
    painter: Painter, rows: list[Row], judge: Judge, options: argparse.Namespace, folder: Path
) -> Table:
    """Names drawn by a fixed seed, each painted with three seeds and recognised by the judge.

    Without guidance one seed has to do: that figure only shows which way guidance moves things.
    """
    meant = meant_by(rows)
    names = random.Random(2024).sample(sorted(meant), options.things)
    prompts = [f"a {name}" for name in names]
    table: Table = {}
    for guidance in (GUIDANCE, 1.0):
        first: list[bool] = []
        right: list[bool] = []
        for seed in SEEDS[: options.seeds if guidance == GUIDANCE else 1]:
            painted = painter.paint(prompts, seed, guidance)
            ranked = judge.rank(painted)
            right += [
                bool(meant[name] & set(best)) for name, best in zip(names, ranked, strict=True)
            ]
            first += [best[0] in meant[name] for name, best in zip(names, ranked, strict=True)]
            if seed == SEEDS[0]:
                marked = [
                    f"{'' if meant[name] & set(best) else 'not: '}{name}"[:24]
                    for name, best in zip(names, ranked, strict=True)
                ]
                sheet = folder / f"things-{guidance:g}.png"
                save_labelled_sheet([painted], marked, 14, sheet, cell_px=112)
        table |= {
            f"things in the judge's top 5, guidance {guidance:g}": round(float(np.mean(right)), 3),
            f"things the judge names first, guidance {guidance:g}": round(float(np.mean(first)), 3),
            f"things painted, guidance {guidance:g}": len(right),
        }
    return table | {
        "judge's own top 5 on held-out renders": round(judge.held_out_top5, 3),
        "the same renders through the shipped autoencoder": round(judge.soft_top5, 3),
        "held-out renders": judge.num_held_out,
    }


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
    parser.add_argument("--parts", default="speed,psnr,words,retrieval,colours,things,sheet")
    parser.add_argument("--things", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3, help="for the things")
    parser.add_argument("--judge-steps", type=int, default=1300)
    parser.add_argument("--retrieval-steps", type=int, default=600)
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
    if "retrieval" in parts:
        table |= measure_retrieval(
            painter.parts, rows, pictures, steps=options.retrieval_steps, seed=options.seed
        )
    if "colours" in parts:
        for guidance in tqdm([float(g) for g in options.guidances.split(",")], desc="colours"):
            table |= judge_colours(painter, folder, guidance)
    if "things" in parts:
        judge = make_judge(painter, rows, pictures, workspace, options)
        table |= judge_things(painter, rows, judge, options, folder)
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
