"""Regular expressions that strangers wrote: RE2's, in linear time and bounded memory, or refused.

Matching blocks for up to `BUDGET_S`, so it belongs into a thread; words are `blocklist`'s.
"""

# re2 says nothing about its types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, cast

import re2

from .errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_EXPRESSIONS = 100
"""Of one server; each takes some microseconds of the budget."""
MAX_LENGTH = 200
BUDGET_S = 0.050
"""CPU time for all of a server's expressions together."""
_MEMORY_BYTES = 256 << 10
_SLOW_S = 0.020
"""On a text that was made to be slow; what is slower could eat the budget alone."""
_PROBE_LENGTH = 6000
"""As long as a prompt may be set to be."""
_NUM_PROBED_LETTERS = 8


class Pattern(Protocol):
    def search(self, text: str) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """Which expression a text matches, or which one took the time. Both empty: it may pass."""

    hit: str = ""
    too_slow: str = ""


class Expressions:
    """A server's own, compiled. Not changed once made."""

    def __init__(self, patterns: Iterable[str] = (), *, budget_s: float = BUDGET_S) -> None:
        self._budget_s = budget_s
        self._compiled: list[tuple[str, Pattern]] = []
        self.broken: tuple[str, ...] = ()
        """Taken by another version and not understood any more; they close the door."""
        for pattern in patterns:
            try:
                self._compiled.append((pattern, _compiled(pattern)))
            except RefusedError:
                self.broken += (pattern,)

    def __len__(self) -> int:
        return len(self._compiled) + len(self.broken)

    def __contains__(self, pattern: str) -> bool:
        return pattern in self.broken or any(pattern == each for each, _ in self._compiled)

    def search(self, *texts: str) -> Outcome:
        """Looks through texts until something is found or the budget is spent. Blocks."""
        if self.broken:
            return Outcome(too_slow=self.broken[0])
        began = time.thread_time()
        slowest, slowest_s = "", -1.0
        for pattern, compiled in self._compiled:
            start = time.thread_time()
            if any(compiled.search(text) is not None for text in texts):
                return Outcome(hit=pattern)
            now = time.thread_time()
            if now - start > slowest_s:
                slowest, slowest_s = pattern, now - start
            if now - began > self._budget_s:
                return Outcome(too_slow=slowest)
        return Outcome()

    def all_in(self, *texts: str) -> list[str]:
        """Every one that matches, whatever it takes, and those that close the door. Blocks."""
        return list(self.broken) + [
            pattern
            for pattern, compiled in self._compiled
            if any(compiled.search(text) is not None for text in texts)
        ]


def require_sound(pattern: str) -> None:
    """Raises `RefusedError` for what can't be used, matches everything, or is slow. Blocks."""
    if len(pattern) > MAX_LENGTH:
        raise RefusedError(f"An expression may have {MAX_LENGTH} characters: shorten it.")
    compiled = _compiled(pattern)
    if compiled.search("") is not None:
        raise RefusedError("That expression matches an empty prompt, so nothing could be painted.")
    began = time.thread_time()
    for text in _probes(pattern):
        start = time.thread_time()
        compiled.search(text)
        now = time.thread_time()
        if now - start > _SLOW_S or now - began > 10 * _SLOW_S:
            raise RefusedError("That expression takes too long on some prompts: repeat less in it.")


def _compiled(pattern: str) -> Pattern:
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = _MEMORY_BYTES
    options.never_capture = True
    options.log_errors = False
    try:
        return cast("Pattern", re2.compile(pattern, options))
    except (re2.error, UnicodeError) as error:
        raise RefusedError(f"That is no expression I understand: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    """RE2's own words, which come as bytes."""
    (said, *_) = error.args or ("",)
    if isinstance(error, UnicodeError):
        return "it has broken characters"
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return text.replace("`", "'")[:150]


def _probes(pattern: str) -> list[str]:
    """Long texts on which a greedy expression has much to do: its own letters, over and over."""
    letters = list(dict.fromkeys(each for each in pattern if each.isalnum()))
    letters = [*letters[:_NUM_PROBED_LETTERS], "a", "0", " "]
    pairs = [one + other for one, other in pairwise(letters)]
    units = [*letters, *pairs, "word ", pattern]
    return [(unit * (_PROBE_LENGTH // len(unit) + 1))[:_PROBE_LENGTH] for unit in units]
