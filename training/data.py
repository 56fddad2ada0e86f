"""Stage 1: fetch the packages, render every picture at 128 px, recolour, and write the manifest.

Leaves words to `captions`, colour measurement to `colours`, licences to `sources`, what each
package holds to `drawings`, pairs and coloured grounds to `augment`.
"""

import io
import random
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image
from tqdm import tqdm

from . import augment, colours, shapes
from .clipart import CLIP_ART_GROUP, GROUPS
from .colours import Picture
from .drawings import Drawing, read_drawings
from .manifest import Row, write
from .sources import NOT_PICTURES, NOTO, PICTURES, SHORT_RUN, Source, choose, fetch
from .workspace import Workspace, stage_parser

SIZE_PX = 128
MARGIN_PX = 4
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


def is_held_out(hexcode: str) -> bool:
    return sha256(hexcode.encode()).digest()[0] < 10


def render(drawing: Drawing) -> Picture | None:
    """The drawing at 128 px; nothing where its SVG is broken or empty."""
    if drawing.thing.group == CLIP_ART_GROUP:
        return render_page(drawing.svg)
    raw = drawing.raster or resvg_py.svg_to_bytes(
        svg_string=drawing.svg, width=SIZE_PX, height=SIZE_PX, skip_system_fonts=True
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


def render_page(svg: str) -> Picture | None:
    """What is drawn somewhere on a page of any shape, centred in a square."""
    try:
        # Pages are measured in millimetres or points, which need a resolution.
        raw = resvg_py.svg_to_bytes(
            svg_string=svg, width=2 * SIZE_PX, dpi=96, skip_system_fonts=True
        )
    except ValueError:
        return None
    with Image.open(io.BytesIO(raw)) as image:
        page = np.asarray(image.convert("RGBA"))
    if not (page[..., 3] > 8).any():
        return None
    inner = SIZE_PX - 2 * MARGIN_PX
    thing = augment.fit(page, inner, inner)
    square = Image.new("RGBA", (SIZE_PX, SIZE_PX))
    square.paste(thing, ((SIZE_PX - thing.width) // 2, (SIZE_PX - thing.height) // 2))
    return np.asarray(square)


def paint_rows(drawing: Drawing) -> list[tuple[Row, Picture]]:
    """One picture as it is, and the same in other colours where one hue makes the thing."""
    thing, style = drawing.thing, drawing.source.style
    picture = render(drawing)
    if picture is None:
        return []
    subject = colours.measure(picture)
    stated = thing.colour
    is_emoji = thing.group not in GROUPS
    simple = is_emoji and (
        thing.names[0] in SIMPLE or (thing.subgroup == "heart" and "heart" in thing.names)
    )
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
            drawing.source.package,
            drawing.source.licence,
            foreign=thing.foreign if natural else (),
        )

    rows = [(row(word, True), picture)]
    # One of several things that differ by colour alone is enough to recolour.
    if (
        not can
        or not is_emoji
        or (stated and stated not in {"red", "yellow"} and thing.label != "blue book")
    ):
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


def render_sources(
    sources: Iterable[Source],
    downloads: Path,
    *,
    workers: int,
    limit: int = 0,
    languages: tuple[str, ...] = (),
) -> tuple[list[Row], list[Picture]]:
    """Every drawing of the chosen packages, recoloured where one hue makes it."""
    todo = list(read_drawings(sources, downloads, languages))
    if limit:
        todo = sample_each(todo, limit)
    rows: list[Row] = []
    pictures: list[Picture] = []
    with ProcessPoolExecutor(workers) as pool:
        for painted in tqdm(
            pool.map(paint_rows, todo, chunksize=16), total=len(todo), desc="render", mininterval=5
        ):
            for row, picture in painted:
                rows.append(row)
                pictures.append(picture)
    return rows, pictures


def sample_each(drawings: list[Drawing], limit: int) -> list[Drawing]:
    """At most so many drawings of each source, spread over it."""
    by_source: dict[Source, list[Drawing]] = {}
    for drawing in drawings:
        by_source.setdefault(drawing.source, []).append(drawing)
    rng = random.Random(0)
    return [
        drawing
        for group in by_source.values()
        for drawing in rng.sample(group, min(limit, len(group)))
    ]


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--sources",
        default=",".join(name for name, source in PICTURES.items() if source in SHORT_RUN),
        help=f"of {', '.join(PICTURES)}; or all",
    )
    parser.add_argument("--limit", type=int, default=0, help="drawings a source, for a trial")
    parser.add_argument("--pairs", type=int, default=0, help="pictures of two things side by side")
    parser.add_argument("--backgrounds", type=int, default=0, help="pictures on a coloured ground")
    parser.add_argument(
        "--languages", default="", help="that captions also speak, for example zh,es,de"
    )
    options = parser.parse_args(argv)
    workspace = Workspace(options.root)
    sources = choose(options.sources)
    # noto's list of names and code points is also what the sets without code points are joined by.
    for source in {*sources, NOTO, *NOT_PICTURES}:
        fetch(source, workspace.downloads)
    rows, pictures = render_sources(
        sources,
        workspace.downloads,
        workers=options.workers,
        limit=options.limit,
        languages=tuple(filter(None, options.languages.split(","))),
    )
    for row, picture in shapes.paint_shapes():
        rows.append(Row(**row))
        pictures.append(picture)
    drawn = len(rows)
    rng = random.Random(options.seed)
    for more in (
        augment.pairs(rows[:drawn], pictures, options.pairs, rng),
        augment.backgrounds(rows[:drawn], pictures, options.backgrounds, rng),
    ):
        for row, picture in more:
            rows.append(row)
            pictures.append(picture)
    write(workspace, rows, pictures)
    things = len({row.hexcode for row in rows})
    print(f"{len(rows)} pictures of {things} things, {sum(row.natural for row in rows)} as drawn")


if __name__ == "__main__":
    main()
