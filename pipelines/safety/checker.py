"""What a safety checker is, and what it says of a picture.

What is done with a picture that was found unsafe is for whoever shows it to decide. No library of
a checker's is imported here: verdicts travel to processes that have none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..errors import SafetyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Safety:
    """Which checker judges, and from what score on a picture is unsafe."""

    checker: str = "opennsfw"
    """A stock one's name, or the path of a Stable Diffusion safety checker's folder."""
    threshold: float = 0.5
    """0 to 1; lower is stricter."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a checker says of one picture."""

    checker: str
    label: str
    score: float
    """0 to 1, the higher the worse; what it means exactly is its checker's."""
    is_unsafe: bool

    @classmethod
    def of(cls, checker: str, label: str, score: float, threshold: float) -> Verdict:
        """Raises `SafetyError` for a score that is no number: it would pass every comparison."""
        if not math.isfinite(score):
            raise SafetyError(
                f"The safety checker {checker} judges nonsense: get its weights anew."
            )
        return cls(checker, label, min(1.0, max(0.0, score)), score > threshold)

    def __str__(self) -> str:
        return f"{self.label} {self.score:.2f}"


class Checker(Protocol):
    """Judges pictures, several at a time; called from one thread."""

    def check(self, pictures: Sequence[Image]) -> list[Verdict]:
        """One verdict a picture, in their order; the pictures stay as they are."""
        ...
