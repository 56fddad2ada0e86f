"""Keeps the quota rules that servers set, and gives grants and resets.

What they mean for a member is `quota_store.py`'s and `quotas.py`'s; who may set them is the bot's
to judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from .audit import record
from .errors import InvalidSettingError
from .ledger import EVERYBODY, EntryKind, append
from .queries import load
from .quotas import Allowance, Period, Rule, Window

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .database import Database, Transaction
    from .pseudonyms import Pseudonyms

_SQL = load("quotas")


class Scope(StrEnum):
    """Whom a rule is for."""

    DEFAULT = "default"
    ROLE = "role"
    USER = "user"
    BUDGET = "budget"
    """The whole server together."""


@dataclass(frozen=True, slots=True)
class SetRule:
    """A rule as a server set it."""

    scope: Scope
    subject_id: int
    """The role's or member's id; below 0, of somebody forgotten."""
    rule: Rule


@dataclass(frozen=True, slots=True)
class Changed:
    """A rule as it was, and as it is now; None where there was or is none."""

    before: Rule | None
    after: Rule | None


class QuotaRules:
    """Every change names its actor (`by`) and goes to the audit log with it."""

    def __init__(
        self, database: Database, pseudonyms: Pseudonyms, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._pseudonyms = pseudonyms
        self._clock = clock

    async def of_guild(self, guild_id: int) -> list[SetRule]:
        """Every rule that one server set."""
        rows = await self._database.all(_SQL["rules_of_guild"], {"guild_id": guild_id})
        return [SetRule(Scope(row["scope"]), row["subject_id"], rule_from(row)) for row in rows]

    async def set(
        self,
        guild_id: int,
        scope: Scope,
        subject_id: int,
        rule: Rule | None,
        *,
        by: int,
        reason: str = "",
    ) -> None:
        """Sets a rule, or takes it away with None; `subject_id` is 0 for default and budget.

        Of a budget only the allowance counts. Raises `InvalidSettingError`.
        """
        await self.change(guild_id, scope, subject_id, lambda _: rule, by=by, reason=reason)

    async def change(
        self,
        guild_id: int,
        scope: Scope,
        subject_id: int,
        change: Callable[[Rule | None], Rule | None],
        *,
        by: int,
        reason: str = "",
    ) -> Changed:
        """Sets what `change` makes of the rule as it stands; what changes nothing is not logged.

        A rule that says nothing is none. Raises `InvalidSettingError`, and what `change` raises.
        """
        if (scope in (Scope.DEFAULT, Scope.BUDGET)) != (subject_id == 0):
            raise InvalidSettingError("A rule for a role or a member names one, no other does.")
        key = {"guild_id": guild_id, "scope": scope.value, "subject_id": subject_id}
        keys = [key]
        if scope is Scope.USER:
            # Made for them before they had their data deleted.
            keys.append({**key, "subject_id": self._pseudonyms.of(subject_id)})

        def body(transaction: Transaction) -> Changed:
            found = [row for each in keys if (row := transaction.one(_SQL["rule"], each))]
            before = rule_from(found[0]) if found else None
            after = change(before)
            if after == Rule():
                after = None
            changed = Changed(before, after)
            if before == after:
                return changed
            for each in keys:
                transaction.run(_SQL["drop_rule"], each)
            if after is not None:
                transaction.run(_SQL["put_rule"], {**key, **_rule_columns(after)})
            record(
                transaction,
                guild_id,
                "quota.set" if after is not None else "quota.drop",
                at=self._clock(),
                actor_id=by,
                subject=scope.value,
                subject_id=subject_id,
                before=before,
                after=after,
                reason=reason,
            )
            return changed

        return await self._database.transaction(body)

    async def find(self, guild_id: int, scope: Scope, subject_id: int) -> Rule | None:
        """The rule that a server set for somebody, if it did."""
        key = {"guild_id": guild_id, "scope": scope.value, "subject_id": subject_id}
        row = await self._database.one(_SQL["rule"], key)
        if row is None and scope is Scope.USER:
            forgotten = {**key, "subject_id": self._pseudonyms.of(subject_id)}
            row = await self._database.one(_SQL["rule"], forgotten)
        return None if row is None else rule_from(row)

    async def grant(
        self,
        guild_id: int,
        user_id: int,
        amount: int,
        *,
        by: int,
        reason: str = "",
        expires_at: float | None = None,
    ) -> int:
        """Gives milli-credits beside the rules, and returns the grant's id."""
        if amount <= 0:
            raise InvalidSettingError("A grant must be more than 0.")

        def body(transaction: Transaction) -> int:
            now = self._clock()
            grant_id = append(
                transaction,
                EntryKind.GRANT,
                guild_id=guild_id,
                user_id=user_id,
                amount=amount,
                at=now,
                expires_at=expires_at,
                reason=reason,
                by_user_id=by,
            )
            record(
                transaction,
                guild_id,
                "quota.grant",
                at=now,
                actor_id=by,
                subject="user",
                subject_id=user_id,
                after={"grant_id": grant_id, "amount": amount, "expires_at": expires_at},
                reason=reason,
            )
            return grant_id

        return await self._database.transaction(body)

    async def reset(
        self, guild_id: int, user_id: int = EVERYBODY, *, by: int, reason: str = ""
    ) -> None:
        """What the member, or everybody, used until now no longer counts; the budget's does."""

        def body(transaction: Transaction) -> None:
            now = self._clock()
            append(
                transaction,
                EntryKind.RESET,
                guild_id=guild_id,
                user_id=user_id,
                amount=0,
                at=now,
                reason=reason,
                by_user_id=by,
            )
            record(
                transaction,
                guild_id,
                "quota.reset",
                at=now,
                actor_id=by,
                subject="guild" if user_id == EVERYBODY else "user",
                subject_id=guild_id if user_id == EVERYBODY else user_id,
                reason=reason,
            )

        await self._database.transaction(body)


def _rule_columns(rule: Rule) -> dict[str, object]:
    allowance = rule.allowance
    return {
        "window": None if allowance is None else allowance.period.window.value,
        "rolling_s": 0.0 if allowance is None else allowance.period.rolling_s,
        "amount": None if allowance is None else allowance.amount,
        "max_unfinished": rule.max_unfinished,
        "max_pixels": rule.max_pixels,
        "max_pictures": rule.max_pictures,
    }


def rule_from(row: sqlite3.Row) -> Rule:
    window: str | None = row["window"]
    allowance = (
        None
        if window is None
        else Allowance(row["amount"], Period(Window(window), row["rolling_s"]))
    )
    return Rule(allowance, row["max_unfinished"], row["max_pixels"], row["max_pictures"])
