"""Reads who used how much, by member, role and day. What it counts against is `quotas.py`'s."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from .queries import load

if TYPE_CHECKING:
    from datetime import tzinfo

    from .database import Database
    from .pseudonyms import Pseudonyms

_SQL = load("quotas")


@dataclass(frozen=True, slots=True)
class Usage:
    """Jobs and milli-credits of a member or a role; 0: nobody any more, or no role's rule."""

    subject_id: int
    num_jobs: int
    amount: int


@dataclass(frozen=True, slots=True)
class DayUsage:
    """Jobs and milli-credits of a local day."""

    day: date
    num_jobs: int
    amount: int


class UsageReader:
    """Counts jobs by the moment at which they were accepted; what was released is left out."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        self._database = database
        self._pseudonyms = pseudonyms

    async def by_user(
        self, guild_id: int, *, since: float, until: float, limit: int = 25
    ) -> list[Usage]:
        """The most first."""
        return await self._by("usage_by_user", guild_id, since, until, limit)

    async def by_role(
        self, guild_id: int, *, since: float, until: float, limit: int = 25
    ) -> list[Usage]:
        """By the role whose rule allowed the job, the most first."""
        return await self._by("usage_by_role", guild_id, since, until, limit)

    async def by_day(
        self,
        guild_id: int,
        *,
        since: float,
        until: float,
        zone: tzinfo,
        user_id: int | None = None,
    ) -> list[DayUsage]:
        """Days on which something was used, in order; of one member, or of the whole server.

        The server's is read by quarters of an hour, so `since` is rounded down to one.
        """
        span = {"guild_id": guild_id, "since": since, "until": until}
        if user_id is None:
            rows = await self._database.all(_SQL["usage_by_quarter"], span)
        else:
            names = self._pseudonyms.names(user_id)
            rows = await self._database.all(_SQL["usage_of_user"], {**span, **names})
        num_jobs: defaultdict[date, int] = defaultdict(int)
        amounts: defaultdict[date, int] = defaultdict(int)
        for row in rows:
            day = datetime.fromtimestamp(row["at"], zone).date()
            num_jobs[day] += row["num_jobs"]
            amounts[day] += row["amount"]
        return [DayUsage(day, num_jobs[day], amounts[day]) for day in sorted(num_jobs)]

    async def _by(
        self, statement: str, guild_id: int, since: float, until: float, limit: int
    ) -> list[Usage]:
        rows = await self._database.all(
            _SQL[statement],
            {"guild_id": guild_id, "since": since, "until": until, "limit": limit},
        )
        return [Usage(row["subject_id"], row["num_jobs"], row["amount"]) for row in rows]
