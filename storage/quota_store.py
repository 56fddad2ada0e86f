"""Reads what a decision about a member needs, outside and inside the transaction that follows it.

The decision itself is `quotas.py`'s; the rules are set in `quota_rules.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

from .errors import QuotaRefusedError
from .queries import load
from .quota_account import Account, account_of
from .quota_rules import rule_from
from .quotas import (
    Allowance,
    Allowed,
    Ask,
    Decision,
    Grant,
    Period,
    Refused,
    Rule,
    Rules,
    Spent,
    Standing,
    Window,
    decide,
    terms_of,
)
from .windows import zone_named

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import tzinfo

    from .database import Database, Rows, Transaction
    from .pseudonyms import Pseudonyms

_SQL = load("quotas")
_JOBS_SQL = load("jobs")

QUARTER_S = 900.0
"""Of an hour: the step of `guild_usage`."""


class Quotas:
    """What members may spend."""

    def __init__(
        self,
        database: Database,
        pseudonyms: Pseudonyms,
        bot_rule: Rule,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._pseudonyms = pseudonyms
        self._bot_rule = bot_rule
        self._clock = clock

    @property
    def bot_rule(self) -> Rule:
        """What counts where a server set nothing."""
        return self._bot_rule

    async def standing(
        self, guild_id: int, user_id: int, role_ids: Collection[int] = ()
    ) -> Standing:
        """All that a decision about one member depends on, as it stands now."""
        return await self._database.read(
            lambda rows: self._standing(rows, guild_id, user_id, role_ids, self._clock())
        )

    async def check(
        self, guild_id: int, user_id: int, ask: Ask, role_ids: Collection[int] = ()
    ) -> Decision:
        """What `jobs.accept` would decide now; it decides again when it is asked."""

        def body(rows: Rows) -> Decision:
            now = self._clock()
            return decide(ask, self._standing(rows, guild_id, user_id, role_ids, now), now)

        return await self._database.read(body)

    async def account(self, guild_id: int, user_id: int, role_ids: Collection[int] = ()) -> Account:
        """What a member has, for people to read."""

        def body(rows: Rows) -> Account:
            now = self._clock()
            standing = self._standing(rows, guild_id, user_id, role_ids, now)
            member = {"guild_id": guild_id, **self._pseudonyms.names(user_id), "now": now}
            # A decision does without the grants of somebody who has no limit.
            return account_of(replace(standing, grants=self._grants(rows, member)), now)

        return await self._database.read(body)

    def allow(
        self,
        transaction: Transaction,
        guild_id: int,
        user_id: int,
        ask: Ask,
        role_ids: Collection[int],
        now: float,
    ) -> Allowed:
        """Decides inside the transaction that will hold the credits. Raises `QuotaRefusedError`."""
        standing = self._standing(transaction, guild_id, user_id, role_ids, now)
        decision = decide(ask, standing, now)
        if isinstance(decision, Refused):
            raise QuotaRefusedError(decision)
        return decision

    def _standing(
        self, rows: Rows, guild_id: int, user_id: int, role_ids: Collection[int], now: float
    ) -> Standing:
        member = {"guild_id": guild_id, **self._pseudonyms.names(user_id), "now": now}
        rules = self._rules(rows, member, role_ids)
        zone = self._zone(rows, guild_id)
        allowances = [allowance for _, allowance in terms_of(rules).allowances]
        grants: tuple[Grant, ...] = ()
        spent: dict[Period, tuple[Spent, ...]] = {}
        # Somebody without a limit costs no sums.
        if all(allowance.amount is not None for allowance in allowances) and allowances:
            grants = self._grants(rows, member)
            reset = rows.one(_SQL["last_reset"], member)
            reset_at = -1.0 if reset is None or reset["at"] is None else float(reset["at"])
            for period in {allowance.period for allowance in allowances}:
                spent[period] = self._spent(rows, member, period, reset_at, zone, now)
        count = rows.one(_JOBS_SQL["count_unfinished"], member)
        return Standing(
            rules=rules,
            zone=zone,
            spent=spent,
            budget_spent=self._budget_spent(rows, guild_id, rules.budget, zone, now),
            grants=grants,
            num_unfinished=0 if count is None else count["num_jobs"],
        )

    def _rules(self, rows: Rows, member: Mapping[str, object], role_ids: Collection[int]) -> Rules:
        found = rows.all(
            _SQL["rules_of_member"], {**member, "role_ids": json.dumps(sorted(role_ids))}
        )
        user, default, budget = Rule(), Rule(), None
        roles: list[tuple[int, Rule]] = []
        for row in found:
            match row["scope"]:
                case "user":
                    user = rule_from(row)
                case "role":
                    roles.append((row["subject_id"], rule_from(row)))
                case "default":
                    default = rule_from(row)
                case _:
                    budget = rule_from(row).allowance
        return Rules(user, tuple(roles), default, self._bot_rule, budget)

    def _zone(self, rows: Rows, guild_id: int) -> tzinfo:
        row = rows.one(_SQL["zone"], {"guild_id": guild_id})
        return UTC if row is None else zone_named(row["time_zone"])

    def _grants(self, rows: Rows, member: Mapping[str, object]) -> tuple[Grant, ...]:
        found = rows.all(_SQL["live_grants"], member)
        return tuple(
            Grant(row["id"], row["left_over"], row["expires_at"], row["reason"]) for row in found
        )

    def _spent(
        self,
        rows: Rows,
        member: Mapping[str, object],
        period: Period,
        reset_at: float,
        zone: tzinfo,
        now: float,
    ) -> tuple[Spent, ...]:
        start, end = period.bounds(now, zone)
        statement = "spent_lines" if period.window is Window.ROLLING else "spent_sum"
        found = rows.all(
            _SQL[statement], {**member, "start": start, "end": end, "reset_at": reset_at}
        )
        return tuple(Spent(row["at"], row["amount"]) for row in found if row["amount"])

    def _budget_spent(
        self, rows: Rows, guild_id: int, budget: Allowance | None, zone: tzinfo, now: float
    ) -> tuple[Spent, ...]:
        if budget is None or budget.amount is None:
            return ()
        start, end = budget.period.bounds(now, zone)
        statement = (
            "guild_spent_lines" if budget.period.window is Window.ROLLING else "guild_spent_sum"
        )
        span = {
            "guild_id": guild_id,
            "start": start,
            "end": end,
            "broken_end": min(end, (start // QUARTER_S + 1) * QUARTER_S),
        }
        found = rows.all(_SQL[statement], span)
        return tuple(Spent(row["at"], row["amount"]) for row in found if row["amount"])
