"""What people type, read and shown: flags, permutations and adapters out, a safe line back.

Pure text; which values a model takes is judged by `studio`.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass, field, fields, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from ..pipelines.request import Lora
from .errors import RefusedError
from .permutations import MAX_TEXTS, permutations, too_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MAX_LORAS = 8
_MAX_LORA_WEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Flags:
    """What the flags of a prompt say; None or empty where they say nothing."""

    aspect: tuple[int, int] | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    negative: str = ""
    steps: int | None = None
    guidance_scale: float | None = None
    strength: float | None = None
    count: int | None = None
    repeat: int | None = None
    sampler: str = ""
    model: str = ""
    style: str = ""
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One prompt of those that a typed text stands for."""

    prompt: str
    flags: Flags = field(default_factory=Flags)
    loras: tuple[Lora, ...] = ()


def read(text: str) -> tuple[Line, ...]:
    """Every prompt that `text` stands for: permutations spelled out, repeats repeated.

    Raises `RefusedError` for a flag that does not exist or has a wrong value, and for too many.
    """
    lines: list[Line] = []
    for expanded in permutations(clean(text)):
        line = _read_line(expanded)
        repeat = line.flags.repeat or 1
        if len(lines) + repeat > MAX_TEXTS:
            raise too_many(len(lines) + repeat)
        once = replace(line, flags=replace(line.flags, repeat=None))
        lines += [once] * repeat
    return tuple(lines)


def read_one(prompt: str) -> Line:
    """A prompt with its flags; none is fine. Raises `RefusedError` for several."""
    if not prompt.strip():
        return Line("")
    lines = read(prompt)
    if len(lines) != 1:
        raise RefusedError("One prompt at a time here; /imagine takes braces and repeats.")
    return lines[0]


def write(line: Line) -> str:
    """The line as somebody could have typed it; `read` gives it back."""
    flags = line.flags
    parts = [_guarded(line.prompt)] if line.prompt else []
    parts += [lora.tag for lora in line.loras]
    if flags.aspect is not None:
        parts.append(f"--ar {flags.aspect[0]}:{flags.aspect[1]}")
    for known in _KNOWN.values():
        value = getattr(flags, known.fills)
        if known.fills in ("aspect", "negative") or value is None or value == "" or value is False:
            continue
        if value is True:
            parts.append(f"--{known.name}")
        else:
            parts.append(f"--{known.name} {_written(value)}")
    if flags.negative:
        parts.append(f"--no {_guarded(flags.negative)}")
    return " ".join(parts)


def clean(text: str) -> str:
    """One line of text: controls and direction overrides dropped, whitespace made single spaces."""
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cs")
    )
    return " ".join("".join(c for c in kept if c not in _DIRECTIONS).split())


def escape(text: str) -> str:
    """`text` as Discord shows it letter for letter: no markdown, no links, no mentions."""
    return _SPECIAL.sub(lambda match: match[0][:-1] + "\\" + match[0][-1], text)


def unescape(text: str) -> str:
    """The text that `escape` made safe."""
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", text)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut between words where there is one near, with an ellipsis."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    space = cut.rfind(" ")
    if space > limit * 2 // 3:
        cut = cut[:space]
    return cut.rstrip(" ,;") + "…"


_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff")
_SPECIAL = re.compile(r"[\\*_~`|<>\[\]()#@]|:(?=//)|^[-+]|^[0-9]+\.")
_LORA = re.compile(r"<lora:([^:<>\s]+)(?::([^:<>\s]*))?>", re.IGNORECASE)
_FLAG = re.compile(r"(?:^|(?<=\s))(--|—|–)([A-Za-z][A-Za-z_-]*)(?==|\s|$)=?")


def _whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise ValueError
    return int(text)


def _decimal(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text):
        raise ValueError
    return float(text)


def aspect(text: str) -> tuple[int, int]:
    """`3:2`, `3/2` or `3x2` as a pair. Raises `ValueError`."""
    match = re.fullmatch(r"([0-9]{1,4})[:/x×]([0-9]{1,4})", text.strip())
    if match is None or not (left := int(match[1])) or not (right := int(match[2])):
        raise ValueError
    return left, right


def _name(text: str) -> str:
    if not text:
        raise ValueError
    return text


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    fills: str
    read: Callable[[str], object] | None
    """None: the flag takes no value."""
    takes: str
    takes_all: bool = False
    """The value goes on to the next flag."""


_KNOWN = {
    known.name: known
    for known in (
        _Known("ar", "aspect", aspect, "a shape, such as --ar 3:2"),
        _Known("w", "width", _whole, "a width in pixels, such as --w 512"),
        _Known("h", "height", _whole, "a height in pixels, such as --h 512"),
        _Known("seed", "seed", _whole, "a whole number, such as --seed 7"),
        _Known("steps", "steps", _whole, "a whole number, such as --steps 30"),
        _Known("cfg", "guidance_scale", _decimal, "a number, such as --cfg 6"),
        _Known("strength", "strength", _decimal, "a number from 0 to 1, such as --strength 0.6"),
        _Known("n", "count", _whole, "a whole number, such as --n 2"),
        _Known("repeat", "repeat", _whole, "a whole number, such as --repeat 3"),
        _Known("sampler", "sampler", _name, "a sampler's name, such as --sampler euler"),
        _Known("model", "model", _name, "a model's name"),
        _Known("style", "style", _name, "a style's name"),
        _Known("private", "is_private", None, "nothing"),
        _Known("no", "negative", _name, "what to keep away, such as --no clouds", takes_all=True),
    )
}
_ALIASES = {
    "aspect": "ar",
    "width": "w",
    "height": "h",
    "step": "steps",
    "scale": "cfg",
    "guidance": "cfg",
    "count": "n",
    "negative": "no",
    "r": "repeat",
    "denoise": "strength",
}
_EXCLUDED = {"aspect": ("width", "height"), "width": ("aspect",), "height": ("aspect",)}
assert {known.fills for known in _KNOWN.values()} == {each.name for each in fields(Flags)}


def _read_line(text: str) -> Line:
    spans = list(_flags(text))
    words = [text[: spans[0].start] if spans else text]
    found: dict[str, object] = {}
    for span, following in zip_longest(spans, spans[1:]):
        known = _lookup(span.name)
        rest = text[span.end : following.start if following else len(text)].strip()
        if known.read is None:
            found[known.fills] = True
            words.append(rest)
            continue
        value, rest = (rest, "") if known.takes_all else _first_word(rest)
        words.append(rest)
        try:
            read_value = known.read(value)
        except ValueError as error:
            raise RefusedError(f"--{span.name} takes {known.takes}.") from error
        if known.takes_all and known.fills in found:
            read_value = f"{found[known.fills]}, {read_value}"
        # A shape and a size exclude each other; here as everywhere, what stands last wins.
        for other in _EXCLUDED.get(known.fills, ()):
            found.pop(other, None)
        found[known.fills] = read_value
    flags = replace(Flags(), **found) if found else Flags()
    if flags.repeat == 0:
        raise RefusedError(f"--repeat takes {_KNOWN['repeat'].takes}.")
    prompt, loras = _without_loras(" ".join(words))
    return Line(" ".join(prompt.split()), flags, loras)


@dataclass(frozen=True, slots=True)
class _Span:
    name: str
    start: int
    end: int


def _flags(text: str) -> Iterator[_Span]:
    for match in _FLAG.finditer(text):
        dashes, name = match[1], match[2].lower()
        # A phone turns `--` into a dash; a dash before any other word is only a dash.
        if dashes == "--" or name in _KNOWN or name in _ALIASES:
            yield _Span(name, match.start(), match.end())


def _lookup(name: str) -> _Known:
    known = _KNOWN.get(_ALIASES.get(name, name))
    if known is not None:
        return known
    near = difflib.get_close_matches(name, [*_KNOWN, *_ALIASES], n=1, cutoff=0.5)
    if near:
        right = _ALIASES.get(near[0], near[0])
        raise RefusedError(f"There is no --{name}; did you mean --{right}?")
    every = ", ".join(f"--{each}" for each in _KNOWN)
    raise RefusedError(f"There is no --{name}; there are {every}.")


def _first_word(text: str) -> tuple[str, str]:
    if text.startswith('"') and (close := text.find('"', 1)) > 0:
        return text[1:close], text[close + 1 :]
    value, _, rest = text.partition(" ")
    return value, rest


def _without_loras(text: str) -> tuple[str, tuple[Lora, ...]]:
    found: list[Lora] = []
    for match in _LORA.finditer(text):
        try:
            weight = float(match[2]) if match[2] else None
        except ValueError as error:
            raise RefusedError(f"{match[0]}: the last part is a number, such as 0.8.") from error
        if weight is not None and not abs(weight) <= _MAX_LORA_WEIGHT:
            raise RefusedError(f"{match[0]}: a weight lies between -2 and 2.")
        found.append(Lora(match[1], weight))
    if len(found) > _MAX_LORAS:
        raise RefusedError(f"One prompt takes {_MAX_LORAS} adapters.")
    return _LORA.sub(" ", text), tuple(found)


def _guarded(text: str) -> str:
    return re.sub(r"[{},\\]", r"\\\g<0>", text) if "{" in text or "\\" in text else text


def _written(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    text = str(value)
    return f'"{text}"' if " " in text else text
