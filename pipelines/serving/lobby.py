"""Who waits in a forecast, and who of them is next under the limits on running.

Tickets that differ in nothing that decides whether they may begin stand in one queue, of which only
the first is looked at; a queue that a limit holds up is not looked at until somebody leaves. Who
comes when, and what is painted, is forecast's.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .config import Limits
    from .tickets import Ticket
    from .track import Course


@dataclass(frozen=True, slots=True)
class Claimant:
    """A ticket that waits, or is expected to come."""

    claim: float
    """The least one is next."""
    course: Course
    in_s: float | None = None
    """When it will come; None: it is here."""


class _Kind(NamedTuple):
    model: str
    tenant: str
    """Empty where tenants are not limited; the group likewise."""
    group: str


class Lobby:
    """Hands out as `Admission.take` would, at a cost that does not grow with who waits behind."""

    def __init__(self, limits: Limits) -> None:
        self._tenants_most = limits.running_per_tenant
        self._groups_most = limits.running_per_group
        self._tenants: Counter[str] = Counter()
        self._groups: Counter[str] = Counter()
        self._queues: dict[_Kind, list[tuple[float, int, Claimant]]] = {}
        """Heaps: the least claim first, and of equal ones who came first."""
        self._fronts: dict[str, list[tuple[float, int, _Kind]]] = {}
        """By model, heaps of the first of each queue; some are first no longer."""
        self._held_up: dict[tuple[str, str], set[_Kind]] = {}
        """Queues by what must leave first: a tenant's ticket, or a group's."""
        self._entered = 0

    def enter(self, claimant: Claimant) -> None:
        course = claimant.course
        ticket = course.ticket
        kind = _Kind(
            course.model,
            "" if self._tenants_most is None else ticket.tenant,
            "" if self._groups_most is None else ticket.group,
        )
        self._entered += 1
        queue = self._queues.setdefault(kind, [])
        heapq.heappush(queue, (claimant.claim, self._entered, claimant))
        if queue[0][1] == self._entered:
            self._show(kind)

    def take(self, models: Iterable[str]) -> Claimant | None:
        """The first of one of these models whom the limits let run; it runs from here on."""
        fronts = [front for model in models if (front := self._front(model)) is not None]
        if not fronts:
            return None
        kind = min(fronts)[2]
        heapq.heappop(self._fronts[kind.model])
        claimant = heapq.heappop(self._queues[kind])[2]
        self._show(kind)
        self.run(claimant.course.ticket)
        return claimant

    def run(self, ticket: Ticket) -> None:
        """Counts a ticket as running that did not wait here."""
        self._tenants[ticket.tenant] += 1
        self._groups[ticket.group] += 1

    def leave(self, ticket: Ticket) -> None:
        """A running ticket has ended."""
        self._tenants[ticket.tenant] -= 1
        self._groups[ticket.group] -= 1
        for who in (("tenant", ticket.tenant), ("group", ticket.group)):
            for kind in self._held_up.pop(who, ()):
                self._show(kind)

    def lift(self) -> None:
        """From here on there are no limits."""
        self._tenants_most = self._groups_most = None
        for kinds in self._held_up.values():
            for kind in kinds:
                self._show(kind)
        self._held_up.clear()

    def _show(self, kind: _Kind) -> None:
        if queue := self._queues[kind]:
            claim, entered, _ = queue[0]
            heapq.heappush(self._fronts.setdefault(kind.model, []), (claim, entered, kind))

    def _front(self, model: str) -> tuple[float, int, _Kind] | None:
        fronts = self._fronts.get(model, [])
        while fronts:
            front = fronts[0]
            kind = front[2]
            queue = self._queues[kind]
            if queue and queue[0][1] == front[1]:
                by = self._held_up_by(kind)
                if by is None:
                    return front
                self._held_up.setdefault(by, set()).add(kind)
            heapq.heappop(fronts)
        return None

    def _held_up_by(self, kind: _Kind) -> tuple[str, str] | None:
        most = self._tenants_most
        if most is not None and self._tenants[kind.tenant] >= most:
            return "tenant", kind.tenant
        most = self._groups_most
        if most is not None and self._groups[kind.group] >= most:
            return "group", kind.group
        return None
