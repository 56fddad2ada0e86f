"""Reads what an admin writes into `/quota`: amounts, spans, sizes and counts -> a rule. Pure.

Every text is a person's; what is not understood is refused with one sentence. The commands and
the form are `cogs.quota`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ..storage.errors import InvalidSettingError
from ..storage.quota_records import NO_CAP, Allowance, Rule
from ..storage.windows import MAX_ROLLING_S, Period, Window
from .errors import RefusedError
from .pricing import CREDIT

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CREDITS = 1_000_000
MAX_HOURS = MAX_ROLLING_S / 3600
_HOUR_S = 3600.0
_MAX_COUNT = 1000
_MAX_SIDE = 16384
_UNLIMITED = frozenset(("unlimited", "no limit", "limitless", "infinite", "∞", "any"))
_UNSET = frozenset(("not set", "unset", "inherit", "default", "-"))

UNLIMITED = "unlimited"
UNSET = "not set"
"""As the suggestions write them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was written about a rule; what is empty or None stays as it is."""

    amount: str = ""
    window: Window | None = None
    hours: float | None = None
    """Of a rolling window."""
    at_once: str = ""
    size: str = ""
    pictures: str = ""

    @property
    def is_empty(self) -> bool:
        return self == Wish()

    @property
    def has_caps(self) -> bool:
        """What takes a cap away is none."""
        caps = (self.at_once, self.size, self.pictures)
        return any(_plain(cap) and _plain(cap) not in _UNSET for cap in caps)

    def check(self) -> None:
        """Refuses what no rule could make sense of, before anything is read. `RefusedError`."""
        self.apply(Rule(Allowance(0)))

    def apply(self, before: Rule | None) -> Rule:
        """The rule as it is wished. Raises `RefusedError`."""
        rule = before or Rule()
        return Rule(
            self._allowance(rule.allowance),
            _cap(self.at_once, rule.max_unfinished, lambda text: _count(text, "jobs")),
            _cap(self.size, rule.max_pixels, pixels),
            _cap(self.pictures, rule.max_pictures, lambda text: _count(text, "pictures")),
        )

    def _allowance(self, before: Allowance | None) -> Allowance | None:
        said = _plain(self.amount)
        if said in _UNSET:
            if self.window is not None or self.hours is not None:
                raise RefusedError("A window goes with an amount: say how many credits.")
            return None
        period = self._period(before.period if before is not None else Period())
        if said in _UNLIMITED:
            return Allowance(None, period)
        if said:
            return Allowance(amount(said), period)
        if self.window is None and self.hours is None:
            return before
        if before is None:
            raise RefusedError("A window goes with an amount: say how many credits.")
        return Allowance(before.amount, period)

    def _period(self, before: Period) -> Period:
        window, hours = self.window, self.hours
        if hours is not None and window not in (None, Window.ROLLING):
            raise RefusedError("Hours go with a rolling window: choose that one, or leave them.")
        if window is None and hours is None:
            return before
        if hours is None and window is Window.ROLLING:
            if before.window is Window.ROLLING:
                return before
            raise RefusedError("Say how many hours the rolling window has.")
        try:
            if hours is not None:
                return Period(Window.ROLLING, round(hours * _HOUR_S))
            return Period(window or Window.DAY)
        except InvalidSettingError as error:
            raise RefusedError(str(error)) from error


def amount(text: str) -> int:
    """`20`, `0.5`, `20 credits` -> milli-credits. Raises `RefusedError`."""
    found = re.fullmatch(r"(\d{1,9}(?:[.,]\d{1,3})?)(?:\s*credits?)?", _plain(text))
    # 1,000 may be a thousand or one.
    if found is None or re.search(r",\d{3}$", found[1]):
        raise RefusedError("Write an amount of credits, such as 20 or 0.5, or unlimited.")
    milli = int(Decimal(found[1].replace(",", ".")) * CREDIT)
    if milli > MAX_CREDITS * CREDIT:
        raise RefusedError(f"At most {MAX_CREDITS:,} credits; for more, write unlimited.")
    return milli


def pixels(text: str) -> int:
    """`512`, `512x768` -> the area. Raises `RefusedError`."""
    found = re.fullmatch(r"(\d{2,5})(?:\s*[x×*]\s*(\d{2,5}))?(?:\s*px)?", _plain(text))
    if found is None:
        raise RefusedError("Write the largest size as 512 or 512x768, or unlimited.")
    width, height = int(found[1]), int(found[2] or found[1])
    if max(width, height) > _MAX_SIDE:
        raise RefusedError(f"A side has at most {_MAX_SIDE:,} pixels; for more, write unlimited.")
    return width * height


def _count(text: str, things: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or not 1 <= int(text) <= _MAX_COUNT:
        raise RefusedError(
            f"Write how many {things} at once as a number from 1 to {_MAX_COUNT:,}, or unlimited;"
            " to stop painting, set an amount of 0."
        )
    return int(text)


def _cap(text: str, before: int | None, read: Callable[[str], int]) -> int | None:
    said = _plain(text)
    if not said:
        return before
    if said in _UNSET:
        return None
    return NO_CAP if said in _UNLIMITED else read(said)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
