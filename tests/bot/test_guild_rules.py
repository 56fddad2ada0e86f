"""What a server set, in memory: read once, no older than a change, bounded, closed if broken."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

import pytest

from limner.bot.errors import RefusedError
from limner.bot.guild_rules import RuleBook, Rules
from limner.bot.member import Member
from limner.bot.permits import allowed_models, require_model, require_welcome
from limner.storage.guild_records import GuildSettings, Permission, Subject
from limner.storage.storage import Storage
from tests.storage.makers import Clock

if TYPE_CHECKING:
    from pathlib import Path

GUILD, OTHER, ADMIN, USER = 8, 9, 99, 7
MODELS = ("house", "sketch")


async def test_a_change_is_known_to_the_next_judgement_and_to_no_other_server(
    tmp_path: Path,
) -> None:
    async with Storage.open(tmp_path) as storage:
        book = RuleBook(storage)
        assert not (await book.of(GUILD)).settings.is_paused
        async with book.changing(GUILD):
            await storage.guilds.change_settings(
                GUILD, lambda _: GuildSettings(is_paused=True), by=ADMIN
            )
        assert (await book.of(GUILD)).settings.is_paused
        assert not (await book.of(OTHER)).settings.is_paused
        # Direct messages are no server.
        assert (await book.of(0)).size == 1


async def test_a_read_that_began_before_a_change_does_not_outlive_it(tmp_path: Path) -> None:
    """Whatever order the readers and the one who changes are let on in."""
    async with Storage.open(tmp_path) as storage:
        book = RuleBook(storage)

        async def pause() -> None:
            async with book.changing(GUILD):
                await storage.guilds.change_settings(
                    GUILD, lambda _: GuildSettings(is_paused=True), by=ADMIN
                )

        readers = [asyncio.create_task(book.of(GUILD)) for _ in range(3)]
        changer = asyncio.create_task(pause())
        readers += [asyncio.create_task(book.of(GUILD)) for _ in range(3)]
        await asyncio.gather(changer, *readers)
        assert (await book.of(GUILD)).settings.is_paused


async def test_what_was_read_is_in_memory_and_judging_by_it_takes_microseconds(
    tmp_path: Path,
) -> None:
    async with Storage.open(tmp_path) as storage:
        book = RuleBook(storage)
        for number in range(50):
            await storage.guilds.set_permission(
                GUILD, Permission(Subject.CHANNEL, number, True), by=ADMIN
            )
        await storage.moderation.ban(GUILD, USER + 1, by=ADMIN)
        member = Member(USER, GUILD, (1, 2, 3), channel_id=4)
        rules = await book.of(GUILD)
        took_s: list[float] = []
        for _ in range(50):
            began = time.thread_time()
            rules = await book.of(GUILD)
            require_welcome(member, rules, ban=book.ban_of(rules, USER))
            require_model(member, rules, "house", MODELS)
            took_s.append(time.thread_time() - began)
        assert statistics.median(took_s) < 0.002
    # Not from the disk: the database is closed by now.
    assert await book.of(GUILD) is rules


async def test_a_server_whose_rules_are_being_changed_holds_up_no_other(tmp_path: Path) -> None:
    async with Storage.open(tmp_path) as storage:
        book = RuleBook(storage)
        async with book.changing(GUILD):
            rules = await asyncio.wait_for(book.of(OTHER), 60)
            reading = asyncio.create_task(book.of(GUILD))
            assert rules == await book.of(OTHER)
            assert not reading.done()
        await reading


async def test_an_expression_that_was_removed_is_slow_no_more(tmp_path: Path) -> None:
    async with Storage.open(tmp_path) as storage:
        book = RuleBook(storage)
        moderation = storage.moderation
        await moderation.add_to_blocklist(GUILD, ["a+", "b+"], is_regex=True, by=ADMIN)
        await book.of(GUILD)
        for pattern in ("a+", "b+"):
            await book.note_slow(GUILD, pattern)
        await book.note_slow(OTHER, "a+")
        (first, _) = await moderation.blocklist(GUILD)
        async with book.changing(GUILD):
            await moderation.drop_from_blocklist(GUILD, first.id, by=ADMIN)
        await book.of(GUILD)
        assert list(book.slow_in(GUILD)) == ["b+"]
        assert list(book.slow_in(OTHER)) == ["a+"]


async def test_rules_that_cannot_be_read_refuse_instead_of_allowing(tmp_path: Path) -> None:
    async with Storage.open(tmp_path) as storage:
        book = RuleBook(storage)
        (tmp_path / "limner.db").write_bytes(b"not a database" * 500)
        for name in ("limner.db-wal", "limner.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        with pytest.raises(RefusedError, match="can't be read"):
            await book.of(GUILD)


async def test_a_ban_outlives_a_deleted_account_and_ends_by_itself(tmp_path: Path) -> None:
    clock = Clock()
    async with Storage.open(tmp_path, clock=clock) as storage:
        book = RuleBook(storage, clock)
        await storage.moderation.ban(GUILD, USER, by=ADMIN)
        await storage.moderation.ban(GUILD, USER + 1, by=ADMIN, until=clock.now + 60)
        rules = await book.of(GUILD)
        assert book.ban_of(rules, USER) is not None
        assert book.ban_of(rules, USER + 1) is not None
        clock.now += 61
        assert book.ban_of(rules, USER + 1) is None
        await storage.forget_user(USER)
        book.forget()
        rules = await book.of(GUILD)
        assert USER not in rules.bans
        assert book.ban_of(rules, USER) is not None


async def test_long_lists_of_many_servers_do_not_all_stay_in_memory(tmp_path: Path) -> None:
    async with Storage.open(tmp_path) as storage:
        book = RuleBook(storage)
        words = [f"word{number}" for number in range(10_000)]
        for guild_id in range(1, 13):
            await storage.moderation.add_to_blocklist(guild_id, words, is_regex=False, by=ADMIN)
        first = await book.of(1)
        assert len(first.words) == 10_000
        for guild_id in range(2, 13):
            await book.of(guild_id)
        assert await book.of(1) is not first
        assert len((await book.of(1)).words) == 10_000


def test_a_refusal_names_where_and_by_whom_and_hides_nothing_that_is_allowed() -> None:
    member = Member(USER, GUILD, (1,), channel_id=4, parent_ids=(5, 6))
    of_category = Rules(permissions=(Permission(Subject.CHANNEL, 6, True),))
    require_welcome(member, of_category, ban=None)
    denied_thread = Rules(
        permissions=(
            Permission(Subject.CHANNEL, 6, True),
            Permission(Subject.CHANNEL, 4, False),
            Permission(Subject.CHANNEL, 44, True),
        )
    )
    with pytest.raises(RefusedError, match=r"in this channel; it is in <#44>\."):
        require_welcome(member, denied_thread, ban=None)
    no_model = Rules(permissions=tuple(Permission(Subject.ROLE, 1, False, name) for name in MODELS))
    require_welcome(member, no_model, ban=None)
    assert allowed_models(member, no_model, MODELS) == []
    with pytest.raises(RefusedError, match="No model may be used by you here"):
        require_model(member, no_model, "house", MODELS)
