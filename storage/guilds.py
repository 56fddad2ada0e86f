"""Keeps what a server's owner sets: its settings, and where and with what may be painted.

Who may set it is the bot's to judge; one server's rows are never read for another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .audit import Trail
from .guild_records import GuildSettings, NsfwPolicy, Permission, Subject
from .queries import load

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .database import Database, Transaction

_SQL = load("admin")


class Guilds:
    """Every change names its actor (`by`) and goes to the audit log with it."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._trail = Trail(clock)

    async def settings(self, guild_id: int) -> GuildSettings:
        row = await self._database.one(_SQL["settings"], {"guild_id": guild_id})
        return _settings(row)

    async def change_settings(
        self,
        guild_id: int,
        change: Callable[[GuildSettings], GuildSettings],
        *,
        by: int,
        reason: str = "",
    ) -> GuildSettings:
        """Sets what `change` makes of the settings as they stand, and returns them.

        Raises `InvalidSettingError`.
        """

        def body(transaction: Transaction) -> GuildSettings:
            before = _settings(transaction.one(_SQL["settings"], {"guild_id": guild_id}))
            after = change(before)
            transaction.run(
                _SQL["put_settings"],
                {
                    "guild_id": guild_id,
                    "time_zone": after.time_zone,
                    "is_paused": int(after.is_paused),
                    "pause_message": after.pause_message,
                    "nsfw_policy": after.nsfw_policy.value,
                    "settles_cancelled": int(after.settles_cancelled),
                    "settles_blocked": int(after.settles_blocked),
                    "pictures_days": after.pictures_days,
                    "blocks_shipped_words": int(after.blocks_shipped_words),
                },
            )
            self._trail.add(
                transaction,
                guild_id,
                "settings.change",
                by,
                "guild",
                guild_id,
                before,
                after,
                reason,
            )
            return after

        return await self._database.transaction(body)

    async def permissions(self, guild_id: int) -> list[Permission]:
        """What `guild_records.may_paint` judges by."""
        rows = await self._database.all(_SQL["permissions"], {"guild_id": guild_id})
        return [_permission(row) for row in rows]

    async def set_permission(
        self, guild_id: int, permission: Permission, *, by: int, reason: str = ""
    ) -> None:
        def body(transaction: Transaction) -> None:
            key = _permission_key(
                guild_id, permission.subject, permission.subject_id, permission.model
            )
            before = transaction.one(_SQL["permission"], key)
            transaction.run(
                _SQL["put_permission"], {**key, "is_allowed": int(permission.is_allowed)}
            )
            self._trail.add(
                transaction,
                guild_id,
                "permission.set",
                by,
                permission.subject.value,
                permission.subject_id,
                before and _permission(before),
                permission,
                reason,
            )

        await self._database.transaction(body)

    async def drop_permission(
        self,
        guild_id: int,
        subject: Subject,
        subject_id: int,
        *,
        model: str = "",
        by: int,
        reason: str = "",
    ) -> bool:
        """Whether there was one."""

        def body(transaction: Transaction) -> bool:
            key = _permission_key(guild_id, subject, subject_id, model)
            before = transaction.one(_SQL["permission"], key)
            if before is None:
                return False
            transaction.run(_SQL["drop_permission"], key)
            self._trail.add(
                transaction,
                guild_id,
                "permission.drop",
                by,
                subject.value,
                subject_id,
                _permission(before),
                None,
                reason,
            )
            return True

        return await self._database.transaction(body)


def _settings(row: sqlite3.Row | None) -> GuildSettings:
    if row is None:
        return GuildSettings()
    return GuildSettings(
        time_zone=row["time_zone"],
        is_paused=bool(row["is_paused"]),
        pause_message=row["pause_message"],
        nsfw_policy=NsfwPolicy(row["nsfw_policy"]),
        settles_cancelled=bool(row["settles_cancelled"]),
        settles_blocked=bool(row["settles_blocked"]),
        pictures_days=row["pictures_days"],
        blocks_shipped_words=bool(row["blocks_shipped_words"]),
    )


def _permission_key(
    guild_id: int, subject: Subject, subject_id: int, model: str
) -> dict[str, object]:
    return {
        "guild_id": guild_id,
        "subject": subject.value,
        "subject_id": subject_id,
        "model": model,
    }


def _permission(row: sqlite3.Row) -> Permission:
    return Permission(
        Subject(row["subject"]), row["subject_id"], bool(row["is_allowed"]), row["model"]
    )
