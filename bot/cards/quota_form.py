"""The form of a quota rule, filled in with the rule as it stands.

What is sent with it is done by `cogs.quota`.
"""

from __future__ import annotations

import re
from math import isqrt
from typing import TYPE_CHECKING

import discord
from discord import ui

from ...storage.quota_records import NO_CAP
from ...storage.quota_rules import Scope
from ...storage.windows import Period, Window
from ..errors import RefusedError
from ..quota_options import UNLIMITED, UNSET, Wish
from . import quota_words as words
from .identity import NUMBER, custom_id, template

if TYPE_CHECKING:
    from ...storage.quota_records import Rule
    from .modals import Filled

MODAL = re.compile(template("quotaset", f"(?P<scope>{'|'.join(Scope)})", f"(?P<subject>{NUMBER})"))
_HOUR_S = 3600.0
_USUAL = (
    *(Period(window) for window in Window if window is not Window.ROLLING),
    *(Period(Window.ROLLING, hours * _HOUR_S) for hours in (24, 7 * 24, 30 * 24)),
)
_TITLES = {
    Scope.DEFAULT: "Everybody's default quota",
    Scope.BUDGET: "The whole server's budget",
    Scope.ROLE: "Quota of a role",
    Scope.USER: "Quota of a member",
}


class QuotaForm(ui.Modal):
    """discord.py forgets open modals at a restart, so the cog answers it by its custom id."""

    def __init__(self, scope: Scope, subject_id: int, rule: Rule | None) -> None:
        super().__init__(
            title=_TITLES[scope],
            timeout=15 * 60,
            custom_id=custom_id("quotaset", scope, subject_id),
        )
        allowance = None if rule is None else rule.allowance
        amount = ""
        if allowance is not None:
            amount = UNLIMITED if allowance.amount is None else f"{allowance.amount / 1000:.15g}"
        self._add("amount", "Credits", "Such as 20, or unlimited; empty: not set here", amount)
        period = Period() if allowance is None else allowance.period
        periods = _USUAL if period in _USUAL else (*_USUAL, period)
        self.add_item(
            ui.Label(
                text="How often",
                component=ui.Select[ui.Modal](
                    custom_id="period",
                    options=[
                        discord.SelectOption(
                            label=words.span(each), value=_value(each), default=each == period
                        )
                        for each in periods
                    ],
                ),
            )
        )
        if scope is Scope.BUDGET:
            return
        caps = (None, None, None)
        if rule is not None:
            caps = (rule.max_unfinished, rule.max_pixels, rule.max_pictures)
        self._add("at_once", "Jobs at once", "Waiting or being painted", _count(caps[0]))
        self._add(
            "size", "Largest picture", "512 or 512x768; another shape may as much", _size(caps[1])
        )
        self._add("pictures", "Pictures a job", "A number, or unlimited", _count(caps[2]))

    def _add(self, name: str, label: str, hint: str, said: str) -> None:
        self.add_item(
            ui.Label(
                text=label,
                description=hint,
                component=ui.TextInput[ui.Modal](
                    custom_id=name, default=said or None, max_length=30, required=False
                ),
            )
        )


def wished(fields: Filled) -> Wish:
    """The whole rule as the form says it: an empty field says nothing. Raises `RefusedError`."""
    texts = {name: text.strip() or UNSET for name, text in fields.texts.items()}
    amount = texts.get("amount", UNSET)
    wish = Wish(
        amount,
        at_once=texts.get("at_once", UNSET),
        size=texts.get("size", UNSET),
        pictures=texts.get("pictures", UNSET),
    )
    if amount == UNSET:
        return wish
    chosen = fields.choices.get("period") or [_value(Period())]
    window, _, hours = chosen[0].partition(":")
    try:
        period = Window(window), float(hours) if hours else None
    except ValueError as error:
        raise RefusedError("This form is from another version of me: open it again.") from error
    return Wish(amount, *period, wish.at_once, wish.size, wish.pictures)


def _value(period: Period) -> str:
    if period.window is not Window.ROLLING:
        return period.window.value
    return f"{period.window}:{period.rolling_s / _HOUR_S:.15g}"


def _count(cap: int | None) -> str:
    if cap is None:
        return ""
    return UNLIMITED if cap >= NO_CAP else str(cap)


def _size(cap: int | None) -> str:
    """Two sides of exactly this area, as near to a square as there are."""
    if cap is None or cap >= NO_CAP:
        return _count(cap)
    side = next((each for each in range(isqrt(cap), 0, -1) if cap % each == 0), 0)
    return f"{cap // side}x{side}" if side else str(cap)
