"""Stage 6: put the trained parts together as a `StableDiffusionPipeline` folder in fp16."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    LCMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextModel, CLIPTokenizer

from .networks import build_scheduler
from .workspace import Workspace, stage_parser

HOUSE = Path(__file__).resolve().parent.parent / "pipelines" / "house"
ORIGIN = ("_name_or_path", "is_local", "local_files_only")
PARTS = ("model_index.json", "scheduler", "text_encoder", "tokenizer", "unet", "vae")


def forget_origin(config: Path) -> None:
    """Drop the folder a part was loaded from; whoever names no precision gets float32."""
    values = json.loads(config.read_text(encoding="utf-8"))
    dropped = [values.pop(key) for key in ORIGIN if key in values]
    # transformers would load halves as halves, beside diffusers' float32 denoiser.
    is_half = values.get("dtype") == "float16"
    if is_half:
        values["dtype"] = "float32"
    if dropped or is_half:
        config.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def export(
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    target: Path,
    scheduler: DDIMScheduler | LCMScheduler | None = None,
) -> int:
    """Write the pipeline beside its target and swap it in; return its size in bytes.

    Whoever reads the target meanwhile sees the old part or the new one, never a half-written file.
    """
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler or build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    fresh = target.with_name(f".{target.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    pipeline.to(dtype=torch.float16).save_pretrained(fresh, safe_serialization=True)
    for config in fresh.rglob("*.json"):
        forget_origin(config)
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        for file in sorted(
            path for path in [fresh / part, *(fresh / part).rglob("*")] if path.is_file()
        ):
            place = target / file.relative_to(fresh)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
    shutil.rmtree(fresh)
    return sum(
        file.stat().st_size
        for part in PARTS
        for file in [target / part, *(target / part).rglob("*")]
        if file.is_file()
    )


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--target", type=Path, default=HOUSE)
    parser.add_argument("--denoiser", default="ema", help="the folder under runs/denoiser to take")
    parser.add_argument("--text-encoder", type=Path, help="another than the finished one")
    options = parser.parse_args(argv)
    workspace = Workspace(options.root)
    tokenizer = workspace.run("text_encoder") / "model" / "tokenizer"
    size = export(
        UNet2DConditionModel.from_pretrained(workspace.run("denoiser") / options.denoiser),
        AutoencoderKL.from_pretrained(workspace.autoencoder),
        CLIPTextModel.from_pretrained(options.text_encoder or workspace.text_encoder),
        CLIPTokenizer.from_pretrained(tokenizer),
        options.target,
    )
    print(f"{options.target}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
