"""What stage 1 leaves: one line a picture in the manifest, and the array of pictures beside it."""

import json
from dataclasses import asdict, dataclass

import numpy as np

from .colours import Picture
from .workspace import Workspace


@dataclass(frozen=True, slots=True)
class Row:
    """A picture's line in the manifest."""

    hexcode: str
    label: str
    names: tuple[str, ...]
    tags: tuple[str, ...]
    group: str
    subgroup: str
    style: str
    colour: str  # the colour word that holds; empty when none does
    stated: bool  # whether a caption must say it, because things of this name come in several
    natural: bool  # false for a recoloured picture
    flips: bool
    simple: bool  # one of the plain things drawn in every colour
    held_out: bool  # never seen by the autoencoder
    package: str
    licence: str
    background: str = ""  # the colour word of its ground, where that is not white
    beside: str = ""  # what stands on its right, where it is one of two things
    foreign: tuple[str, ...] = ()  # what other languages call it, as it is drawn


def write(workspace: Workspace, rows: list[Row], pictures: list[Picture]) -> None:
    partial = workspace.pictures.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, np.stack(pictures))
    partial.replace(workspace.pictures)
    lines = [json.dumps(asdict(row), ensure_ascii=False) for row in rows]
    workspace.manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_manifest(workspace: Workspace) -> list[Row]:
    with workspace.manifest.open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    for record in records:
        for field in ("names", "tags", "foreign"):
            record[field] = tuple(record.get(field, ()))
    return [Row(**record) for record in records]


def on_background(
    picture: Picture, background: tuple[int, int, int] = (255, 255, 255)
) -> np.ndarray:
    """Flatten RGBA to ``(height, width, 3)`` uint8."""
    alpha = picture[..., 3:].astype(np.uint16)
    flat = picture[..., :3] * alpha + np.array(background, np.uint16) * (255 - alpha)
    return ((flat + 127) // 255).astype(np.uint8)
