"""Permutations: `{red, green} heart` stands for two texts. Pure text; bounded before it grows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from .errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TEXTS = 16
"""How many prompts one command may stand for, permutations times repeats."""

_MAX_DEPTH = 5


def permutations(text: str) -> Iterator[str]:
    """Every text that this one stands for. Braces without a comma, or escaped, are only braces.

    Raises `RefusedError` where there are too many.
    """
    parts = _Braces(text).parts()
    num = _num_texts(parts)
    if num > MAX_TEXTS:
        raise too_many(num)
    for expanded in _expand(parts):
        yield " ".join(expanded.split())


def too_many(num: int) -> RefusedError:
    """The sentence for more prompts than one command takes."""
    return RefusedError(
        f"That makes {num} prompts, and one command takes {MAX_TEXTS}: "
        "take some choices out of the braces, or repeat less."
    )


@dataclass(frozen=True, slots=True)
class _Choice:
    """One brace with a comma: any of these sequences."""

    of: tuple[tuple[str | _Choice, ...], ...]


class _Braces:
    """Reads braces in one pass; those that never close are letters."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._closes = self._matched()

    def parts(self) -> tuple[str | _Choice, ...]:
        return self._sequence(0, len(self._text), 0)

    def _matched(self) -> dict[int, int]:
        closes: dict[int, int] = {}
        opened: list[int] = []
        escaped = False
        for index, character in enumerate(self._text):
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == "{":
                opened.append(index)
            elif character == "}" and opened:
                closes[opened.pop()] = index
        return closes

    def _sequence(self, start: int, end: int, depth: int) -> tuple[str | _Choice, ...]:
        if depth > _MAX_DEPTH:
            raise RefusedError(f"Braces go at most {_MAX_DEPTH} deep.")
        parts: list[str | _Choice] = []
        letters: list[str] = []
        index = start
        while index < end:
            character = self._text[index]
            close = self._closes.get(index)
            if character == "\\" and index + 1 < end and self._text[index + 1] in "{},\\":
                letters.append(self._text[index + 1])
                index += 2
            elif close is not None:
                commas = self._commas(index + 1, close)
                if commas:
                    parts.append("".join(letters))
                    letters.clear()
                    bounds = [index, *commas, close]
                    parts.append(
                        _Choice(
                            tuple(
                                self._sequence(left + 1, right, depth + 1)
                                for left, right in pairwise(bounds)
                            )
                        )
                    )
                else:
                    inside = self._sequence(index + 1, close, depth + 1)
                    parts += ["".join([*letters, "{"]), *inside]
                    letters = ["}"]
                index = close + 1
            else:
                letters.append(character)
                index += 1
        parts.append("".join(letters))
        return tuple(parts)

    def _commas(self, start: int, end: int) -> list[int]:
        found: list[int] = []
        index = start
        while index < end:
            if self._text[index] == "\\":
                index += 1
            elif index in self._closes:
                index = self._closes[index]
            elif self._text[index] == ",":
                found.append(index)
            index += 1
        return found


def _num_texts(parts: tuple[str | _Choice, ...]) -> int:
    product = 1
    for part in parts:
        if isinstance(part, _Choice):
            product *= sum(_num_texts(sequence) for sequence in part.of)
    return product


def _expand(parts: tuple[str | _Choice, ...]) -> Iterator[str]:
    if not parts:
        yield ""
        return
    head, rest = parts[0], parts[1:]
    heads = (
        [head]
        if isinstance(head, str)
        else [text.strip() for sequence in head.of for text in _expand(sequence)]
    )
    tails = list(_expand(rest))
    for text in heads:
        for tail in tails:
            yield text + tail
