"""Stage 1: fetch the packages, render every picture at 128 px, recolour, and write the manifest.

Leaves words to `captions`, colour measurement to `colours`, licences to `sources`.
"""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image
from tqdm import tqdm

from . import colours, shapes
from .captions import Thing, normal_hexcode, read_things
from .colours import Picture
from .sources import ALL, PICTURES, THREE_D, Source, fetch, read_folder, read_json
from .workspace import Workspace, stage_parser

SIZE_PX = 128
LEFT_OUT_GROUPS = {"flags", "component"}
LEFT_OUT_SUBGROUPS = {
    "keycap",
    "alphanum",
    "zodiac",
    "transport-sign",
    "religion",
    "gender",
    "av-symbol",
    "arrow",
    "math",
    "currency",
    "family",
    "person-symbol",
    "person-activity",
    "person-sport",
    "person-resting",
    "person-gesture",
    "person-role",
    "person-fantasy",
    "person",
    "other-symbol",
    "punctuation",
    "warning",
}
SIMPLE = {
    "heart",
    "circle",
    "square",
    "star",
    "balloon",
    "book",
    "apple",
    "car",
    "triangle",
    "diamond",
}


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


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker process needs to render one thing in one style."""

    thing: Thing
    source: Source
    svg: str
    raster: bytes


def is_core(thing: Thing) -> bool:
    if thing.group in LEFT_OUT_GROUPS or thing.subgroup in LEFT_OUT_SUBGROUPS:
        return False
    return "o’clock" not in thing.label and "-thirty" not in thing.label


def is_held_out(hexcode: str) -> bool:
    return sha256(hexcode.encode()).digest()[0] < 10


def iconify_svgs(archive: Path) -> dict[str, str]:
    """Normal hexcode -> SVG text of an Iconify set."""
    icons = read_json(archive, "package/icons.json")
    svgs: dict[str, str] = {}
    for code, name in read_json(archive, "package/chars.json").items():
        icon = icons["icons"].get(name) or icons["icons"].get(
            icons["aliases"].get(name, {}).get("parent")
        )
        if icon is None:
            continue
        width, height = (
            icon.get("width", icons.get("width", 16)),
            icon.get("height", icons.get("height", 16)),
        )
        svgs[normal_hexcode(code)] = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
        )
    return svgs


def render(job: Job) -> Picture:
    raw = job.raster or resvg_py.svg_to_bytes(
        svg_string=job.svg, width=SIZE_PX, height=SIZE_PX, skip_system_fonts=True
    )
    with Image.open(io.BytesIO(raw)) as image:
        rgba = image.convert("RGBA")
    if rgba.size != (SIZE_PX, SIZE_PX):
        # Premultiplied, or the invisible pixels' colours bleed into the rim.
        rgba = (
            rgba.convert("RGBa")
            .resize((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS)
            .convert("RGBA")
        )
    return np.asarray(rgba)


def paint_rows(job: Job) -> list[tuple[Row, Picture]]:
    """One picture as it is, and the same in other colours where one hue makes the thing."""
    thing, style = job.thing, job.source.style
    picture = render(job)
    subject = colours.measure(picture)
    stated = thing.colour
    simple = thing.names[0] in SIMPLE or (thing.subgroup == "heart" and "heart" in thing.names)
    can = colours.can_recolour(
        subject, least_share=0.2 if simple else 0.42, least_purity=0.5 if simple else 0.62
    )
    can = can and thing.group != "people-body" and stated not in {"black", "white"}
    # A measured colour word is said only where one hue makes the thing; a stated one always holds.
    word = stated or (colours.name(subject) if can else "")

    def row(colour: str, natural: bool) -> Row:
        return Row(
            thing.hexcode,
            thing.label,
            thing.names,
            thing.tags,
            thing.group,
            thing.subgroup,
            style,
            colour,
            bool(stated) or not natural,
            natural,
            thing.flips,
            simple,
            is_held_out(thing.hexcode),
            job.source.package,
            job.source.licence,
        )

    rows = [(row(word, True), picture)]
    # One of several things that differ by colour alone is enough to recolour.
    if not can or (stated and stated not in {"red", "yellow"} and thing.label != "blue book"):
        return rows
    palette = [
        paint for paint in (colours.ALL_PAINTS if simple else colours.PAINTS) if paint != word
    ]
    if not simple:
        order = np.random.default_rng(int(thing.hexcode[:4], 16)).permutation(len(palette))
        palette = [palette[i] for i in order[: 1 if thing.subgroup.startswith("face-") else 3]]
    for paint in palette:
        turned = colours.recolour(picture, subject, colours.ALL_PAINTS[paint])
        rows.append((row(paint, False), turned))
    return rows


def jobs(downloads: Path) -> Iterator[Job]:
    things = {thing.hexcode: thing for thing in read_things(downloads) if is_core(thing)}
    for source in PICTURES:
        archive = source.archive(downloads)
        if source is THREE_D:
            files = read_folder(archive, "package/assets/")
            for code, thing in things.items():
                name = "-".join(part.zfill(4) for part in code.lower().split("-"))
                for spelling in (name, f"{name}-fe0f", name.replace("-200d", "-fe0f-200d")):
                    if raster := files.get(f"{spelling}.webp"):
                        yield Job(thing, source, "", raster)
                        break
        else:
            for code, svg in iconify_svgs(archive).items():
                if code in things:
                    yield Job(things[code], source, svg, b"")


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
        record["names"], record["tags"] = tuple(record["names"]), tuple(record["tags"])
    return [Row(**record) for record in records]


def on_background(
    picture: Picture, background: tuple[int, int, int] = (255, 255, 255)
) -> np.ndarray:
    """Flatten RGBA to ``(height, width, 3)`` uint8."""
    alpha = picture[..., 3:].astype(np.uint16)
    flat = picture[..., :3] * alpha + np.array(background, np.uint16) * (255 - alpha)
    return ((flat + 127) // 255).astype(np.uint8)


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(argv)
    workspace = Workspace(options.root)
    for source in ALL:
        fetch(source, workspace.downloads)
    rows: list[Row] = []
    pictures: list[Picture] = []
    with ProcessPoolExecutor(options.workers) as pool:
        todo = list(jobs(workspace.downloads))
        for painted in tqdm(
            pool.map(paint_rows, todo, chunksize=16), total=len(todo), desc="render"
        ):
            for row, picture in painted:
                rows.append(row)
                pictures.append(picture)
    for row, picture in shapes.paint_shapes():
        rows.append(Row(**row))
        pictures.append(picture)
    write(workspace, rows, pictures)
    things = len({row.hexcode for row in rows})
    print(f"{len(rows)} pictures of {things} things, {sum(row.natural for row in rows)} as drawn")


if __name__ == "__main__":
    main()
