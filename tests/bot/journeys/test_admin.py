"""/limner admin: what an owner sets, what a member hears of it, and nobody else sets anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from limner.bot.opening import open_studio
from limner.storage.guild_records import GuildSettings, NsfwPolicy
from limner.storage.records import JobStatus

from .admin import AdminBot, admin, boss_of, said, told
from .cards import PATIENCE_S, ask, done, job_id_of, menu_of, paint
from .conftest import settings_for, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from limner.bot.studio import Studio
    from tests.wire.entities import Channel, Message, User

    from .conftest import Place

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMMANDS: dict[str, dict[str, object]] = {
    "settings": {},
    "pause": {"message": "Lunch."},
    "resume": {},
    "nsfw": {"policy": "spoiler"},
    "retention": {"days": 3.0},
    "settles": {"what": "blocked", "charge": True},
    "timezone": {"name": "Europe/Vienna"},
    "rules": {},
    "bans": {},
    "blocklist": {"action": "add", "entry": "gore"},
    "status": {},
    "doctor": {},
    "log": {},
}
"""All but those whose options are people and places."""


@pytest_asyncio.fixture(loop_scope="session")
async def bot(place: Place, studio: Studio) -> AsyncIterator[AdminBot]:
    bot = AdminBot(studio)
    async with place.wire.connect(bot):
        yield bot


async def refused(
    place: Place, who: User, channel: Channel | None = None, **options: object
) -> str:
    """What somebody is told who asks for a picture, and that nothing came of it."""
    options = {"prompt": "a red heart", "seed": 7} | options
    reply = await place.wire.slash(who, channel or place.channel, "imagine", **options)  # type: ignore[arg-type]
    message = await told(reply)
    assert "\n" not in message.text
    assert message.gallery == []
    return message.text


async def test_a_member_and_a_moderator_are_refused_every_command(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    everything = COMMANDS | {
        "channel": {"action": "deny", "channel": place.channel},
        "role": {"action": "deny", "role": place.guild.role("painters")},
        "ban": {"user": place.bob},
        "unban": {"user": place.bob},
    }
    for who in (place.alice, place.moderator):
        for command, options in everything.items():
            assert "may manage this server" in await said(place, who, command, **options), command
    elsewhere = place.wire.world.direct(place.alice)
    reply = await place.wire.slash(place.alice, elsewhere, "limner admin status")
    assert "belongs to a server" in (await told(reply)).text
    assert await studio.storage.audit.entries(place.guild.id) == []
    assert await studio.storage.guilds.settings(place.guild.id) == GuildSettings()


async def test_paused_members_hear_why_an_admin_tries_it_out_and_it_goes_on(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    boss = boss_of(place)
    card = await paint(place)
    studio.pool.pause()
    waiting = await ask(place, seed=8)
    await waiting.message(lambda m: "Cancel" in m.buttons)
    answer = await said(place, boss, "pause", message="We  move house.\nBack at noon.")
    assert "Painting is paused here." in answer
    studio.pool.resume()
    # What was accepted before is still painted.
    await done(waiting)
    sentence = "Painting is paused in this server: We move house. Back at noon."
    assert await refused(place, place.bob) == sentence
    again = await place.wire.click(place.bob, card, "Paint again")
    assert (await told(again)).text == sentence
    menu = await place.wire.select(place.bob, card, menu_of(card), "strong")
    assert (await told(menu)).text == sentence
    remix = await place.wire.click(place.bob, card, "Remix")
    submitted = await place.wire.submit(place.bob, await remix.modal(), prompt="a star")
    assert (await told(submitted)).text == sentence
    await paint(place, boss, seed=9)
    assert "goes on" in await said(place, boss, "resume")
    await paint(place, place.bob, seed=10)
    await settled()


async def test_channels_categories_threads_roles_and_models(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    boss = boss_of(place)
    other = place.guild.channel("serious")
    painters = place.guild.role("painters")
    vip = place.guild.member("vip", roles=[painters])
    await said(place, boss, "channel", action="allow", channel=place.channel)
    told_to_bob = await refused(place, place.bob, other)
    assert (
        told_to_bob == f"Painting is not allowed in this channel; it is in <#{place.channel.id}>."
    )
    # A thread is in its channel; an admin keeps to the rules that they made.
    assert "not allowed" in await refused(place, boss, other.thread())
    studio.pool.pause()
    try:
        within = await place.wire.slash(
            place.bob, place.channel.thread(), "imagine", prompt="a red heart"
        )
        shown = await within.message(lambda m: "Cancel" in m.buttons, timeout_s=PATIENCE_S)
        await place.wire.click(place.bob, shown, "Cancel")
        await settled()

        await said(place, boss, "role", action="allow", role=painters)
        sentence = await refused(place, place.bob)
        assert sentence == f"Painting is not allowed with your roles; it is with <@&{painters.id}>."
        await said(place, boss, "role", action="clear", role=painters)

        await said(place, boss, "role", action="allow", role=painters, model="house")
        assert "The model house may not be used" in await refused(place, place.bob, model="house")
        assert "Here you may use sketch." in await refused(place, place.bob, model="house")
        offered = await place.wire.autocomplete(
            place.bob, place.channel, "imagine", "model", model=""
        )
        assert [each["value"] for each in offered] == ["sketch"]
        offered = await place.wire.autocomplete(vip, place.channel, "imagine", "model", model="")
        assert [each["value"] for each in offered] == ["house", "sketch"]
        # Who names none gets the first that they may use.
        reply = await ask(place, place.bob)
        waiting = await reply.message(lambda m: "Cancel" in m.buttons, timeout_s=PATIENCE_S)
        job = await studio.storage.jobs.get(job_id_of(waiting))
        assert job.new.model == "sketch"
        await place.wire.click(place.bob, waiting, "Cancel")
        await settled()
    finally:
        studio.pool.resume()

    everybody = await said(place, boss, "role", action="deny", role=place.guild.everyone)
    assert "Everybody has that role" in everybody
    assert "no such model" in await said(
        place, boss, "channel", action="allow", channel=other, model="nonsense"
    )
    rules = await told(await admin(place, boss, "rules"))
    assert f"✅ <#{place.channel.id}>" in rules.text
    assert f"✅ <@&{painters.id}> · house" in rules.text
    (menu,) = [c for c in rules.walk() if c["type"] == 3]
    assert [o["label"] for o in menu["options"]] == [
        "#paintings allowed",
        "@painters allowed · house",
    ]
    for option in list(menu["options"]):
        await place.wire.select(boss, rules, menu["custom_id"], option["value"])
        await place.wire.until(
            lambda value=option["value"]: value not in str(list(rules.walk())), "a rule's end"
        )
    assert await studio.storage.guilds.permissions(place.guild.id) == []


async def test_a_ban_tells_until_when_and_why_and_holds_at_every_way(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    boss = boss_of(place)
    card = await paint(place, place.bob)
    assert "don't know when" in await said(place, boss, "ban", user=place.bob, until="soonish")
    assert "can't ban yourself" in await said(place, boss, "ban", user=boss)
    answer = await said(place, boss, "ban", user=place.bob, until="7d", reason="Spam.")
    assert f"<@{place.bob.id}> may not paint here until <t:" in answer
    sentence = await refused(place, place.bob)
    assert sentence.startswith("You may not paint in this server until <t:")
    assert sentence.endswith(":f>: Spam.")
    assert (await told(await place.wire.click(place.bob, card, "Paint again"))).text == sentence
    # Elsewhere it does not hold.
    studio.pool.pause()
    try:
        direct = place.wire.world.direct(place.bob)
        reply = await place.wire.slash(place.bob, direct, "imagine", prompt="a heart")
        waiting = await reply.message(lambda m: "Cancel" in m.buttons, timeout_s=PATIENCE_S)
        await place.wire.click(place.bob, waiting, "Cancel")
        await settled()
    finally:
        studio.pool.resume()
    bans = await told(await admin(place, boss, "bans"))
    assert f"<@{place.bob.id}> until <t:" in bans.text
    assert "Spam." in bans.text
    (menu,) = [c for c in bans.walk() if c["type"] == 3]
    await place.wire.select(boss, bans, menu["custom_id"], str(place.bob.id))
    await place.wire.until(lambda: "Nobody is banned" in bans.text, "the ban's end")
    assert "was not banned" in await said(place, boss, "unban", user=place.bob)
    assert await studio.storage.moderation.ban_of(place.guild.id, place.bob.id) is None


async def test_the_blocklist_is_kept_tested_and_refuses_without_repeating_its_words(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    boss = boss_of(place)
    reply = await admin(place, boss, "blocklist", action="add")
    form = await reply.modal()
    filled = await place.wire.submit(boss, form, entries="gore\nOld  neighbour\n/n[a4]ked/\nGORE")
    assert "3 entries were added" in (await told(filled)).text
    for prompt in ("a GÖRE heart", "my old_neighbour", "a n4ked tree", "a jailbait poster"):
        sentence = await refused(place, place.bob, prompt=prompt)
        assert sentence == "That prompt has a word that is not painted here."
        # Nor in the style's words; and an admin has no other words than the others.
        assert await refused(place, boss, prompt=prompt, style="ink") == sentence
    for entry, words in (
        ("/(a/", "no expression"),
        ("/a*/", "empty prompt"),
        ("\u200b", "letters"),
    ):
        assert words in await said(place, boss, "blocklist", action="add", entry=entry)
    hits = await said(place, boss, "blocklist", action="test", entry="gore, lolicon and naked")
    assert hits.count("\n") == 3
    assert "||gore||, this server's" in hits
    assert "||lolicon||, Limner's list" in hits
    assert "/n" in hits
    assert "off" in await said(place, boss, "blocklist", action="unshipped")
    clean = await said(place, boss, "blocklist", action="test", entry="lolicon")
    assert "nothing stands against it" in clean
    assert "on here" in await said(place, boss, "blocklist", action="shipped")

    form = await (await admin(place, boss, "blocklist", action="add")).modal()
    filled = await place.wire.submit(boss, form, entries="\n\nblood\n\n")
    assert (await told(filled)).text == "1 entry was added to the blocklist."
    await said(place, boss, "blocklist", action="remove", entry="blood")
    listed = await told(await admin(place, boss, "blocklist", action="list"))
    assert "3 of this server" in listed.text
    offered = await place.wire.autocomplete(
        boss, place.channel, "limner admin blocklist", "entry", action="remove", entry="gor"
    )
    (choice,) = offered
    assert choice["name"].endswith("gore")
    # What is blocked is nobody's business but the admins'.
    offered = await place.wire.autocomplete(
        place.bob, place.channel, "limner admin blocklist", "entry", action="remove", entry=""
    )
    assert offered == []
    removed = await said(place, boss, "blocklist", action="remove", entry=choice["value"])
    assert "||gore||" in removed
    assert "nothing stands" in await said(place, boss, "blocklist", action="test", entry="gore")
    (menu,) = [c for c in listed.walk() if c["type"] == 3]
    for option in list(menu["options"])[1:]:
        await place.wire.select(boss, listed, menu["custom_id"], option["value"])
        await place.wire.until(
            lambda value=option["value"]: f"'{value}'" not in str(list(listed.walk())), "its end"
        )
    assert await studio.storage.moderation.blocklist(place.guild.id) == []


async def test_the_list_stays_at_the_page_where_an_entry_was_removed(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    boss = boss_of(place)
    await studio.storage.moderation.add_to_blocklist(
        place.guild.id, [f"word{number}" for number in range(50)], is_regex=False, by=boss.id
    )
    listed = await told(await admin(place, boss, "blocklist", action="list"))
    await place.wire.click(boss, listed, "Later")
    await place.wire.until(lambda: "word25" in listed.text, "the second page")
    (menu,) = [c for c in listed.walk() if c["type"] == 3]
    (option,) = [each for each in menu["options"] if each["label"].endswith("word25")]
    await place.wire.select(boss, listed, menu["custom_id"], option["value"])
    await place.wire.until(lambda: "word25" not in listed.text, "its end")
    assert "word24" in listed.text
    assert "49 of this server" in listed.text


async def test_a_form_is_acknowledged_before_its_change_is_written(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    boss = boss_of(place)
    panel = await told(await admin(place, boss, "settings"))
    form = await (await place.wire.click(boss, panel, "Keep …")).modal()
    async with studio.rules.changing(place.guild.id):
        reply = await place.wire.submit(boss, form, value="4")
        await reply.acknowledged()
        assert (await studio.storage.guilds.settings(place.guild.id)).pictures_days is None
    await place.wire.until(lambda: "4 days" in panel.text, "the form's answer")


async def test_a_slow_expression_closes_the_door_and_is_named_to_admins(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    boss = boss_of(place)
    # Past the check at adding, as an earlier version might have taken it.
    slow = [f"(?:a?){{900}}b{number}" for number in range(40)]
    async with studio.rules.changing(place.guild.id):
        await studio.storage.moderation.add_to_blocklist(
            place.guild.id, slow, is_regex=True, by=boss.id
        )
    for _ in range(2):
        assert "could not be checked in time" in await refused(place, place.bob, prompt="a" * 1000)
    status = await said(place, boss, "status")
    assert "Too slow:" in status
    slow_ones = studio.rules.slow_in(place.guild.id)
    assert sum(each.num_times for each in slow_ones.values()) == 2
    assert "too slow" in await said(place, boss, "doctor")
    entries = await studio.storage.audit.entries(place.guild.id, action="blocklist.slow")
    assert len(entries) == len(slow_ones)


async def test_the_panel_sets_everything_and_an_old_button_sets_it_once(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    boss = boss_of(place)
    guilds = studio.storage.guilds

    async def until(**wanted: object) -> GuildSettings:
        settings = await guilds.settings(place.guild.id)
        assert {name: getattr(settings, name) for name in wanted} == wanted
        return settings

    panel = await told(await admin(place, boss, "settings"))
    assert "Painting goes on." in panel.text

    async def press(label: str, *, changes: str) -> None:
        before = panel.text
        await place.wire.click(boss, panel, label)
        await place.wire.until(lambda: panel.text != before, f"{label}'s answer")
        assert changes in panel.text.replace("*", "")

    async def fill(label: str, value: str) -> None:
        before = panel.text
        modal = await (await place.wire.click(boss, panel, label)).modal()
        reply = await place.wire.submit(boss, modal, value=value)
        await place.wire.until(
            lambda: panel.text != before or reply.interaction.followups, f"{label}'s answer"
        )

    toggle = panel.buttons["Cancelled: charge"]
    await press("Cancelled: charge", changes="Cancelled while painting: costs")
    await until(settles_cancelled=True)
    panel.component("limner1:switch:cancelled:0")["custom_id"] = toggle  # type: ignore[index]
    await place.wire.click(boss, panel, toggle)
    await until(settles_cancelled=True)
    await press("Blocked: charge", changes="Blocked by the checker: costs")
    await press("List off", changes="word list: off")
    await until(settles_blocked=True, blocks_shipped_words=False)
    await place.wire.select(boss, panel, "limner1:unsafe", "age_restricted")
    await place.wire.until(lambda: chosen(panel) == ["age_restricted"], "the policy")
    await until(nsfw_policy=NsfwPolicy.AGE_RESTRICTED)
    await fill("Keep …", "2,5 days")
    await until(pictures_days=2.5)
    await fill("Keep …", "")
    await until(pictures_days=None)
    await fill("Time zone …", "Asia/Kolkata")
    await until(time_zone="Asia/Kolkata")
    assert "Asia/Kolkata" in panel.text
    await fill("Time zone …", "Mars/Olympus")
    await until(time_zone="Asia/Kolkata")
    await fill("Pause …", "Back soon.")
    await until(is_paused=True, pause_message="Back soon.")
    assert "Back soon." in panel.text
    await press("Resume", changes="Painting goes on.")
    await until(is_paused=False, pause_message="")


def chosen(message: Message) -> list[str]:
    """What its menus show as chosen."""
    menus = [component for component in message.walk() if component["type"] == 3]
    options = [option for menu in menus for option in menu["options"]]
    return [option["value"] for option in options if option.get("default")]


async def test_direct_commands_set_the_same_and_the_log_tells_of_all(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    boss = boss_of(place)
    assert "Cover them".lower() in (await said(place, boss, "nsfw", policy="spoiler")).lower()
    assert "1 to 3,650 days" in await said(place, boss, "retention", days=0.001)
    assert "3 days" in await said(place, boss, "retention", days=3.0)
    assert "costs" in await said(place, boss, "settles", what="blocked", charge=True)
    assert "Vienna" in await said(place, boss, "timezone", name="Europe/Vienna")
    assert "time zone" in await said(place, boss, "timezone", name="Nowhere")
    offered = await place.wire.autocomplete(
        boss, place.channel, "limner admin timezone", "name", name="vienna"
    )
    assert [each["value"] for each in offered] == ["Europe/Vienna"]
    settings = await studio.storage.guilds.settings(place.guild.id)
    assert settings == GuildSettings(
        "Europe/Vienna", nsfw_policy=NsfwPolicy.SPOILER, settles_blocked=True, pictures_days=3.0
    )
    log = await said(place, boss, "log")
    assert log.count(f"<@{boss.id}>") == 4
    assert "time zone: UTC → Europe/Vienna" in log
    offered = await place.wire.autocomplete(
        boss, place.channel, "limner admin ban", "until", user=place.bob, until="7d"
    )
    assert "(Europe/Vienna)" in offered[0]["name"]
    # Who may change nothing is offered nothing.
    for command, option, options in (
        ("ban", "until", {"user": place.bob, "until": "7d"}),
        ("channel", "model", {"action": "deny", "channel": place.channel, "model": "h"}),
    ):
        for who, num_offered in ((boss, 1), (place.bob, 0)):
            offered = await place.wire.autocomplete(
                who, place.channel, f"limner admin {command}", option, **options
            )
            assert min(len(offered), 1) == num_offered


async def test_status_and_doctor_tell_of_the_painter_and_of_no_paths(
    place: Place, bot: AdminBot, studio: Studio, model: Path
) -> None:
    boss = boss_of(place)
    await paint(place)
    status = await said(place, boss, "status")
    for words in ("cpu", "ready", "house, sketch", "rows a tick", "never restarted"):
        assert words in status
    assert "0 wait, 0 are being painted." in status
    assert len(status) < 1500
    doctor = await said(place, boss, "doctor")
    for words in (
        "✅ **painter cpu**",
        "✅ **models**: 2 are loaded",
        "✅ **disk**",
        "I may post pictures",
    ):
        assert words in doctor
    for text in (status, doctor):
        assert str(model.parent) not in text
        assert str(studio.settings.storage.folder) not in text
    place.channel.deny(place.wire.world.bot, "attach_files")
    assert "give me Attach Files" in await said(place, boss, "doctor")


async def test_another_servers_admin_changes_only_their_own(
    place: Place, bot: AdminBot, studio: Studio
) -> None:
    boss = boss_of(place)
    other = place.wire.world.guild("another")
    there, carol = other.channel("there"), other.member("carol", "administrator")
    await said(place, boss, "blocklist", action="add", entry="gore")
    await place.wire.slash(carol, there, "limner admin pause", message="Ours.")
    for command in ("log", "bans", "rules", "blocklist", "status"):
        options = {"action": "list"} if command == "blocklist" else {}
        reply = await place.wire.slash(carol, there, f"limner admin {command}", **options)
        text = (await told(reply)).text
        assert "gore" not in text
        assert str(boss.id) not in text
        assert place.guild.name not in text
    assert not (await studio.storage.guilds.settings(place.guild.id)).is_paused
    assert (await studio.storage.guilds.settings(other.id)).is_paused
    # An admin in one server is nobody in the other.
    place.guild.member(carol)
    assert "may manage this server" in await said(place, carol, "resume")


async def test_after_a_restart_rules_hold_old_cards_work_and_nothing_accepted_is_judged_again(
    place: Place, model: Path, tmp_path: Path
) -> None:
    boss = boss_of(place)
    settings = settings_for(model, tmp_path)
    async with open_studio(settings) as studio, place.wire.connect(AdminBot(studio)):
        await studio.pool.ready()
        studio.pool.pause()
        waiting = await ask(place, place.bob, prompt="a gory heart")
        shown = await waiting.message(lambda m: "Cancel" in m.buttons, timeout_s=PATIENCE_S)
        job_id = job_id_of(shown)
        panel = await told(await admin(place, boss, "settings"))
        bans_before = await told(await admin(place, boss, "bans"))
        form = await (await place.wire.click(boss, panel, "Keep …")).modal()
        await said(place, boss, "ban", user=place.bob)
        await said(place, boss, "blocklist", action="add", entry="gory")
        await said(place, boss, "channel", action="deny", channel=place.channel)
        assert "Nobody is banned" in bans_before.text
    async with open_studio(settings) as studio, place.wire.connect(AdminBot(studio)):
        # Accepted before the ban, the words and the channel's rule: painted after the restart.
        await place.wire.until(lambda: shown.gallery, "the old card's picture", PATIENCE_S)
        await settled()
        assert (await studio.storage.jobs.get(job_id)).status is JobStatus.DELIVERED
        assert "You may not paint in this server" in await refused(place, place.bob)
        assert "not allowed in this channel" in await refused(place, place.alice)
        reply = await place.wire.submit(boss, form, value="4")
        await reply.acknowledged()
        await place.wire.until(lambda: "4 days" in panel.text, "the old form's answer")
        await place.wire.click(boss, panel, "Blocked: charge")
        await place.wire.until(lambda: "Blocked: free" in panel.buttons, "the old card's answer")
        kept = await studio.storage.guilds.settings(place.guild.id)
        assert (kept.pictures_days, kept.settles_blocked) == (4, True)
        await said(place, boss, "unban", user=place.bob)
        await said(place, boss, "channel", action="clear", channel=place.channel)
        assert "word" in await refused(place, place.bob, prompt="a gory heart")
        # The card itself carries such words; pressing it is refused like typing them.
        again = await place.wire.click(place.alice, shown, "Paint again")
        assert "word" in (await told(again)).text
