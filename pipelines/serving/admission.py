"""Who is next: a bounded queue, fair by cost, in which nobody starves. Pure; the clock is given.

Every tenant has used so much lately; the next ticket comes from the one who has used least, each
second of its oldest ticket's waiting taken off. Which worker paints it is the pool's.

Source: decayed-usage fair share with aging, as batch systems (Maui, Slurm's multifactor) do it.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .config import Fairness, Limits
    from .tickets import Ticket

_FORGOTTEN = 1e-6
"""Usage below this share of an average job is nothing."""


@dataclass(slots=True)
class _Usage:
    credits: float
    at: float


@dataclass(frozen=True, slots=True)
class _Place:
    ticket: Ticket
    since: float


class Line:
    """The queue at a moment, and where who comes later would stand in it; for forecasts."""

    def __init__(
        self,
        places: list[tuple[float, Ticket]],
        used: Callable[[str], float],
        per_second: float,
    ) -> None:
        self.places = places
        """(claim, ticket), the least claim first."""
        self.per_second = per_second
        """What a second's waiting takes off a claim: what comes a second later has so much more."""
        self._used = used
        self._queued: dict[str, float] = {}
        for _, ticket in places:
            self._queued[ticket.tenant] = self._queued.get(ticket.tenant, 0.0) + ticket.cost

    def claim(self, tenant: str) -> float:
        """Of a tenant's next ticket, if it came now."""
        return self._used(tenant) + self._queued.get(tenant, 0.0)


class Admission:
    """The queue. A ticket is waiting, then running (`take`), then forgotten (`finish`)."""

    def __init__(self, limits: Limits, fairness: Fairness, now: Callable[[], float]) -> None:
        self._limits = limits
        self._fairness = fairness
        self._now = now
        self._waiting: dict[str, _Place] = {}
        """In order of arrival."""
        self._running: dict[str, Ticket] = {}
        self._used: dict[str, _Usage] = {}
        self._mean_cost = 0.0

    @property
    def limits(self) -> Limits:
        return self._limits

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        return len(self._running)

    @property
    def oldest_wait_s(self) -> float:
        """Of the ticket that has waited longest; 0 when none waits."""
        return max((self._now() - place.since for place in self._waiting.values()), default=0.0)

    def __contains__(self, key: str) -> bool:
        return key in self._waiting or key in self._running

    def refusal(self, tenant: str, group: str) -> str | None:
        """One sentence why a ticket would be refused now; None: it would be accepted."""
        limits = self._limits
        if len(self._waiting) >= limits.waiting:
            return f"The queue is full: {len(self._waiting)} jobs are waiting."
        waiting = [place.ticket for place in self._waiting.values()]
        if limits.waiting_per_tenant is not None:
            mine = sum(ticket.tenant == tenant for ticket in waiting)
            if mine >= limits.waiting_per_tenant:
                return f"You have {mine} jobs waiting already, which is as many as you may have."
        if limits.waiting_per_group is not None:
            here = sum(ticket.group == group for ticket in waiting)
            if here >= limits.waiting_per_group:
                return f"This server has {here} jobs waiting already, as many as it may have."
        return None

    def add(self, ticket: Ticket) -> None:
        """Queues a ticket, whatever the limits: who asks `refusal` first is bounded by them."""
        if ticket.key in self:
            raise ValueError(f"ticket {ticket.key} has not ended yet")
        self._waiting[ticket.key] = _Place(ticket, self._now())
        self._mean_cost = (
            self._mean_cost * 0.9 + ticket.cost * 0.1 if self._mean_cost else ticket.cost
        )

    def take(self, can_run: Callable[[Ticket], bool]) -> Ticket | None:
        """The next ticket in fair order that its limits and `can_run` let run; charged at once."""
        tenants, groups = self._running_counts()
        for ticket in self.order():
            if self._has_room(ticket, tenants, groups) and can_run(ticket):
                del self._waiting[ticket.key]
                self._running[ticket.key] = ticket
                self._charge(ticket.tenant, ticket.cost)
                return ticket
        return None

    def withdraw(self, key: str) -> bool:
        """Takes a waiting ticket out; False if it is not waiting."""
        return self._waiting.pop(key, None) is not None

    def finish(self, key: str, *, used_share: float = 1.0) -> None:
        """A running ticket ended; what it did not use of its cost is not held against its owner."""
        ticket = self._running.pop(key)
        self._charge(ticket.tenant, -ticket.cost * (1.0 - used_share))

    def order(self) -> Iterator[Ticket]:
        """All waiting tickets in the order in which they would run if nobody else came."""
        return (ticket for _, ticket in self._order(list(self._waiting.values())))

    def line(self, *more: Ticket) -> Line:
        """All waiting tickets, as if these waited too, in the order in which they would run."""
        now = self._now()
        places = [*self._waiting.values(), *(_Place(ticket, now) for ticket in more)]
        return Line(list(self._order(places)), self.used, self._per_second)

    def used(self, tenant: str) -> float:
        """Credits that the tenant has used lately."""
        usage = self._used.get(tenant)
        if usage is None:
            return 0.0
        # A clock that was set back must not make usage grow.
        passed_s = max(0.0, self._now() - usage.at)
        return usage.credits * 0.5 ** (passed_s / self._fairness.half_life_s)

    @property
    def _per_second(self) -> float:
        return (self._mean_cost or 1.0) / self._fairness.aging_s

    def _order(self, places: list[_Place]) -> Iterator[tuple[float, Ticket]]:
        """With their claims."""
        now, per_second = self._now(), self._per_second
        queues: dict[str, list[_Place]] = {}
        for place in places:
            queues.setdefault(place.ticket.tenant, []).append(place)
        used = {tenant: self.used(tenant) for tenant in queues}
        next_of = dict.fromkeys(queues, 0)

        def claim(tenant: str) -> tuple[float, float, str]:
            since = queues[tenant][next_of[tenant]].since
            return used[tenant] - (now - since) * per_second, since, tenant

        heap = [claim(tenant) for tenant in queues]
        heapq.heapify(heap)
        while heap:
            claimed, _, tenant = heap[0]
            ticket = queues[tenant][next_of[tenant]].ticket
            used[tenant] += ticket.cost
            next_of[tenant] += 1
            if next_of[tenant] < len(queues[tenant]):
                heapq.heapreplace(heap, claim(tenant))
            else:
                heapq.heappop(heap)
            yield claimed, ticket

    def _has_room(self, ticket: Ticket, tenants: Counter[str], groups: Counter[str]) -> bool:
        limits = self._limits
        return (
            limits.running_per_tenant is None or tenants[ticket.tenant] < limits.running_per_tenant
        ) and (limits.running_per_group is None or groups[ticket.group] < limits.running_per_group)

    def _running_counts(self) -> tuple[Counter[str], Counter[str]]:
        running = self._running.values()
        return Counter(t.tenant for t in running), Counter(t.group for t in running)

    def _charge(self, tenant: str, cost: float) -> None:
        used = max(0.0, self.used(tenant) + cost)
        if used > _FORGOTTEN * self._mean_cost:
            self._used[tenant] = _Usage(used, self._now())
        else:
            self._used.pop(tenant, None)
        if len(self._used) > 1000:
            self._forget()

    def _forget(self) -> None:
        for tenant in [t for t in self._used if self.used(t) <= _FORGOTTEN * self._mean_cost]:
            del self._used[tenant]
