"""What a picture is called: names and keywords of a thing, and the sentences made from them."""

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

from .colours import COLOUR_WORDS
from .sources import WORDS, read_json

SHORTCODES = ("emojibase", "iamcal", "github", "joypixels")
STYLES = ("flat", "3d", "noto", "gradient", "classic", "firefox", "clip art", "icon")

# What people call things that Unicode names otherwise.
SPOKEN = {
    "automobile": ["car", "auto"],
    "grinning face": ["smiley", "happy face", "face"],
    "grinning face with big eyes": ["happy face", "smiley face"],
    "slightly smiling face": ["smiley", "smile", "smiling face"],
    "red heart": ["heart", "love heart"],
    "dog face": ["dog", "puppy"],
    "cat face": ["cat", "kitty"],
    "rabbit face": ["rabbit", "bunny"],
    "mouse face": ["mouse"],
    "pig face": ["pig"],
    "cow face": ["cow"],
    "tiger face": ["tiger"],
    "horse face": ["horse"],
    "monkey face": ["monkey"],
    "hamster": ["hamster"],
    "house": ["house", "home"],
    "hot beverage": ["coffee", "cup of coffee", "cup of tea"],
    "shortcake": ["cake", "strawberry cake"],
    "birthday cake": ["birthday cake", "cake"],
    "hamburger": ["burger", "hamburger"],
    "soft ice cream": ["ice cream"],
    "evergreen tree": ["tree", "fir tree"],
    "deciduous tree": ["tree"],
    "rose": ["rose", "flower"],
    "airplane": ["plane", "aeroplane"],
    "bicycle": ["bike", "bicycle"],
    "oncoming automobile": ["car from the front"],
    "sailboat": ["boat", "sail boat"],
    "mobile phone": ["phone", "smartphone"],
    "laptop": ["computer", "notebook computer"],
    "crescent moon": ["moon"],
    "sun": ["sun"],
    "glowing star": ["shining star"],
    "circus tent": ["tent"],
    "poultry leg": ["chicken leg", "drumstick"],
    "T-Rex": ["dinosaur", "t-rex"],
    "dragon face": ["dragon"],
    "unicorn": ["unicorn"],
    "wrapped gift": ["gift", "present"],
    "soccer ball": ["football", "soccer ball"],
    "t-shirt": ["shirt", "t-shirt"],
    "running shoe": ["shoe", "sneaker"],
    "top hat": ["hat"],
    "honeybee": ["bee"],
    "lady beetle": ["ladybug", "ladybird"],
    "spouting whale": ["whale"],
    "tropical fish": ["fish"],
    "cup with straw": ["soda", "drink"],
    "beer mug": ["beer"],
    "red circle": ["circle", "ball", "dot"],
    "red square": ["square"],
    "blue book": ["book"],
    "red apple": ["apple"],
    "skull": ["skull"],
    "key": ["key"],
    "umbrella": ["umbrella"],
}
# Pointing or reading matters: a mirror image would say something else.
NO_FLIP = {
    "clock",
    "letter",
    "text",
    "word",
    "right",
    "left",
    "number",
    "calendar",
    "keyboard",
    "soon",
    "end",
}


@dataclass(frozen=True, slots=True)
class Thing:
    """One concept of the emoji standard: its names, its keywords, its place in the order of
    things."""

    hexcode: str
    label: str
    names: tuple[str, ...]  # without colour words
    tags: tuple[str, ...]
    group: str
    subgroup: str
    colour: str = ""  # the colour its label states
    flips: bool = field(default=True)
    foreign: tuple[str, ...] = ()  # what other languages call it


def normal_hexcode(code: str) -> str:
    """One spelling for a code point sequence, whichever package it came from."""
    parts = [part.lstrip("0").upper() for part in code.split("-")]
    return "-".join(part for part in parts if part != "FE0F")


def split_colour(label: str) -> tuple[str, str]:
    """``"large red square"`` gives ``("red", "square")``; other labels are kept whole."""
    words = re.sub(r"^(large|small|medium) ", "", label).split()
    if len(words) > 1 and words[0] in COLOUR_WORDS and words[1] not in {"salad", "flag", "cane"}:
        return words[0], " ".join(words[1:])
    return "", label


def read_things(downloads: Path, languages: tuple[str, ...] = ()) -> list[Thing]:
    """Every base emoji (no skin tones, no flags) with its English words, and other languages'."""
    archive = WORDS.archive(downloads)
    entries = read_json(archive, "package/en/data.json")
    messages = read_json(archive, "package/en/messages.json")
    groups = {group["order"]: group["key"] for group in messages["groups"]}
    subgroups = {group["order"]: group["key"] for group in messages["subgroups"]}
    codes = [read_json(archive, f"package/en/shortcodes/{name}.json") for name in SHORTCODES]
    things: list[Thing] = []
    foreign: dict[str, list[str]] = {}
    for language in languages:
        for entry in read_json(archive, f"package/{language}/data.json"):
            foreign.setdefault(entry["hexcode"], []).append(entry["label"].lower())
    for entry in entries:
        if "group" not in entry:
            continue
        colour, label = split_colour(entry["label"])
        spoken = [split_colour(name)[1] for name in SPOKEN.get(entry["label"], [])]
        shortcodes: list[str] = []
        for table in codes:
            found = table.get(entry["hexcode"], [])
            shortcodes += [found] if isinstance(found, str) else found
        others = [split_colour(re.sub(r"[_-]", " ", code))[1] for code in shortcodes]
        others = [name for name in others if len(name) > 2 and not any(c.isdigit() for c in name)]
        names = tuple(dict.fromkeys([*spoken, label, *others]))[: 3 + len(spoken)]
        words = set(entry["label"].lower().split()) | set(entry.get("tags", []))
        things.append(
            Thing(
                hexcode=normal_hexcode(entry["hexcode"]),
                label=entry["label"],
                names=names,
                tags=tuple(tag for tag in entry.get("tags", []) if tag not in COLOUR_WORDS),
                group=groups[entry["group"]],
                subgroup=subgroups[entry["subgroup"]],
                colour=colour,
                flips=not words & NO_FLIP and "geometric" not in subgroups[entry["subgroup"]],
                foreign=tuple(dict.fromkeys(foreign.get(entry["hexcode"], []))),
            )
        )
    return things


def with_article(name: str, rng: random.Random) -> str:
    if rng.random() < 0.4:
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def write_caption(
    names: tuple[str, ...],
    tags: tuple[str, ...],
    colour: str,
    stated: bool,
    style: str,
    rng: random.Random,
) -> str:
    """One sentence for a picture; a colour that must be said mostly is, a usual one sometimes."""
    draw = rng.random()
    if colour and rng.random() > (0.97 if stated else 0.3):
        colour = ""
    first = names[0] if rng.random() < 0.5 else rng.choice(names)
    name = f"{colour} {first}" if colour else first
    if draw < 0.12 and tags:
        text = f"{with_article(name, rng)}, {', '.join(rng.sample(tags, min(2, len(tags))))}"
    else:
        text = with_article(name, rng)
    style_draw = rng.random() if style in STYLES else 1.0
    if style_draw < 0.2:
        return f"{style} {text.removeprefix('a ').removeprefix('an ')}"
    if style_draw < 0.45:
        return f"{text}, {style}"
    if style_draw < 0.55:
        return f"{text}, {style} style"
    return text


def write_scene_caption(
    names: tuple[str, ...],
    colour: str,
    stated: bool,
    style: str,
    *,
    beside: str,
    background: str,
    rng: random.Random,
) -> str:
    """One sentence for a thing beside another, or on a ground of some colour."""
    text = write_caption(names, (), colour, stated, "", rng)
    if beside:
        text = f"{text} and {beside}"
    if background:
        where = rng.choice(("on a {} background", "on {}", "{} background"))
        join = ", " if where.startswith("{}") else " "
        ground = where.format(background)
        text = text + join + re.sub(r"^on a (?=[aeiou])", "on an ", ground)
    if style in STYLES and rng.random() < 0.3:
        text = f"{text}, {style} style"
    return text
