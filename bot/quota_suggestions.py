"""What is offered while an admin types into `/quota`: names and the values behind them. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ..storage.windows import zone_named
from .errors import RefusedError
from .moments import moment
from .quota_options import UNLIMITED, UNSET

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Offers = list[tuple[str, str]]

_LONGEST = 100
"""Characters that Discord takes of a name or a value."""


def amounts(current: str) -> Offers:
    """Credits."""
    return _offers(
        current, "credits", [(f"{each} credits", str(each)) for each in (5, 20, 50, 100)]
    )


def counts(current: str, thing: str) -> Offers:
    """Jobs or pictures."""
    usual = [(f"1 {thing}", "1"), *((f"{each} {thing}s", str(each)) for each in (2, 3))]
    return _offers(current, f"{thing}s", usual)


def sizes(current: str, usual_sides: Iterable[int]) -> Offers:
    """Squares of the models' own size, and larger and smaller ones."""
    sides = {side * part // 4 for side in usual_sides for part in (3, 4, 6, 8)}
    return _offers(current, "", [(f"{side} × {side}", str(side)) for side in sorted(sides)[:10]])


def expiries(current: str, now: float, zone_name: str) -> Offers:
    """The moment that is meant, by the server's clock."""
    zone = zone_named(zone_name)
    found: Offers = []
    for text in [current.strip()] if current.strip() else ["1d", "7d", "1 month", "never"]:
        try:
            at = moment(text, now, zone)
        except RefusedError:
            continue
        name = "for good"
        if at is not None:
            local = datetime.fromtimestamp(at, zone)
            name = f"until {local:%a} {local.day} {local:%b %Y, %H:%M} ({zone_name})"
        found.append((f"{text}: {name}"[:_LONGEST], text[:_LONGEST]))
    return found


def _offers(current: str, unit: str, usual: Sequence[tuple[str, str]]) -> Offers:
    """What is typed, where it is a figure, and what can be said beside figures."""
    typed = " ".join(current.lower().split())[:30]
    offers = [*usual, (UNLIMITED, UNLIMITED), (f"{UNSET}: the next rule counts", UNSET)]
    fitting = [(name, value) for name, value in offers if typed in name or typed in value]
    if typed[:1].isdigit() and all(typed != value for _, value in fitting):
        has_unit = not typed.replace(".", "").replace(",", "").isdigit()
        fitting.insert(0, (typed if has_unit else f"{typed} {unit}".strip(), typed))
    return fitting
