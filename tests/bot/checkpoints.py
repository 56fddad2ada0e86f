"""Checkpoints as values, for what needs no weights."""

from __future__ import annotations

from pathlib import Path

from limner.pipelines.checkpoint import Checkpoint, Task


def checkpoint(
    *,
    name: str = "house",
    size_px: int = 128,
    size_multiple_px: int = 8,
    steps: int = 20,
    guidance_scale: float = 5.0,
    sampler: str = "dpmpp_2m",
    is_guidance_embedded: bool = False,
) -> Checkpoint:
    return Checkpoint(
        name=name,
        path=Path("nowhere"),
        family="sd",
        task=Task.TEXT,
        size_px=size_px,
        size_multiple_px=size_multiple_px,
        steps=steps,
        guidance_scale=guidance_scale,
        sampler=sampler,
        strength=0.6,
        fingerprint="f" * 16,
        num_bytes=1,
        is_guidance_embedded=is_guidance_embedded,
    )
