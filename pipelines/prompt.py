"""What people write into prompts beside words: weights and adapters. Pure, without torch."""

from __future__ import annotations

import re
from typing import Final

from .request import Lora

_TOKEN: Final = re.compile(
    r"""
    \\[()\[\]\\]            # escaped: stands for itself
    | [(\[]                 # opens
    | :\s*([+-]?(?:\d+(?:\.\d+)?|\.\d+))\s*\)   # closes a bracket with its weight
    | [)\]]                 # closes
    | [^\\()\[\]:]+ | [\\:]
    """,
    re.VERBOSE,
)
_LORA: Final = re.compile(r"<lora:([^:<>]+)(?::([+-]?(?:\d+(?:\.\d+)?|\.\d+)))?>")
_UP: Final = 1.1
_DOWN: Final = 1 / 1.1
_BOUND: Final = 10.0
_DEEPEST: Final = 32
"""Brackets within so many others weigh no more: the time of a prompt of brackets stays short."""


def parse_weights(text: str) -> list[tuple[str, float]]:
    """`a (cat:1.3) [dog]` -> a, cat at 1.3, dog at 1/1.1; brackets nest, `\\(` is a bracket.

    A bracket that is never closed still weighs what follows, as in AUTOMATIC1111's web interface,
    where the syntax comes from.
    """
    parts: list[tuple[str, float]] = []
    round_opens: list[int] = []
    square_opens: list[int] = []

    def multiply(opens: list[int], factor: float) -> None:
        start = opens.pop()
        if len(opens) >= _DEEPEST:
            return
        for index in range(start, len(parts)):
            words, weight = parts[index]
            parts[index] = (words, max(-_BOUND, min(_BOUND, weight * factor)))

    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "(":
            round_opens.append(len(parts))
        elif token == "[":
            square_opens.append(len(parts))
        elif match[1] is not None and round_opens:
            multiply(round_opens, float(match[1]))
        elif token == ")" and round_opens:
            multiply(round_opens, _UP)
        elif token == "]" and square_opens:
            multiply(square_opens, _DOWN)
        else:
            parts.append((_plain(token), 1.0))
    while round_opens:
        multiply(round_opens, _UP)
    while square_opens:
        multiply(square_opens, _DOWN)
    return _merge(parts) or [("", 1.0)]


def words_alone(text: str) -> list[str]:
    """The words without brackets and weights, parted where those stood; in linear time.

    Joined they are what `parse_weights` leaves for an encoder.
    """
    parts = [""]
    num_round, num_square = 0, 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "(":
            num_round += 1
        elif token == "[":
            num_square += 1
        elif num_round and (match[1] is not None or token == ")"):
            num_round -= 1
        elif num_square and token == "]":
            num_square -= 1
        else:
            parts[-1] += _plain(token)
            continue
        if parts[-1]:
            parts.append("")
    return parts


def take_loras(text: str) -> tuple[str, tuple[Lora, ...]]:
    """The text without its `<lora:name:0.8>`, and the adapters that it asked for, in order."""
    found = tuple(
        Lora(name.strip(), float(weight) if weight else None)
        for name, weight in _LORA.findall(text)
    )
    return (" ".join(_LORA.sub(" ", text).split()) if found else text), found


def _plain(token: str) -> str:
    """An escaped bracket stands for itself."""
    return token[1:] if token[0] == "\\" and len(token) > 1 else token


def _merge(parts: list[tuple[str, float]]) -> list[tuple[str, float]]:
    merged: list[tuple[str, float]] = []
    for words, weight in parts:
        if merged and merged[-1][1] == weight:
            merged[-1] = (merged[-1][0] + words, weight)
        else:
            merged.append((words, weight))
    return merged
