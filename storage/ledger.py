"""The append-only ledger of credits: hold, settle, release, grant, reset. Balances are its sums.

Whether a hold is allowed is decided in `quotas.py`; when a job's hold ends, in `jobs.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from .queries import load

if TYPE_CHECKING:
    import sqlite3

    from .database import Database, Transaction
    from .pseudonyms import Pseudonyms
    from .quotas import Allowed
    from .records import NewJob

_SQL = load("ledger")

EVERYBODY = -1
"""The user of a reset that is for the whole server."""

LAST_ID = 2**63 - 1


class EntryKind(StrEnum):
    HOLD = "hold"
    SETTLE = "settle"
    RELEASE = "release"
    GRANT = "grant"
    RESET = "reset"
    """What the member used before no longer counts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the ledger. Amounts are milli-credits and never negative."""

    id: int
    kind: EntryKind
    job_id: int | None
    guild_id: int
    user_id: int
    """Below 0 the pseudonym of somebody forgotten."""
    amount: int
    granted: int
    """The part that grants paid."""
    role_id: int
    at: float
    counts_at: float
    expires_at: float | None
    reason: str
    by_user_id: int


@dataclass(frozen=True, slots=True)
class Balance:
    """Sums over a span of time, in milli-credits."""

    held: int
    settled: int
    released: int
    granted: int

    @property
    def used(self) -> int:
        return self.held + self.settled


class Ledger:
    """Reads sums and lines; the functions below write them inside a job's own transaction."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        self._database = database
        self._pseudonyms = pseudonyms

    async def balance(
        self, guild_id: int, user_id: int, *, since: float = 0.0, until: float = float("inf")
    ) -> Balance:
        """What one member holds and spent in one server, by the time of the job's hold."""
        row = await self._database.one(
            _SQL["balance_of_user"],
            {
                "guild_id": guild_id,
                **self._pseudonyms.names(user_id),
                "since": since,
                "until": until,
            },
        )
        assert row is not None
        return Balance(row["held"], row["settled"], row["released"], row["granted"])

    async def used(
        self, guild_id: int, user_id: int, *, since: float = 0.0, until: float = float("inf")
    ) -> int:
        return (await self.balance(guild_id, user_id, since=since, until=until)).used

    async def of_job(self, job_id: int) -> list[Entry]:
        rows = await self._database.all(_SQL["of_job"], {"job_id": job_id})
        return [_entry(row) for row in rows]

    async def of_user(
        self, guild_id: int, user_id: int, *, limit: int = 50, before_id: int = LAST_ID
    ) -> list[Entry]:
        """The newest first."""
        rows = await self._database.all(
            _SQL["of_user"],
            {
                "guild_id": guild_id,
                **self._pseudonyms.names(user_id),
                "limit": limit,
                "before_id": before_id,
            },
        )
        return [_entry(row) for row in rows]


def hold(transaction: Transaction, job_id: int, new: NewJob, allowed: Allowed, now: float) -> None:
    """Sets a job's cost aside, from the allowance and the grants that were decided on."""
    granted = sum(draw.amount for draw in allowed.draws)
    append(
        transaction,
        EntryKind.HOLD,
        job_id=job_id,
        guild_id=new.origin.guild_id,
        user_id=new.origin.user_id,
        amount=new.cost,
        granted=granted,
        role_id=allowed.role_id,
        at=now,
    )
    for draw in allowed.draws:
        transaction.run(
            _SQL["insert_draw"],
            {"grant_id": draw.grant_id, "job_id": job_id, "kind": "draw", "amount": draw.amount},
        )


def end(transaction: Transaction, job_id: int, settled: int | None, now: float) -> None:
    """Ends a job's hold: so much is spent, the rest comes back; None spends it all.

    What grants paid comes back first.
    """
    rows = transaction.all(_SQL["hold_of"], {"job_id": job_id})
    held = _entry(rows[0])
    settled = held.amount if settled is None else settled
    assert 0 <= settled <= held.amount, "a job can't cost more than was held for it"
    settled_granted = max(0, settled - (held.amount - held.granted))
    released = held.amount - settled
    returned = held.granted - settled_granted
    # A job that cost nothing still gets one line that ends it.
    lines = [(EntryKind.SETTLE, settled, settled_granted)] if settled else []
    if released or not settled:
        lines.append((EntryKind.RELEASE, released, returned))
    for kind, amount, granted in lines:
        append(
            transaction,
            kind,
            job_id=job_id,
            guild_id=held.guild_id,
            user_id=held.user_id,
            amount=amount,
            granted=granted,
            role_id=held.role_id,
            at=now,
            counts_at=held.counts_at,
        )
    if returned:
        _return_to_grants(transaction, job_id, returned)


def _return_to_grants(transaction: Transaction, job_id: int, amount: int) -> None:
    for row in transaction.all(_SQL["draws_of"], {"job_id": job_id}):
        part = min(amount, row["amount"])
        if part:
            transaction.run(
                _SQL["insert_draw"],
                {"grant_id": row["grant_id"], "job_id": job_id, "kind": "return", "amount": part},
            )
        amount -= part
    assert amount == 0, "a job's grants paid less than its hold says"


def append(
    transaction: Transaction,
    kind: EntryKind,
    *,
    guild_id: int,
    user_id: int,
    amount: int,
    at: float,
    counts_at: float | None = None,
    job_id: int | None = None,
    granted: int = 0,
    role_id: int = 0,
    expires_at: float | None = None,
    reason: str = "",
    by_user_id: int = 0,
) -> int:
    """Writes a line and returns its id."""
    rows = transaction.all(
        _SQL["insert_entry"],
        {
            "kind": kind.value,
            "job_id": job_id,
            "guild_id": guild_id,
            "user_id": user_id,
            "amount": amount,
            "granted": granted,
            "role_id": role_id,
            "at": at,
            "counts_at": at if counts_at is None else counts_at,
            "expires_at": expires_at,
            "reason": reason,
            "by_user_id": by_user_id,
        },
    )
    return rows[0]["id"]


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        id=row["id"],
        kind=EntryKind(row["kind"]),
        job_id=row["job_id"],
        guild_id=row["guild_id"],
        user_id=row["user_id"],
        amount=row["amount"],
        granted=row["granted"],
        role_id=row["role_id"],
        at=row["at"],
        counts_at=row["counts_at"],
        expires_at=row["expires_at"],
        reason=row["reason"],
        by_user_id=row["by_user_id"],
    )
