"""/quota as its owner, a moderator, a member and a stranger use it, and as nobody should."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from PIL import Image

from limner.bot.cogs.quota import Quota
from limner.storage.quota_records import Allowance, Rule
from limner.storage.quota_rules import Scope, SetRule
from limner.storage.records import JobStatus
from limner.storage.windows import Period, Window
from tests.wire.offers import NotOffered

from .cards import PATIENCE_S, ask, done, job_id_of, paint
from .conftest import StudioBot, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from limner.bot.studio import Studio
    from limner.storage.guild_records import AuditEntry
    from tests.wire.entities import Message, User
    from tests.wire.replies import Reply

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMINS_ONLY = "Only somebody who may manage this server can do that."


class QuotaBot(StudioBot):
    """As the extension loads it."""

    async def setup_hook(self) -> None:
        await self.add_cog(Quota(self, self._studio, self.delivery))
        await super().setup_hook()


@pytest_asyncio.fixture(loop_scope="session")
async def bot(place: Place, studio: Studio) -> AsyncIterator[QuotaBot]:
    bot = QuotaBot(studio)
    async with place.wire.connect(bot):
        yield bot


@pytest.fixture
def admin(place: Place) -> User:
    return place.guild.member("chief", "manage_guild")


async def quota(place: Place, who: User, command: str, **options: object) -> Reply:
    return await place.wire.slash(who, place.channel, f"quota {command}", **options)  # type: ignore[arg-type]


async def said(reply: Reply) -> str:
    """The private answer's words; nobody is pinged by it."""

    def told() -> Message | None:
        asked = reply.interaction
        answers = [m for m in (*asked.followups, asked.original) if m and m is not asked.source]
        return next((m for m in answers if not m.is_deleted and not m.is_loading), None)

    message = await reply.world.changes.until(told, "an answer", PATIENCE_S)
    assert message.is_ephemeral
    assert message.is_v2
    assert not message.pinged_user_ids
    assert not message.pinged_role_ids
    return message.text


async def done_by(place: Place, who: User, command: str, **options: object) -> str:
    return await said(await quota(place, who, command, **options))


async def log_of(studio: Studio, place: Place) -> list[AuditEntry]:
    return await studio.storage.audit.entries(place.guild.id)


def forge(message: Message, old: str, new: str) -> str:
    """An id on one's own message, as no client of Discord's could write it."""
    component = message.component(old)
    assert component is not None
    component["custom_id"] = new
    component.pop("disabled", None)
    return new


# What one has


async def test_a_member_sees_what_is_left_and_when_there_is_more(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    role = place.guild.role("painters")
    place.guild.members[place.alice.id].roles.append(role)
    await done_by(
        place, admin, "set", role=role, amount="2.5", at_once="2", size="512", pictures="3"
    )
    text = await done_by(place, place.alice, "show")
    assert "### Your quota\n**2.5 credits left**" in text
    assert "▰▰▰▰▰▰▰▰▰▰▰▰\n2.5 of 2.5 credits a day" in text
    assert f"by the role <@&{role.id}>" in text
    assert "2 jobs at once, 0 now" in text
    assert "pictures up to 512 × 512" in text
    assert "3 pictures a job" in text
    assert "<t:" not in text, "nothing is used, so there is nothing to wait for"
    await paint(place)
    text = await done_by(place, place.alice, "show")
    assert "**1.5 credits left**" in text
    assert "▰▰▰▰▰▰▰▱▱▱▱▱\n1.5 of 2.5 credits a day" in text
    assert re.search(r"All of it again <t:\d+:R>", text)
    # Two roles: the one that leaves most counts.
    better = place.guild.role("masters")
    place.guild.members[place.alice.id].roles.append(better)
    await done_by(place, admin, "set", role=better, amount="5", window="rolling", hours=36)
    text = await done_by(place, place.alice, "show")
    assert "4 of 5 credits in any 36 hours" in text
    assert f"by the role <@&{better.id}>, the best of 2 roles" in text
    # Her own rule outranks them, and the bot's speaks where nobody does.
    await done_by(place, admin, "set", member=place.alice, amount="unlimited")
    text = await done_by(place, place.alice, "show")
    assert "**Unlimited credits**" in text
    assert "by a rule for this member" in text
    text = await done_by(place, place.bob, "show")
    assert "**1,000 credits left**" in text
    assert "by the bot's own rule" in text


async def test_what_is_under_way_and_the_servers_budget_are_told(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    await done_by(place, admin, "set", scope="budget", amount="3", window="month")
    await done_by(place, admin, "set", scope="default", amount="10", window="week")
    studio.pool.pause()
    try:
        reply = await ask(place)
        await reply.message(lambda m: "Cancel" in m.buttons, timeout_s=PATIENCE_S)
        text = await done_by(place, place.alice, "show")
    finally:
        studio.pool.resume()
    await done(reply)
    assert "**2 credits left**" in text
    assert "9 of 10 credits a week" in text
    assert "The server's budget leaves no more." in text
    assert "The whole server's budget" in text
    assert "2 of 3 credits a month" in text
    assert "1 job under way" in text
    assert "by this server's default" in text


async def test_only_an_admin_sees_anothers(place: Place, bot: QuotaBot, admin: User) -> None:
    await done_by(place, admin, "grant", member=place.bob, amount=2.5, reason="a *secret*")
    for who in (place.alice, place.moderator):
        text = await done_by(place, who, "show", member=place.bob)
        assert text == ADMINS_ONLY
    text = await done_by(place, admin, "show", member=place.bob)
    assert f"### Quota of <@{place.bob.id}>" in text
    assert "2.5 credits for good" in text
    own = await done_by(place, place.bob, "show", member=place.bob)
    assert "### Your quota" in own
    assert "“a \\*secret\\*”" in own


# What an admin sets


async def test_a_rule_is_set_said_back_logged_and_taken_away(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    text = await done_by(place, admin, "set", member=place.alice, amount="20", reason="a trial")
    assert f"<@{place.alice.id}> from now on:\n**20 credits a day**" in text
    assert "Before: no rule" in text
    assert "They have 20 credits left." in text
    text = await done_by(place, admin, "set", member=place.alice, window="week", at_once="1")
    assert "**20 credits a week, 1 job at once**" in text
    assert "Before: 20 credits a day" in text
    text = await done_by(place, admin, "set", member=place.alice, amount="20")
    assert "nothing changed" in text
    rules = await studio.storage.rules.of_guild(place.guild.id)
    wanted = Rule(Allowance(20_000, Period(Window.WEEK)), max_unfinished=1)
    assert rules == [SetRule(Scope.USER, place.alice.id, wanted)]
    text = await done_by(place, admin, "set", member=place.alice, remove=True)
    assert "the rule is gone" in text
    assert await studio.storage.rules.of_guild(place.guild.id) == []
    entries = await log_of(studio, place)
    assert [each.action for each in entries] == ["quota.drop", "quota.set", "quota.set"]
    assert {each.actor_id for each in entries} == {admin.id}
    assert entries[-1].reason == "a trial"
    text = await done_by(place, admin, "log")
    assert (
        f"removed the quota rule of <@{place.alice.id}>: 20 credits a week, 1 job at once → no rule"
        in text
    )
    assert "20 credits a day → 20 credits a week, not said → 1 job at once" in text
    assert "“a trial”" in text


async def test_everyones_role_is_the_default_and_a_budget_is_an_amount(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    everyone = place.guild.everyone
    text = await done_by(place, admin, "set", role=everyone, amount="5", pictures="1")
    assert "Everybody (the default) from now on:" in text
    text = await done_by(place, admin, "set", scope="budget", amount="100", size="512")
    assert "A budget is an amount" in text
    await done_by(place, admin, "set", scope="budget", amount="100", window="month")
    text = await done_by(place, admin, "rules")
    assert text.splitlines() == [
        "### Quota rules",
        "the whole server (its budget)",
        "-# 100 credits a month",
        "everybody (the default)",
        "-# 5 credits a day, 1 picture a job",
        "-# Where none speaks: 1,000 credits in any 24 hours",
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "Say whom it is for"),
        ({"scope": "default", "member": True}, "Say whom it is for"),
        ({"scope": "default", "amount": "lots"}, "such as 20 or 0.5"),
        ({"scope": "default", "amount": "5", "window": "rolling"}, "how many hours"),
        ({"scope": "default", "amount": "5", "remove": True}, "not both"),
        ({"scope": "default", "window": "day"}, "say how many credits"),
        ({"scope": "default", "reason": "a trial"}, "A reason goes with what is set"),
        ({"scope": "default", "at_once": "0"}, "an amount of 0"),
    ],
)
async def test_what_makes_no_rule_is_refused_in_one_sentence(
    place: Place,
    bot: QuotaBot,
    studio: Studio,
    admin: User,
    options: dict[str, object],
    words: str,
) -> None:
    if "member" in options:
        options = options | {"member": place.alice}
    text = await done_by(place, admin, "set", **options)
    assert words in text
    assert "\n" not in text
    assert await log_of(studio, place) == []


async def test_the_form_shows_the_rule_and_sets_it_after_a_restart_too(
    place: Place, studio: Studio, admin: User
) -> None:
    role = place.guild.role("painters")
    async with place.wire.connect(QuotaBot(studio)):
        await done_by(place, admin, "set", role=role, amount="7", hours=36, size="512x768")
        modal = await (await quota(place, admin, "set", role=role)).modal()
        assert modal.title == "Quota of a role"
        fields = [part["component"] for part in modal.form["components"]]
        assert [field.get("value") for field in fields] == ["7", None, None, "768x512", None]
        (chosen,) = [each for each in fields[1]["options"] if each.get("default")]
        assert chosen["label"] == "in any 36 hours"
    async with place.wire.connect(QuotaBot(studio)):
        reply = await place.wire.submit(
            admin, modal, amount="unlimited", period=["week"], at_once="3", size="", pictures="2"
        )
        assert "**unlimited credits, 3 jobs at once, 2 pictures a job**" in await said(reply)
        # An empty form is no rule.
        modal = await (await quota(place, admin, "set", role=role)).modal()
        empty = {"amount": "", "at_once": "", "size": "", "pictures": ""}
        reply = await place.wire.submit(admin, modal, period=["day"], **empty)
        assert "the rule is gone" in await said(reply)
        modal = await (await quota(place, admin, "set", scope="budget")).modal()
        assert len(modal.form["components"]) == 2
        reply = await place.wire.submit(admin, modal, amount="many", period=["day"])
        assert "such as 20 or 0.5" in await said(reply)
        reply = await place.wire.submit(admin, modal, amount="300", period=["month"])
        assert "**300 credits a month**" in await said(reply)


async def test_a_form_sent_by_who_is_no_admin_any_more_sets_nothing(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    modal = await (await quota(place, admin, "set", scope="default")).modal()
    place.guild.members[admin.id].roles.clear()
    filled = {"amount": "5", "period": ["day"], "at_once": "", "size": "", "pictures": ""}
    reply = await place.wire.submit(admin, modal, **filled)  # type: ignore[arg-type]
    assert await said(reply) == ADMINS_ONLY
    assert await log_of(studio, place) == []


async def test_a_grant_is_spent_beside_the_rule_and_expires_by_the_servers_clock(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    await done_by(place, admin, "set", scope="default", amount="0")
    await studio.storage.guilds.change_settings(
        place.guild.id, lambda each: replace(each, time_zone="Pacific/Auckland"), by=admin.id
    )
    assert "You have no credits here" in await said(await ask(place))
    text = await done_by(
        place, admin, "grant", member=place.alice, amount=1.5, reason="thanks", expiry="2030-01-01"
    )
    # The end of that day in Auckland.
    assert f"<@{place.alice.id}> got 1.5 credits until <t:1893495600:f>" in text
    assert "has 1.5 credits left now" in text
    await paint(place)
    text = await done_by(place, place.alice, "show")
    assert "**0.5 credits left**" in text
    assert "0.5 credits, ends <t:1893495600:R>" in text
    refused = await said(await ask(place))
    assert refused.startswith("That costs 1 credit and you have 0.5 credits left, and waiting")
    for expiry, words in (("2020-01-01", "has passed"), ("soon", "7d, 12h, or 2026-12-01")):
        text = await done_by(place, admin, "grant", member=place.alice, amount=1, expiry=expiry)
        assert words in text
    suggested = await place.wire.autocomplete(
        admin, place.channel, "quota grant", "expiry", expiry="2030-01-01", member=place.bob
    )
    (choice,) = suggested
    assert choice["name"] == "2030-01-01: until Wed 2 Jan 2030, 00:00 (Pacific/Auckland)"


async def test_a_refusal_tells_cost_rest_and_when_there_is_more_once(
    place: Place, bot: QuotaBot, admin: User
) -> None:
    await done_by(place, admin, "set", scope="default", amount="1.5", window="rolling", hours=2)
    await paint(place)
    refused = await said(await ask(place, count=1))
    assert re.fullmatch(
        r"That costs 1 credit and you have 0\.5 credits left\. Again <t:\d+:R>\.", refused
    )


async def test_reset_of_one_and_of_everybody_after_a_question(
    place: Place, studio: Studio, admin: User
) -> None:
    async with place.wire.connect(QuotaBot(studio)):
        await done_by(place, admin, "set", scope="default", amount="1")
        await paint(place)
        await paint(place, place.bob)
        text = await done_by(place, admin, "reset", member=place.alice, reason="sorry")
        assert "starts anew: they have 1 credit left now" in text
        assert "**0 credits left**" in await done_by(place, place.bob, "show")
        question = await (await quota(place, admin, "reset", reason="a *new* week")).message()
        assert "everybody's quota" in question.text
    async with place.wire.connect(QuotaBot(studio)):
        reply = await place.wire.click(admin, question, "Reset everybody")
        await place.wire.until(lambda: "starts anew" in question.text, "the reset")
        assert await reply.acknowledged()
        assert question.buttons == {}
        assert "**1 credit left**" in await done_by(place, place.bob, "show")
    entries = await log_of(studio, place)
    assert [(each.action, each.subject, each.reason) for each in entries[:2]] == [
        ("quota.reset", "guild", "a *new* week"),
        ("quota.reset", "user", "sorry"),
    ]


async def test_who_thinks_better_of_it_resets_nobody(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    question = await (await quota(place, admin, "reset")).message()
    await place.wire.click(admin, question, "Never mind")
    await place.wire.until(lambda: question.is_deleted, "the question's deletion")
    assert await log_of(studio, place) == []


# Usage and log


async def test_usage_is_a_chart_and_a_table_by_member_role_and_day(
    place: Place, studio: Studio, admin: User
) -> None:
    role = place.guild.role("painters")
    place.guild.members[place.bob.id].roles.append(role)
    async with place.wire.connect(QuotaBot(studio)):
        text = await done_by(place, admin, "usage")
        assert "By member · last 7 days: nothing was used." in text
        await done_by(place, admin, "set", role=role, amount="50")
        await paint(place, count=2)
        await paint(place, place.bob)
        await settled()
        card = await (await quota(place, admin, "usage", days=30)).message()
        assert card.is_ephemeral
        assert f"**1** <@{place.alice.id}> · 2 credits · 1 job" in card.text
        assert f"**2** <@{place.bob.id}> · 1 credit · 1 job" in card.text
        assert "3 credits · 2 jobs together" in card.text
        first = card.gallery[0]
        assert Image.open(io.BytesIO(first.data)).width == 1080
        assert "By member" not in card.buttons, "what is shown is not offered"
    async with place.wire.connect(QuotaBot(studio)):
        await place.wire.click(admin, card, "By role")
        await place.wire.until(lambda: "no role's rule" in card.text, "the roles")
        assert "**1** no role's rule · 2 credits · 1 job" in card.text
        assert f"**2** <@&{role.id}> · 1 credit · 1 job" in card.text
        assert [each.id for each in card.files] == [each.id for each in card.gallery]
        assert card.gallery[0].id != first.id
        await place.wire.click(admin, card, "By day")
        await place.wire.until(lambda: "By day" not in card.buttons, "the days")
        assert re.search(r"\*\*\d+ \w{3}\*\* 3 credits · 2 jobs", card.text)
        text = await done_by(place, admin, "usage", member=place.bob)
        assert f"### Usage of <@{place.bob.id}>" in text
        assert "1 credit · 1 job together" in text
        assert "day by day" in await done_by(place, admin, "usage", member=place.bob, by="role")


async def test_the_log_turns_its_pages_after_a_restart_too(
    place: Place, studio: Studio, admin: User
) -> None:
    async with place.wire.connect(QuotaBot(studio)):
        assert "Nothing was changed yet." in await done_by(place, admin, "log")
        for number in range(1, 13):
            await studio.storage.rules.grant(
                place.guild.id, place.bob.id, 1000 * number, by=admin.id
            )
        await studio.storage.moderation.ban(place.guild.id, place.bob.id, by=admin.id)
        card = await (await quota(place, admin, "log")).message()

    def shown() -> list[int]:
        return [int(each) for each in re.findall(r"> (\d+) credits?, for good", card.text)]

    assert shown() == [12, 11, 10, 9, 8], "the ban is no part of it"
    for turns, wanted in (
        (["Older"], [7, 6, 5, 4, 3]),
        (["Older"], [2, 1]),
        (["Newer"], [7, 6, 5, 4, 3]),
        (["Newer"], [12, 11, 10, 9, 8]),
    ):
        async with place.wire.connect(QuotaBot(studio)):
            for turn in turns:
                await place.wire.click(admin, card, turn)
            await place.wire.until(lambda wanted=wanted: shown() == wanted, f"{wanted}")
    assert "Newer" not in card.buttons


# Who may not


@pytest.mark.parametrize("who", ["member", "moderator"])
async def test_who_is_no_admin_changes_and_sees_nothing(
    place: Place, bot: QuotaBot, studio: Studio, who: str
) -> None:
    person = place.moderator if who == "moderator" else place.alice
    before = await studio.storage.quotas.account(place.guild.id, person.id)
    for command, options in (
        ("set", {"member": person, "amount": "unlimited"}),
        ("set", {"scope": "default"}),
        ("grant", {"member": person, "amount": 5}),
        ("reset", {"member": person}),
        ("reset", {}),
        ("usage", {}),
        ("usage", {"member": person}),
        ("log", {}),
        ("rules", {}),
    ):
        assert await done_by(place, person, command, **options) == ADMINS_ONLY, command
    for command, option in (("set", "amount"), ("grant", "expiry")):
        filled = {option: "1"} | ({"member": person} if command == "grant" else {})
        offered = await place.wire.autocomplete(
            person,
            place.channel,
            f"quota {command}",
            option,
            **filled,  # type: ignore[arg-type]
        )
        assert offered == []
    assert await log_of(studio, place) == []
    after = await studio.storage.quotas.account(place.guild.id, person.id)
    assert after.left == before.left


async def test_forged_and_replayed_ids_do_nothing_for_who_is_no_admin(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    card = await paint(place)
    await done_by(place, admin, "grant", member=place.bob, amount=1)
    before = await log_of(studio, place)
    press = card.buttons["Delete"]
    for person in (place.bob, place.moderator):
        for made in (
            f"limner1:resetall:{person.id}",
            f"limner1:resetall:{admin.id}",
            "limner1:usage:user:7",
            "limner1:usage:role:99999999999999999999",
            "limner1:log:quota:older:99999999999999999999",
            "limner1:log:all:newer:0",
        ):
            press = forge(card, press, made)
            reply = await place.wire.click(person, card, press)
            assert await said(reply) == ADMINS_ONLY, made
    assert await log_of(studio, place) == before


async def test_an_admin_elsewhere_or_of_late_is_none_here(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    """A question, a chart and a log are open while somebody loses the right to them."""
    elsewhere = place.wire.world.guild("another")
    elsewhere.member(place.bob, "administrator")
    assert await done_by(place, place.bob, "log") == ADMINS_ONLY
    question = await (await quota(place, admin, "reset")).message()
    for number in range(6):
        await studio.storage.rules.grant(place.guild.id, 1, 1 + number, by=admin.id)
    log = await (await quota(place, admin, "log")).message()
    usage = await (await quota(place, admin, "usage")).message()
    entries = await log_of(studio, place)
    place.guild.members[admin.id].roles.clear()
    for message, label in (
        (question, "Reset everybody"),
        (log, "Older"),
        (usage, "By role"),
    ):
        before = message.text
        assert await said(await place.wire.click(admin, message, label)) == ADMINS_ONLY
        assert message.text == before
    assert await log_of(studio, place) == entries


async def test_a_question_is_answered_by_the_one_who_was_asked_and_not_for_ever(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    other = place.guild.member("vice", "administrator")
    question = await (await quota(place, admin, "reset")).message()
    own = await (await quota(place, other, "reset")).message()
    forged = forge(own, own.buttons["Reset everybody"], question.buttons["Reset everybody"])
    assert "not yours, or too old" in await said(await place.wire.click(other, own, forged))
    place.wire.clock.advance(16 * 60)
    reply = await place.wire.click(admin, question, "Reset everybody")
    assert "not yours, or too old" in await said(reply)
    assert await log_of(studio, place) == []


async def test_strangers_are_not_offered_it(place: Place, bot: QuotaBot) -> None:
    wire = place.wire
    installed = wire.world.user("ben", has_installed=True)
    bare = wire.world.guild("without the bot", has_bot=False)
    bare.member(installed, "administrator")
    for channel in (wire.world.direct(place.alice), bare.channel()):
        who = installed if channel.guild is bare else place.alice
        with pytest.raises(NotOffered):
            await wire.slash(who, channel, "quota show")


async def test_another_servers_log_usage_and_rules_are_not_seen(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    elsewhere = place.wire.world.guild("another")
    boss, there = elsewhere.member("boss", "manage_guild"), elsewhere.channel("there")
    await done_by(place, admin, "set", scope="default", amount="3")
    await paint(place)
    entry = (await log_of(studio, place))[0]
    reply = await place.wire.slash(boss, there, "quota usage")
    card = await reply.message()
    assert "nothing was used" in card.text
    for made in (
        f"limner1:log:quota:older:{entry.id + 1}",
        f"limner1:log:all:newer:{entry.id - 1}",
    ):
        button = next(iter(card.buttons.values()))
        forge(card, button, made)
        await place.wire.click(boss, card, made)
        await place.wire.until(lambda c=card: "Nothing was changed yet." in c.text, "an empty log")
        card = await (await place.wire.slash(boss, there, "quota usage")).message()
    rules = await (await place.wire.slash(boss, there, "quota rules")).message()
    assert "This server set none." in rules.text


# While people paint


async def test_a_rule_lowered_a_role_lost_and_a_member_gone_leave_the_ledger_right(
    place: Place, bot: QuotaBot, studio: Studio, admin: User
) -> None:
    role = place.guild.role("painters")
    member = place.guild.members[place.alice.id]
    member.roles.append(role)
    await done_by(place, admin, "set", role=role, amount="3", at_once="5")
    await done_by(place, admin, "set", scope="default", amount="1")
    studio.pool.pause()
    try:
        replies = [await ask(place, seed=seed) for seed in (1, 2, 3)]
        cards = [
            await reply.message(lambda m: "Cancel" in m.buttons, timeout_s=PATIENCE_S)
            for reply in replies
        ]
        assert "you have 0 credits left" in await said(await ask(place))
        # Lowered below what is held: what was accepted goes on, nothing more is.
        await done_by(place, admin, "set", role=role, amount="1", at_once="1")
        text = await done_by(place, place.alice, "show")
        assert "**0 credits left**" in text
        assert "0 of 1 credit a day" in text
        assert "1 job at once, 3 now" in text
        member.roles.remove(role)
        assert "by this server's default" in await done_by(place, place.alice, "show")
        await place.wire.click(place.alice, cards[2], "Cancel")
        await replies[2].message(lambda m: "Cancelled" in m.text, timeout_s=PATIENCE_S)
        del place.guild.members[place.alice.id]
    finally:
        studio.pool.resume()
    for reply in replies[:2]:
        await done(reply)
    await settled()
    guild_id, alice_id = place.guild.id, place.alice.id
    balance = await studio.storage.ledger.balance(guild_id, alice_id)
    assert (balance.held, balance.settled, balance.released) == (0, 2000, 1000)
    for card, status in zip(
        cards, (JobStatus.DELIVERED, JobStatus.DELIVERED, JobStatus.CANCELLED), strict=True
    ):
        assert (await studio.storage.jobs.get(job_id_of(card))).status is status
    text = await done_by(place, admin, "show", member=place.alice)
    assert "No member here now" in text
    assert "**0 credits left**" in text
    # Back again, with a better role than before: what was used is not forgotten.
    best = place.guild.role("best")
    place.guild.member(place.alice, roles=[best])
    await done_by(place, admin, "set", role=best, amount="5")
    assert "**3 credits left**" in await done_by(place, place.alice, "show")
