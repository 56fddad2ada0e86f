"""Where a training run keeps its things, and the options every stage shares.

Everything large lives outside the repository; each stage owns one file or folder here.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

# glibc gives freed tensors back to the kernel at once by default, and faulting the
# pages in again costs more than the convolution that uses them (several times slower).
MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_MMAP_THRESHOLD_": "8589934592",
}
# Spinning OpenMP threads of two torch processes slow each other over a hundred times.
THREADS = {"GOMP_SPINCOUNT": "1000"}


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one training run."""

    root: Path

    @property
    def downloads(self) -> Path:
        return self.root / "downloads"

    @property
    def pictures(self) -> Path:
        """``(rows, 128, 128, 4)`` uint8 RGBA, straight alpha."""
        return self.root / "pictures.npy"

    @property
    def manifest(self) -> Path:
        """One JSON line a picture, in the order of the array."""
        return self.root / "manifest.jsonl"

    @property
    def latents(self) -> Path:
        return self.root / "latents.safetensors"

    @property
    def captions(self) -> Path:
        return self.root / "captions.safetensors"

    @property
    def autoencoder(self) -> Path:
        """The finished autoencoder: that of stage 4, or with its decoder trained further."""
        further = self.run("decoder") / "model"
        return further if further.exists() else self.run("latents") / "autoencoder"

    @property
    def text_encoder(self) -> Path:
        """The finished text encoder: that of stage 3, or one that learnt more words since."""
        further = self.run("synonyms") / "text_encoder"
        return further if further.exists() else self.run("text_encoder") / "model" / "text_encoder"

    def run(self, stage: str) -> Path:
        """The folder of a stage's checkpoints, curves and sample sheets."""
        folder = self.root / "runs" / stage
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def default_root() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "limner" / "training"


def stage_parser(
    description: str | None, *, minutes: float | None = None
) -> argparse.ArgumentParser:
    """An argument parser with the options that every stage has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--root", type=Path, default=default_root(), help="where data and runs live"
    )
    parser.add_argument("--seed", type=int, default=0)
    if minutes is not None:
        parser.add_argument(
            "--minutes", type=float, default=minutes, help="time budget of the whole stage"
        )
        parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    return parser
