"""The append-only log of who changed what; every change writes its line in its own transaction.

What is changed is the business of `guilds.py`, `moderation.py` and `quota_rules.py`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING

from .guild_records import AuditEntry
from .ledger import LAST_ID
from .queries import load

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .database import Database, Transaction

_SQL = load("admin")


class Audit:
    """Reads the log, and takes lines about what is not kept here, such as a restarted worker."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def entries(
        self, guild_id: int, *, action: str = "", limit: int = 25, before_id: int = LAST_ID
    ) -> list[AuditEntry]:
        """The newest first; `action` may be a beginning, such as `quota.`."""
        rows = await self._database.all(
            _SQL["audit"],
            {"guild_id": guild_id, "prefix": action, "limit": limit, "before_id": before_id},
        )
        return [_entry(row) for row in rows]

    async def entries_after(
        self, guild_id: int, after_id: int, *, action: str = "", limit: int = 25
    ) -> list[AuditEntry]:
        """Those that came right after a line, the newest of them first."""
        rows = await self._database.all(
            _SQL["audit_after"],
            {"guild_id": guild_id, "prefix": action, "limit": limit, "after_id": after_id},
        )
        return [_entry(row) for row in reversed(rows)]

    async def record(
        self,
        guild_id: int,
        action: str,
        *,
        actor_id: int,
        subject: str = "guild",
        subject_id: int = 0,
        before: object = None,
        after: object = None,
        reason: str = "",
    ) -> None:
        """Writes a line of its own."""

        def body(transaction: Transaction) -> None:
            record(
                transaction,
                guild_id,
                action,
                at=self._clock(),
                actor_id=actor_id,
                subject=subject,
                subject_id=subject_id,
                before=before,
                after=after,
                reason=reason,
            )

        await self._database.transaction(body)


class Trail:
    """`record` with a clock, for those whose every change has all of it to say."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def add(
        self,
        transaction: Transaction,
        guild_id: int,
        action: str,
        by: int,
        subject: str,
        subject_id: int,
        before: object,
        after: object,
        reason: str,
    ) -> None:
        record(
            transaction,
            guild_id,
            action,
            at=self._clock(),
            actor_id=by,
            subject=subject,
            subject_id=subject_id,
            before=before,
            after=after,
            reason=reason,
        )


def record(
    transaction: Transaction,
    guild_id: int,
    action: str,
    *,
    at: float,
    actor_id: int,
    subject: str,
    subject_id: int,
    before: object = None,
    after: object = None,
    reason: str = "",
) -> None:
    """Writes a line beside the change that it tells of; dataclasses become JSON objects."""
    transaction.run(
        _SQL["insert_audit"],
        {
            "guild_id": guild_id,
            "at": at,
            "actor_id": actor_id,
            "action": action,
            "subject": subject,
            "subject_id": subject_id,
            "before_json": _json(before),
            "after_json": _json(after),
            "reason": reason,
        },
    )


def _entry(row: sqlite3.Row) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        at=row["at"],
        actor_id=row["actor_id"],
        action=row["action"],
        subject=row["subject"],
        subject_id=row["subject_id"],
        before_json=row["before_json"],
        after_json=row["after_json"],
        reason=row["reason"],
    )


def _json(value: object) -> str:
    if value is None:
        return ""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    return json.dumps(value, ensure_ascii=False)
