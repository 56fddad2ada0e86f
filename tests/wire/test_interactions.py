"""Interactions by the clock and by the rules: 3 seconds, 15 minutes, privacy, kinds of answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import discord
import pytest
from discord import app_commands, ui
from discord.http import Route

from .sample_bot import SampleBot, card, picture
from .violations import Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .replies import Reply
    from .server import Wire


class Scripted(SampleBot):
    """Answers `/run` by a test's own coroutine; what that raises is in `errors`."""

    def __init__(self, script: Callable[[discord.Interaction[Any]], Awaitable[None]]) -> None:
        super().__init__()
        self.done = asyncio.Event()

        @self.tree.command(description="Runs the test's script")
        @app_commands.allowed_installs(guilds=True, users=True)
        async def run(interaction: discord.Interaction[Any]) -> None:
            try:
                await script(interaction)
            finally:
                self.done.set()


async def ran(wire: Wire, bot: Scripted) -> Reply:
    guild = wire.world.guild()
    reply = await wire.slash(guild.member("ann"), guild.channel(), "run")
    async with asyncio.timeout(60):
        await bot.done.wait()
    return reply


def refusal(bot: Scripted) -> discord.HTTPException:
    cause = bot.errors.get_nowait().__cause__
    assert isinstance(cause, discord.HTTPException)
    return cause


async def test_a_token_dies_after_fifteen_minutes(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.defer(thinking=True)
        wire.clock.advance(14 * 60 + 59)
        await interaction.edit_original_response(content="just in time")
        wire.clock.advance(2)
        await interaction.edit_original_response(content="too late")

    bot = Scripted(script)
    async with wire.connect(bot):
        reply = await ran(wire, bot)
        assert (await reply.message()).text == "just in time"
        error = refusal(bot)
    assert (error.status, error.code) == (401, 50027)


async def test_a_token_known_to_be_dead_is_not_to_be_used_again(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.defer(thinking=True)
        wire.clock.advance(901)
        for _ in range(2):
            with pytest.raises(discord.HTTPException):
                await interaction.edit_original_response(content="too late")

    bot = Scripted(script)
    with wire.violations.expected(Kind.EXPIRED_TOKEN) as seen:
        async with wire.connect(bot):
            await ran(wire, bot)
    assert len(seen) == 1


async def test_tokens_that_are_nobodys(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("x")

    bot = Scripted(script)
    async with wire.connect(bot):
        asked = (await ran(wire, bot)).interaction
        before = [
            (f"/interactions/{asked.id}/nobodys/callback", Kind.UNKNOWN_INTERACTION, 10062),
            (f"/interactions/1/{asked.token}/callback", Kind.UNKNOWN_INTERACTION, 10062),
            (f"/webhooks/{wire.world.bot.id}/nobodys", Kind.UNKNOWN_OBJECT, 10015),
            (f"/webhooks/1/{asked.token}", Kind.UNKNOWN_OBJECT, 10015),
        ]
        for path, kind, code in before:
            with wire.violations.expected(kind), pytest.raises(discord.NotFound) as refused:
                await bot.http.request(
                    Route("POST", path), json={"type": 5} if code == 10062 else {}
                )
            assert refused.value.code == code
        unasked = f"/webhooks/{wire.world.bot.id}/{asked.token}/messages/1"
        with wire.violations.expected(Kind.UNKNOWN_OBJECT), pytest.raises(discord.NotFound):
            await bot.http.request(Route("DELETE", unasked))


async def test_nothing_follows_before_the_acknowledgement(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        with pytest.raises(discord.NotFound) as refused:
            await interaction.followup.send("x")
        assert refused.value.code == 10015
        await interaction.response.send_message("now")

    bot = Scripted(script)
    with wire.violations.expected(Kind.UNKNOWN_OBJECT):
        async with wire.connect(bot):
            await (await ran(wire, bot)).message()


async def test_a_public_acknowledgement_deleted_and_a_private_word_instead(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.delete_original_response()
        await interaction.followup.send("only for you", ephemeral=True)

    bot = Scripted(script)
    async with wire.connect(bot):
        reply = await ran(wire, bot)
        await reply.deleted()
        assert (await reply.followup()).is_ephemeral
    assert reply.interaction.channel.timeline == []


async def test_a_private_message_is_reached_by_its_token_alone(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("only for you", ephemeral=True)
        message = await interaction.original_response()
        await interaction.edit_original_response(content="still")
        channel = interaction.channel
        assert isinstance(channel, discord.TextChannel)
        with pytest.raises(discord.NotFound) as refused:
            await channel.fetch_message(message.id)
        assert refused.value.code == 10008

    bot = Scripted(script)
    with wire.violations.expected(Kind.UNKNOWN_OBJECT):
        async with wire.connect(bot):
            assert (await (await ran(wire, bot)).message()).text == "still"


async def test_v2_can_not_be_taken_back(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(view=card("v2", 1))
        await interaction.edit_original_response(content="back", view=None)

    bot = Scripted(script)
    with wire.violations.expected(Kind.COMPONENTS_V2):
        async with wire.connect(bot):
            await ran(wire, bot)
            assert refusal(bot).code == 50035


async def test_a_deferred_answer_takes_v2_with_its_first_edit(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.defer(thinking=True)
        for step in range(3):
            await interaction.edit_original_response(view=card(f"step {step}", 1))
        view = card("done", 1, "picture.png")
        await interaction.edit_original_response(view=view, attachments=[picture()])
        # A later edit of the text keeps the file that the gallery shows.
        message = await interaction.original_response()
        assert message.attachments == []
        again = ui.LayoutView.from_message(message)
        await interaction.edit_original_response(view=again)

    wire.limits.enforced = False
    bot = Scripted(script)
    async with wire.connect(bot):
        message = await (await ran(wire, bot)).message(lambda m: m.num_edits == 5)
    assert (message.text, len(message.gallery)) == ("done", 1)


async def test_a_refused_edit_leaves_the_message_as_it_was(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("here", file=picture())
        await interaction.edit_original_response(content=None, attachments=[])

    bot = Scripted(script)
    with wire.violations.expected(Kind.BAD_BODY):
        async with wire.connect(bot):
            message = await (await ran(wire, bot)).message()
            assert refusal(bot).code == 50006
    assert (message.text, len(message.files), message.num_edits) == ("here", 1, 0)


async def test_dropping_a_file_that_is_shown_is_caught(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        view = card("done", 1, "picture.png")
        await interaction.response.send_message(view=view, file=picture())
        await interaction.edit_original_response(attachments=[])

    bot = Scripted(script)
    with wire.violations.expected(Kind.ATTACHMENT):
        async with wire.connect(bot):
            await ran(wire, bot)


async def test_a_modal_does_not_answer_a_modal(wire: Wire) -> None:
    class Nested(ui.Modal, title="Nested"):
        text = ui.Label(text="Text", component=ui.TextInput[Any](custom_id="text"))

        async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
            with pytest.raises(discord.HTTPException):
                await interaction.response.send_modal(Nested())
            await interaction.response.send_message("fine")

    async def script(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_modal(Nested())

    bot = Scripted(script)
    with wire.violations.expected(Kind.WRONG_CALLBACK):
        async with wire.connect(bot):
            reply = await ran(wire, bot)
            modal = await reply.modal()
            told = await wire.submit(reply.interaction.user, modal, text="x")
            await told.message()


async def test_what_the_payload_says_of_the_place(wire: Wire) -> None:
    seen: list[discord.Interaction[Any]] = []

    async def script(interaction: discord.Interaction[Any]) -> None:
        seen.append(interaction)
        await interaction.response.send_message("x")

    bot = Scripted(script)
    async with wire.connect(bot):
        guild = wire.world.guild()
        channel = guild.channel()
        channel.deny(wire.world.bot, "attach_files")
        ann = guild.member("ann", "manage_guild")
        await (await wire.slash(ann, channel, "run")).message()
        await (await wire.slash(ann, wire.world.direct(ann), "run")).message()
        other = wire.world.guild("elsewhere", has_bot=False)
        ben = other.member(wire.world.user("ben", has_installed=True))
        await (await wire.slash(ben, other.channel(), "run")).message()
    inside, private, outside = seen
    assert inside.filesize_limit == 10 * 1024 * 1024
    assert isinstance(inside.user, discord.Member)
    assert (inside.permissions.manage_guild, inside.app_permissions.attach_files) == (True, False)
    assert (inside.is_guild_integration(), outside.is_guild_integration()) == (True, False)
    assert outside.is_user_integration()
    assert isinstance(private.user, discord.User)
    assert (private.context.dm_channel, outside.context.guild) == (True, True)
    assert private.app_permissions.attach_files


async def test_an_answer_is_given_where_the_bot_has_no_rights(wire: Wire) -> None:
    async def script(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message(view=card("v2", 1, "picture.png"), file=picture())

    bot = Scripted(script)
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    channel.deny(wire.world.bot, "view_channel", "send_messages")
    async with wire.connect(bot):
        assert (await (await wire.slash(ann, channel, "run")).message()).gallery
