"""The values of quotas: rules, what was spent, grants, an ask and the answer to it.

What follows from them is `quotas.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING

from .errors import InvalidSettingError
from .windows import Period

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_CAP = 2**31 - 1
"""A cap that lifts a lower-ranking one."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many milli-credits a period; None: unlimited."""

    amount: int | None
    period: Period = field(default_factory=Period)

    def __post_init__(self) -> None:
        if self.amount is not None and self.amount < 0:
            raise InvalidSettingError("An allowance can't be below 0.")


@dataclass(frozen=True, slots=True)
class Rule:
    """What an owner set for somebody; a None says nothing, so that the next rule counts."""

    allowance: Allowance | None = None
    max_unfinished: int | None = None
    """Jobs of one member that wait or run at once."""
    max_pixels: int | None = None
    """Of one picture."""
    max_pictures: int | None = None
    """Of one job."""

    def __post_init__(self) -> None:
        for cap in (self.max_unfinished, self.max_pixels, self.max_pictures):
            if cap is not None and not 0 <= cap <= NO_CAP:
                raise InvalidSettingError(f"A cap lies between 0 and {NO_CAP}.")


@dataclass(frozen=True, slots=True)
class Rules:
    """Every rule that concerns one member of one server.

    For each of a rule's four subjects: the member's own counts; else the best of the roles';
    else the server's default; else the bot's.
    """

    user: Rule = field(default_factory=Rule)
    roles: tuple[tuple[int, Rule], ...] = ()
    """Only the roles that the member has, with their ids."""
    default: Rule = field(default_factory=Rule)
    bot: Rule = field(default_factory=Rule)
    budget: Allowance | None = None
    """What the whole server may spend."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Milli-credits that count from a moment on; what stops counting at once may be summed."""

    at: float
    amount: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What is left of credits given beside the rules."""

    id: int
    left: int
    expires_at: float | None = None
    reason: str = field(default="", compare=False)
    """As whoever gave it wrote it; decides nothing."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a decision depends on, beside the ask and the time."""

    rules: Rules = field(default_factory=Rules)
    zone: tzinfo = UTC
    spent: Mapping[Period, tuple[Spent, ...]] = field(
        default_factory=dict[Period, tuple[Spent, ...]]
    )
    """By the member, without what grants paid; at least what counts now."""
    budget_spent: tuple[Spent, ...] = ()
    """By the whole server, with what grants paid."""
    grants: tuple[Grant, ...] = ()
    num_unfinished: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """What a member wants: its price and its size."""

    cost: int
    num_pictures: int = 1
    num_pixels: int = 0
    """Of one picture."""


class Reason(StrEnum):
    """Why a job is refused."""

    TOO_MANY_PIXELS = "too many pixels"
    TOO_MANY_PICTURES = "too many pictures"
    TOO_MANY_UNFINISHED = "too many unfinished jobs"
    QUOTA = "the member's quota"
    BUDGET = "the server's budget"


@dataclass(frozen=True, slots=True)
class Draw:
    """A part of a cost that a grant pays."""

    grant_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class Allowed:
    left: int | None
    """Milli-credits that the member may still spend after this; None: unlimited."""
    draws: tuple[Draw, ...] = ()
    role_id: int = 0
    """Whose rule allowed it; 0: not a role's."""


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Reason
    cost: int
    left: int | None
    """Milli-credits that the member may spend now; None: unlimited."""
    again_at: float | None = None
    """When the same would be allowed, if nothing else were spent; None: not by waiting."""
    cap: int | None = None
    """The cap that it is over, where it is a cap."""


Decision = Allowed | Refused


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules boiled down to what counts for one member."""

    allowances: tuple[tuple[int, Allowance], ...]
    """With the role's id, or 0. The one that leaves most counts; none at all: unlimited."""
    max_unfinished: int
    max_pixels: int
    max_pictures: int
