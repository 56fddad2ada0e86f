"""The audit log's wording, from lines as storage really writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from limner.bot.cards import audit
from limner.storage import Storage
from limner.storage.guild_records import AuditEntry, NsfwPolicy, Permission, Subject
from limner.storage.quota_records import NO_CAP, Allowance, Rule
from limner.storage.quota_rules import Scope
from limner.storage.windows import Period, Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


GUILD, ADMIN, ALICE, ROLE = 10, 20, 30, 40
NOW = 1_790_000_000.0


@pytest_asyncio.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with Storage.open(tmp_path, clock=lambda: NOW) as storage:
        yield storage


async def last(storage: Storage) -> list[str]:
    (entry,) = await storage.audit.entries(GUILD, limit=1)
    return audit.line(entry, GUILD).splitlines()


@pytest.mark.asyncio
async def test_an_expression_that_was_too_slow_is_not_shown_in_passing(storage: Storage) -> None:
    await storage.audit.record(GUILD, "blocklist.slow", actor_id=0, after={"patterns": ["a+b"]})
    when, deed = await last(storage)
    assert when.endswith("Limner itself")
    assert deed == "found too slow for a prompt: ||a+b||"


@pytest.mark.asyncio
async def test_a_rule_is_told_as_what_it_was_and_what_it_became(storage: Storage) -> None:
    day = Allowance(10_000)
    await storage.rules.set(GUILD, Scope.ROLE, ROLE, Rule(day), by=ADMIN, reason="a *trial*")
    when, deed, reason = await last(storage)
    assert when == f"<t:{int(NOW)}:f> · <@{ADMIN}>"
    assert deed == f"set the quota of <@&{ROLE}>: no rule → 10 credits a day"
    assert reason == "-# “a \\*trial\\*”"

    more = Rule(Allowance(2500, Period(Window.ROLLING, 36 * 3600)), max_unfinished=2)
    await storage.rules.set(GUILD, Scope.ROLE, ROLE, more, by=ADMIN)
    _, deed = await last(storage)
    assert deed.endswith(
        ": 10 credits a day → 2.5 credits in any 36 hours, not said → 2 jobs at once"
    )
    await storage.rules.set(GUILD, Scope.ROLE, ROLE, None, by=ADMIN)
    _, deed = await last(storage)
    assert deed == (
        f"removed the quota rule of <@&{ROLE}>:"
        " 2.5 credits in any 36 hours, 2 jobs at once → no rule"
    )


@pytest.mark.asyncio
async def test_whom_a_rule_is_for_is_named(storage: Storage) -> None:
    unlimited = Rule(Allowance(None), NO_CAP, 512 * 512, 1)
    for scope, subject_id, said in (
        (Scope.DEFAULT, 0, "everybody (the default)"),
        (Scope.BUDGET, 0, "the whole server (its budget)"),
        (Scope.USER, ALICE, f"<@{ALICE}>"),
        # Everyone's role has the server's id, and a mention of it would be none.
        (Scope.ROLE, GUILD, "everyone"),
    ):
        await storage.rules.set(GUILD, scope, subject_id, unlimited, by=ADMIN)
        _, deed = await last(storage)
        assert deed == (
            f"set the quota of {said}: no rule → unlimited credits, any number of jobs at once,"
            " pictures up to 512 × 512, 1 picture a job"
        )


@pytest.mark.asyncio
async def test_grants_and_resets_are_told(storage: Storage) -> None:
    await storage.rules.grant(GUILD, ALICE, 5000, by=ADMIN, reason="for\nthe poster")
    _, deed, reason = await last(storage)
    assert deed == f"granted <@{ALICE}> 5 credits, for good"
    assert reason == "-# “for the poster”"
    await storage.rules.grant(GUILD, ALICE, 1000, by=ADMIN, expires_at=NOW + 5)
    _, deed = await last(storage)
    assert deed == f"granted <@{ALICE}> 1 credit, until <t:{int(NOW) + 5}:f>"
    await storage.rules.reset(GUILD, ALICE, by=ADMIN)
    assert f"the quota of <@{ALICE}>" in (await last(storage))[1]
    await storage.rules.reset(GUILD, by=ADMIN)
    assert "the quota of everybody" in (await last(storage))[1]


@pytest.mark.asyncio
async def test_what_was_deleted_about_somebody_stays_untold(storage: Storage) -> None:
    await storage.rules.set(GUILD, Scope.USER, ALICE, Rule(max_pictures=1), by=ADMIN, reason="x")
    await storage.rules.grant(GUILD, ALICE, 5000, by=ALICE)
    await storage.rules.set(GUILD, Scope.USER, ALICE, None, by=ADMIN)
    await storage.moderation.ban(GUILD, ALICE, by=ADMIN)
    await storage.forget_user(ALICE)
    lines = [audit.line(each, GUILD) for each in await storage.audit.entries(GUILD)]
    assert [text.splitlines()[1:] for text in lines] == [
        ["banned somebody forgotten from painting"],
        ["removed the quota rule of somebody forgotten"],
        ["granted credits to somebody forgotten"],
        ["set the quota of somebody forgotten"],
    ]
    assert lines[2].splitlines()[0].endswith("somebody forgotten")
    assert str(ALICE) not in "".join(lines)


@pytest.mark.asyncio
async def test_what_else_an_owner_changes_is_told_too(storage: Storage) -> None:

    def change(settings):  # type: ignore[no-untyped-def]
        return replace(settings, is_paused=True, nsfw_policy=NsfwPolicy.SPOILER, pictures_days=7.5)

    await storage.guilds.change_settings(GUILD, change, by=ADMIN)
    assert (await last(storage))[1] == (
        "changed the settings: paused: no → yes, unsafe pictures: refuse → spoiler,"
        " days that pictures are kept: none → 7.5"
    )
    denied = Permission(Subject.CHANNEL, 77, is_allowed=False, model="house")
    await storage.guilds.set_permission(GUILD, denied, by=ADMIN)
    assert (await last(storage))[1] == "denied painting with house for <#77>"
    await storage.guilds.drop_permission(GUILD, Subject.CHANNEL, 77, model="house", by=ADMIN)
    assert (await last(storage))[1] == "removed the denial of painting with house for <#77>"
    await storage.moderation.ban(GUILD, ALICE, by=ADMIN, until=NOW + 9)
    assert (await last(storage))[1] == (
        f"banned <@{ALICE}> from painting, until <t:{int(NOW) + 9}:f>"
    )
    await storage.moderation.unban(GUILD, ALICE, by=ADMIN)
    assert (await last(storage))[1] == f"lifted the ban of <@{ALICE}>"
    words = ["one", "t*o", "three", "four"]
    await storage.moderation.add_to_blocklist(GUILD, words, is_regex=False, by=ADMIN)
    assert (await last(storage))[1] == (
        "added to the blocklist: ||one||, ||t\\*o||, ||three|| and 1 more"
    )
    entry = (await storage.moderation.blocklist(GUILD))[0]
    await storage.moderation.drop_from_blocklist(GUILD, entry.id, by=ADMIN)
    assert (await last(storage))[1].startswith("took from the blocklist: ||")


def test_a_line_of_another_version_is_told_plainly() -> None:
    entry = AuditEntry(1, NOW, 0, "worker.restart", "guild", 0, "", '{"device": "cuda:0"}', "")
    assert audit.line(entry, GUILD).splitlines() == [
        f"<t:{int(NOW)}:f> · Limner itself",
        "worker restart, the server: device: cuda:0",
    ]
    odd = AuditEntry(1, NOW, ADMIN, "quota.set", "user", ALICE, "[]", '{"no": 1}', "")
    assert audit.line(odd, GUILD).splitlines()[1].startswith(f"set the quota of <@{ALICE}>")
