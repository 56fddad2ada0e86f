"""Where a ticket's pictures wait in the worker until the picture that they start from was judged.

One thread, the painter's; the judging itself is press's, and its answer comes back as an order.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..safety.checker import Verdict
    from .messages import Paint


@dataclass(slots=True, eq=False)
class Party:
    """One ticket's pictures; not equal to a later one of the same name."""

    key: str
    paints: list[Paint] = field(default_factory=list["Paint"])


@dataclass(frozen=True, slots=True)
class Judged:
    """What the press found out; None: it could not be judged."""

    party: Party
    verdict: Verdict | None


class Doorstep:
    def __init__(self) -> None:
        self._parties: dict[str, Party] = {}

    def expect(self, key: str) -> Party:
        """From now on this ticket's pictures wait."""
        party = self._parties[key] = Party(key)
        return party

    def holds(self, paint: Paint) -> bool:
        """Whether this picture has to wait; then it does."""
        party = self._parties.get(paint.key)
        if party is None:
            return False
        party.paints.append(paint)
        return True

    def watch(self, key: str, is_on: bool) -> None:
        if (party := self._parties.get(key)) is not None:
            party.paints = [replace(paint, wants_previews=is_on) for paint in party.paints]

    def leave(self, key: str) -> list[Paint]:
        """Those who will not be painted: the ticket was cancelled."""
        party = self._parties.pop(key, None)
        return party.paints if party is not None else []

    def admit(self, party: Party) -> list[Paint] | None:
        """Those who waited; None where they have gone since."""
        if self._parties.get(party.key) is not party:
            return None
        del self._parties[party.key]
        return party.paints
