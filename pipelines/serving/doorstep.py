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
    num_pictures: int
    """That belong to it; none begins before all have come, lest one slips by the verdict."""
    paints: list[Paint] = field(default_factory=list["Paint"])
    verdicts: list[Verdict | None] = field(default_factory=list["Verdict | None"])
    """One, once it was judged."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the press found out; None: it could not be judged."""

    party: Party
    verdict: Verdict | None


class Doorstep:
    def __init__(self) -> None:
        self._parties: dict[str, Party] = {}

    def expect(self, key: str, num_pictures: int) -> Party:
        """From now on this ticket's pictures wait."""
        party = self._parties[key] = Party(key, num_pictures)
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

    def hear(self, judged: Judged) -> None:
        """Their ground's verdict, if they have not gone since."""
        judged.party.verdicts.append(judged.verdict)

    def admit(self, key: str) -> tuple[list[Paint], Verdict | None] | None:
        """All who waited, once, with the verdict; None while anything of that is missing."""
        party = self._parties.get(key)
        if party is None or not party.verdicts or len(party.paints) < party.num_pictures:
            return None
        del self._parties[key]
        return party.paints, party.verdicts[0]
