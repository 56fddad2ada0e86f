"""Everything the bot did that Discord forbids or its users would suffer from, kept for the test.

An answer with a 4xx can be swallowed by the bot; what is recorded here can not.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


class Kind(StrEnum):
    """What went wrong, by what a test would declare as expected."""

    UNKNOWN_ROUTE = "unknown route"
    BAD_CONTENT_TYPE = "bad content type"
    BAD_BODY = "bad body"
    UNKNOWN_KEY = "unknown key"
    COMPONENTS_V2 = "components v2"
    ATTACHMENT = "attachment"
    TOO_LARGE = "too large"
    UNAUTHORIZED = "unauthorized"
    PERMISSION = "permission"
    UNKNOWN_OBJECT = "unknown object"
    DOUBLE_ACKNOWLEDGEMENT = "double acknowledgement"
    UNKNOWN_INTERACTION = "unknown interaction"
    UNANSWERED = "unanswered"
    EXPIRED_TOKEN = "expired token"
    WRONG_CALLBACK = "wrong callback"
    PRIVACY = "privacy"
    PING = "ping"
    DOUBLED_DELIVERY = "doubled delivery"
    TOO_MANY_OLD_EDITS = "too many edits of an old message"
    GATEWAY = "gateway"
    OUR_ANSWER = "our own answer breaks the specification"
    BROKEN_STAND_IN = "the stand-in itself failed"


@dataclass(frozen=True, slots=True)
class Violation:
    kind: Kind
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"


class Violations:
    """The recorded violations, in order. True while one of them was not expected."""

    def __init__(self) -> None:
        self.seen: list[Violation] = []
        self.unexpected: list[Violation] = []
        self._expected: list[Kind] = []

    def record(self, kind: Kind, where: str, what: str) -> None:
        violation = Violation(kind, where, what)
        self.seen.append(violation)
        if kind not in self._expected:
            self.unexpected.append(violation)

    @contextmanager
    def expected(self, *kinds: Kind) -> Generator[list[Violation]]:
        """Violations of these kinds are what the test wants to see; one that never comes fails."""
        start = len(self.seen)
        caught: list[Violation] = []
        self._expected.extend(kinds)
        try:
            yield caught
            caught.extend(v for v in self.seen[start:] if v.kind in kinds)
            missing = [kind for kind in kinds if kind not in {v.kind for v in caught}]
            if missing:
                raise AssertionError(f"expected and never seen: {', '.join(missing)}")
        finally:
            for kind in kinds:
                self._expected.remove(kind)

    def of(self, kind: Kind) -> list[Violation]:
        return [violation for violation in self.seen if violation.kind is kind]

    def __bool__(self) -> bool:
        return bool(self.unexpected)

    def __iter__(self) -> Iterator[Violation]:
        return iter(self.unexpected)

    def __str__(self) -> str:
        return "\n".join(str(violation) for violation in self.unexpected) or "none"
