"""What a check found out, for `doctor`, in the shell as in the chat. Which checks there are, is
`doctor`'s and `checks`'s."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    WELL = "well"
    NOTE = "note"
    """Not wrong, but worth knowing."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A wrong one says what to do."""

    about: str
    state: State
    sentence: str
