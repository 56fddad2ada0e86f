"""Which drawing each package has of which thing.

Leaves what the clip art is called to `clipart`, rendering to `data`.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .captions import Thing, normal_hexcode, read_things
from .clipart import as_svg, read_clip_art, read_icons, spoken_words, vocabulary
from .sources import CLIP_ART, ICONS, NOTO, THREE_D, Source, read_folder, read_json

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


@dataclass(frozen=True, slots=True)
class Drawing:
    """One thing in one style, not yet rendered: what a worker process needs."""

    thing: Thing
    source: Source
    svg: str
    raster: bytes


def is_core(thing: Thing) -> bool:
    if thing.group in LEFT_OUT_GROUPS or thing.subgroup in LEFT_OUT_SUBGROUPS:
        return False
    return "o’clock" not in thing.label and "-thirty" not in thing.label


def compact(name: str) -> str:
    """``"Slice of Pizza"`` gives ``"sliceofpizza"``, as some sets name their icons."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def codes_by_name(things: dict[str, Thing], downloads: Path) -> dict[str, str]:
    """Compact name -> hexcode: by the standard's names, and by those that other sets give."""
    codes: dict[str, str] = {}
    for code in things:
        if "-" not in code:
            codes.setdefault(compact(unicodedata.name(chr(int(code, 16)), "")), code)
    for code, name in read_json(NOTO.archive(downloads), "package/chars.json").items():
        if normal_hexcode(code) in things:
            codes.setdefault(compact(name), normal_hexcode(code))
    for code, thing in things.items():
        codes.setdefault(compact(thing.label), code)
    codes.pop("", None)
    return codes


def iconify_svgs(source: Source, things: dict[str, Thing], downloads: Path) -> dict[str, str]:
    """Hexcode -> SVG text of each thing that an Iconify set has."""
    archive = source.archive(downloads)
    icons = read_json(archive, "package/icons.json")
    listed = read_json(archive, "package/chars.json").items()
    if not listed:  # some sets carry no code points; their names tell
        codes = codes_by_name(things, downloads)
        found = {codes[compact(n)]: n for n in icons["icons"] if compact(n) in codes}
        listed = found.items()
    svgs: dict[str, str] = {}
    for code, name in listed:
        icon = icons["icons"].get(name) or icons["icons"].get(
            icons["aliases"].get(name, {}).get("parent")
        )
        if icon is not None and normal_hexcode(code) in things:
            svgs[normal_hexcode(code)] = as_svg(icons, icon)
    return svgs


def read_three_d(things: dict[str, Thing], downloads: Path) -> Iterator[tuple[Thing, bytes]]:
    """The things of the 3D set and their WebP files, which spell some code points otherwise."""
    files = read_folder(THREE_D.archive(downloads), "package/assets/")
    for code, thing in things.items():
        name = "-".join(part.zfill(4) for part in code.lower().split("-"))
        for spelling in (name, f"{name}-fe0f", name.replace("-200d", "-fe0f-200d")):
            if raster := files.get(f"{spelling}.webp"):
                yield thing, raster
                break


def read_drawings(
    sources: Iterable[Source], downloads: Path, languages: tuple[str, ...] = ()
) -> Iterator[Drawing]:
    """Every drawing of the chosen packages, package by package."""
    everything = read_things(downloads, languages)
    things = {thing.hexcode: thing for thing in everything if is_core(thing)}
    for source in sources:
        archive = source.archive(downloads)
        if source is THREE_D:
            for thing, raster in read_three_d(things, downloads):
                yield Drawing(thing, source, "", raster)
        elif source is ICONS:
            for thing, svg in read_icons(archive):
                yield Drawing(thing, source, svg, b"")
        elif source is CLIP_ART:
            known = known_words(everything)
            for thing, svg in read_clip_art(archive, vocabulary(downloads), known):
                yield Drawing(thing, source, svg, b"")
        else:
            for code, svg in iconify_svgs(source, things, downloads).items():
                yield Drawing(things[code], source, svg, b"")


def known_words(things: list[Thing]) -> frozenset[str]:
    """The words that the emoji standard's names and keywords use."""
    said = [phrase for thing in things for phrase in (*thing.names, *thing.tags)]
    return frozenset(word for phrase in said for word in spoken_words(phrase) if len(word) > 2)
