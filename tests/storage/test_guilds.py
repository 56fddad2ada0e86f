"""What a server's owner sets: it comes back, it stays in its server, and the log tells of it."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from limner.storage import Allowance, GuildSettings, QuotaRefusedError, Rule, Storage
from limner.storage.errors import InvalidSettingError
from limner.storage.guild_records import NsfwPolicy, Permission, Subject, may_paint
from limner.storage.quota_rules import Scope
from limner.storage.records import JobStatus, NewBlock
from limner.storage.usage import DayUsage, Usage

from .makers import ADMIN, DAY_S, GUILD, NOON, USER, Clock, ask, bring_to

OTHER = GUILD + 1
CHANNEL = Subject.CHANNEL
ROLE = Subject.ROLE


async def test_settings_come_back_and_stay_in_their_server(storage: Storage) -> None:
    assert await storage.guilds.settings(GUILD) == GuildSettings()
    wanted = GuildSettings(
        "Asia/Kolkata", True, "Back at noon.", NsfwPolicy.SPOILER, True, True, 12.5, False
    )
    assert await storage.guilds.change_settings(GUILD, lambda _: wanted, by=ADMIN) == wanted
    assert await storage.guilds.settings(GUILD) == wanted
    assert await storage.guilds.settings(OTHER) == GuildSettings()


async def test_a_setting_without_sense_is_refused_and_nothing_is_changed(storage: Storage) -> None:
    with pytest.raises(InvalidSettingError, match="time zone"):
        await storage.guilds.change_settings(
            GUILD, lambda old: replace(old, time_zone="Mars/Olympus"), by=ADMIN
        )
    assert await storage.guilds.settings(GUILD) == GuildSettings()
    assert await storage.audit.entries(GUILD) == []


async def test_a_day_begins_at_the_servers_own_midnight(storage: Storage, clock: Clock) -> None:
    await storage.rules.set(GUILD, Scope.DEFAULT, 0, Rule(Allowance(1000)), by=ADMIN)
    await storage.guilds.change_settings(
        GUILD, lambda old: replace(old, time_zone="Pacific/Auckland"), by=ADMIN
    )
    # Half past eleven in the evening there, and an hour later; in UTC both are the same noon.
    clock.now = (NOON // DAY_S) * DAY_S + 11.5 * 3600
    await storage.jobs.accept(ask())
    with pytest.raises(QuotaRefusedError) as refusal:
        await storage.jobs.accept(ask())
    assert refusal.value.refused.again_at == clock.now + 1800
    clock.now += 3600
    await storage.jobs.accept(ask())


def table(*permissions: Permission) -> list[tuple[int, int, str]]:
    """Where, by whom and with what may be painted, out of two of each."""
    return [
        (channel, role, model)
        for channel, role, model in itertools.product((1, 2), (1, 2), ("a", "b"))
        if may_paint(permissions, channel_ids=(channel,), role_ids=(role,), model=model)
    ]


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ((), list(itertools.product((1, 2), (1, 2), "ab"))),
        ((Permission(CHANNEL, 1, True),), list(itertools.product((1,), (1, 2), "ab"))),
        ((Permission(CHANNEL, 1, False),), list(itertools.product((2,), (1, 2), "ab"))),
        ((Permission(ROLE, 1, True),), list(itertools.product((1, 2), (1,), "ab"))),
        (
            (Permission(CHANNEL, 1, True), Permission(ROLE, 2, False)),
            list(itertools.product((1,), (1,), "ab")),
        ),
        (
            (Permission(CHANNEL, 1, True, "a"),),
            [each for each in itertools.product((1, 2), (1, 2), "ab") if each[::2] != (2, "a")],
        ),
        (
            (Permission(ROLE, 1, False, "b"), Permission(CHANNEL, 2, False)),
            [(1, 1, "a"), (1, 2, "a"), (1, 2, "b")],
        ),
    ],
)
def test_permissions_mean_what_they_say(
    permissions: tuple[Permission, ...], allowed: list[tuple[int, int, str]]
) -> None:
    assert table(*permissions) == allowed


def test_a_denied_role_outweighs_an_allowed_one_of_the_same_member() -> None:
    permissions = [Permission(ROLE, 1, True), Permission(ROLE, 2, False)]
    assert may_paint(permissions, channel_ids=(), role_ids=(1,), model="a")
    assert not may_paint(permissions, channel_ids=(), role_ids=(1, 2), model="a")


async def test_permissions_are_set_replaced_and_dropped_in_their_server(storage: Storage) -> None:
    await storage.guilds.set_permission(GUILD, Permission(CHANNEL, 1, True), by=ADMIN)
    await storage.guilds.set_permission(GUILD, Permission(CHANNEL, 1, False), by=ADMIN)
    await storage.guilds.set_permission(GUILD, Permission(ROLE, 1, True, "house"), by=ADMIN)
    assert await storage.guilds.permissions(GUILD) == [
        Permission(CHANNEL, 1, False),
        Permission(ROLE, 1, True, "house"),
    ]
    assert await storage.guilds.permissions(OTHER) == []
    assert not await storage.guilds.drop_permission(OTHER, CHANNEL, 1, by=ADMIN)
    assert await storage.guilds.drop_permission(GUILD, CHANNEL, 1, by=ADMIN)
    assert len(await storage.guilds.permissions(GUILD)) == 1


async def test_a_ban_holds_until_its_end_and_in_its_server_only(
    storage: Storage, clock: Clock
) -> None:
    await storage.moderation.ban(GUILD, USER, by=ADMIN, reason="rude", until=NOON + 10)
    found = await storage.moderation.ban_of(GUILD, USER)
    assert found is not None
    assert (found.reason, found.by_user_id, found.until) == ("rude", ADMIN, NOON + 10)
    assert await storage.moderation.ban_of(OTHER, USER) is None
    assert await storage.moderation.bans(OTHER) == []
    assert await storage.moderation.bans(GUILD) == [found]
    clock.now += 10
    assert await storage.moderation.ban_of(GUILD, USER) is None
    assert await storage.moderation.bans(GUILD) == []
    assert not await storage.moderation.unban(GUILD, USER, by=ADMIN)


async def test_a_blocklist_of_ten_thousand_is_added_once_and_told_in_one_line(
    storage: Storage,
) -> None:
    words = [f"word {number}" for number in range(10_000)]
    added = await storage.moderation.add_to_blocklist(GUILD, words, is_regex=False, by=ADMIN)
    again = await storage.moderation.add_to_blocklist(GUILD, words[:5], is_regex=False, by=ADMIN)
    assert (added, again) == (10_000, 0)
    await storage.moderation.add_to_blocklist(GUILD, words[:1], is_regex=True, by=ADMIN)
    entries = await storage.moderation.blocklist(GUILD)
    assert [entry.pattern for entry in entries] == [*words, words[0]]
    assert await storage.moderation.blocklist(OTHER) == []
    find = storage.moderation.find_in_blocklist
    newest, second = await find(GUILD, words[0].upper(), limit=2)
    assert (newest.id, newest.is_regex) == (entries[-1].id, True)
    assert words[0] in second.pattern
    assert [each.id for each in await find(GUILD, f"#{entries[0].id} ")] == [entries[0].id]
    assert [each.id for each in await find(GUILD, f"/{words[0]}/")] == [entries[-1].id]
    assert await find(OTHER, "") == []
    assert len(await storage.audit.entries(GUILD)) == 2
    assert not await storage.moderation.drop_from_blocklist(OTHER, entries[0].id, by=ADMIN)
    assert await storage.moderation.drop_from_blocklist(GUILD, entries[0].id, by=ADMIN)
    assert len(await storage.moderation.blocklist(GUILD)) == 10_000


async def test_a_blocked_picture_leaves_its_hash(storage: Storage) -> None:
    jobs = [await bring_to(storage, JobStatus.RUNNING) for _ in range(3)]
    for number, job in enumerate(jobs):
        block = NewBlock(f"{number}" * 64, "stock", "unsafe 0.93")
        await storage.jobs.fail(job.id, "It was blocked.", blocks=[block])
    newest = await storage.moderation.blocked(GUILD, limit=2)
    assert [one.job_id for one in newest] == [jobs[2].id, jobs[1].id]
    (oldest,) = await storage.moderation.blocked(GUILD, before_id=newest[-1].id)
    assert (oldest.sha256, oldest.verdict, oldest.at) == ("0" * 64, "unsafe 0.93", NOON)
    assert await storage.moderation.blocked(OTHER) == []


async def test_the_log_tells_who_changed_what_from_what_to_what(
    storage: Storage, clock: Clock
) -> None:
    for amount in (1000, 2000):
        clock.now += 1
        rule = Rule(Allowance(amount))
        await storage.rules.set(GUILD, Scope.USER, USER, rule, by=ADMIN, reason="for now")
    await storage.rules.set(GUILD, Scope.USER, USER, None, by=ADMIN)
    await storage.audit.record(GUILD, "worker.restart", actor_id=ADMIN, reason="it hung")
    restart, drop, second, first = await storage.audit.entries(GUILD)
    assert (first.action, first.actor_id, first.at) == ("quota.set", ADMIN, NOON + 1)
    assert (first.subject, first.subject_id, first.reason) == ("user", USER, "for now")
    assert first.before_json == ""
    assert second.before_json == first.after_json
    assert json.loads(second.after_json)["allowance"]["amount"] == 2000
    assert (drop.action, drop.before_json, drop.after_json) == (
        "quota.drop",
        second.after_json,
        "",
    )
    assert (restart.action, restart.subject) == ("worker.restart", "guild")
    quota = await storage.audit.entries(GUILD, action="quota.", limit=2)
    assert quota == [drop, second]
    assert await storage.audit.entries(GUILD, action="quota.", before_id=second.id) == [first]
    assert await storage.audit.entries(OTHER) == []


async def test_usage_is_told_by_member_role_and_local_day(storage: Storage, clock: Clock) -> None:
    rule = Rule(Allowance(10**6))
    await storage.rules.set(GUILD, Scope.ROLE, 50, rule, by=ADMIN)
    midnight = NOON // DAY_S * DAY_S
    for at, user, cost, roles in (
        (midnight + 100, 1, 1000, (50,)),
        (midnight + 200, 2, 700, ()),
        (midnight + 20 * 3600, 1, 300, (50,)),
        (midnight + DAY_S + 100, 1, 50, ()),
    ):
        clock.now = at
        await storage.jobs.accept(ask(user, cost=cost), role_ids=roles)
    refunded = await storage.jobs.accept(ask(2, cost=9000))
    await storage.jobs.cancel(refunded.id)
    await storage.jobs.accept(ask(1, OTHER, cost=12345))
    span = {"since": midnight, "until": midnight + 2 * DAY_S}
    assert await storage.usage.by_user(GUILD, **span) == [Usage(1, 3, 1350), Usage(2, 2, 700)]
    assert await storage.usage.by_role(GUILD, **span) == [Usage(50, 2, 1300), Usage(0, 3, 750)]
    day = date.fromtimestamp(midnight + DAY_S / 2)
    following = date.fromtimestamp(midnight + DAY_S * 1.5)
    utc = ZoneInfo("UTC")
    assert await storage.usage.by_day(GUILD, **span, zone=utc) == [
        DayUsage(day, 3, 2000),
        DayUsage(following, 2, 50),
    ]
    assert await storage.usage.by_day(GUILD, **span, zone=utc, user_id=2) == [
        DayUsage(day, 1, 700),
        DayUsage(following, 1, 0),
    ]
    # In Kathmandu, 5:45 ahead, the evening belongs to the next day.
    kathmandu = ZoneInfo("Asia/Kathmandu")
    assert await storage.usage.by_day(GUILD, **span, zone=kathmandu) == [
        DayUsage(day, 2, 1700),
        DayUsage(following, 3, 350),
    ]
