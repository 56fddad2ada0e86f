"""Faults that a test orders: what goes wrong at Discord's end, on which route and how often."""

from __future__ import annotations

import asyncio
import fnmatch
from dataclasses import dataclass, field
from typing import Literal

from .ratelimits import Refusal

Scope = Literal["user", "global", "shared"]


@dataclass(slots=True, eq=False)
class Fault:
    """One ordered fault. Made by the functions below, given to `Faults.order`.

    `is_done_first`: Discord does what was asked and then fails to say so.
    """

    status: int | None = None
    refusal: Refusal | None = None
    drops: bool = False
    is_done_first: bool = False
    refuses_uploads: bool = False
    holds: bool = False
    _reached: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def rate_limited(cls, retry_after_s: float = 0.05, scope: Scope = "user") -> Fault:
        return cls(refusal=Refusal(retry_after_s, scope))

    @classmethod
    def server_error(cls, status: int = 502, *, is_done_first: bool = False) -> Fault:
        return cls(status=status, is_done_first=is_done_first)

    @classmethod
    def dropped(cls, *, is_done_first: bool = False) -> Fault:
        """The connection is reset, before or after the work is done."""
        return cls(drops=True, is_done_first=is_done_first)

    @classmethod
    def upload_refused(cls) -> Fault:
        """413 to a request that carries files; others pass."""
        return cls(refuses_uploads=True)

    @classmethod
    def slow(cls) -> Fault:
        """The request is held until the test calls `release`."""
        return cls(holds=True)

    async def reached(self, timeout_s: float = 60.0) -> None:
        """Waits until a request has met the fault."""
        async with asyncio.timeout(timeout_s):
            await self._reached.wait()

    def release(self) -> None:
        self._released.set()

    def meet(self) -> None:
        self._reached.set()

    async def wait_for_release(self) -> None:
        await self._released.wait()


@dataclass(slots=True)
class _Order:
    fault: Fault
    method: str
    route: str
    num_to_pass: int
    num_left: int


@dataclass(slots=True)
class Faults:
    """The orders that stand, oldest first."""

    _orders: list[_Order] = field(default_factory=list[_Order])
    _all: list[Fault] = field(default_factory=list[Fault])
    num_met: int = 0

    def order(
        self, fault: Fault, route: str = "*", *, method: str = "*", times: int = 1, after: int = 0
    ) -> Fault:
        """`route` is a pattern over the path without its version, e.g. `/channels/*/messages`."""
        self._all.append(fault)
        self._orders.append(_Order(fault, method.upper(), route, after, times))
        return fault

    def clear(self) -> None:
        """Takes back every order, and lets go of what is held."""
        for fault in self._all:
            fault.release()
        self._orders.clear()

    def pending(self, method: str, path: str, *, has_uploads: bool | None) -> Fault | None:
        """The fault that this request meets, counted off. `has_uploads`: None, not read yet."""
        for order in list(self._orders):
            if order.fault.refuses_uploads != (has_uploads is not None):
                continue
            if has_uploads is False:
                continue
            if not (fnmatch.fnmatchcase(path, order.route) and order.method in ("*", method)):
                continue
            if order.num_to_pass > 0:
                order.num_to_pass -= 1
                continue
            order.num_left -= 1
            if order.num_left == 0:
                self._orders.remove(order)
            self.num_met += 1
            order.fault.meet()
            return order.fault
        return None
