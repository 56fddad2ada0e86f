"""Refusals that only a raw or a strange request meets, and people who may not press."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
import pytest
from discord import app_commands, ui
from discord.http import Route

from .offers import NotOffered
from .sample_bot import SampleBot
from .violations import Kind

if TYPE_CHECKING:
    from .server import Wire

MESSAGE = "/channels/{channel_id}/messages/{message_id}"


class Strict(SampleBot):
    """A private card with a disabled button, a command with choices, and one that updates."""

    def _add_commands(self) -> None:
        @self.tree.command(description="Shows a private card")
        @app_commands.choices(size=[app_commands.Choice(name="small", value=1)])
        async def show(interaction: discord.Interaction[Any], size: int = 1) -> None:
            view = ui.View(timeout=None)
            view.add_item(ui.Button(label="Off", custom_id="off", disabled=True))
            view.add_item(ui.Button(label="On", custom_id="on"))
            await interaction.response.send_message(f"{size}", view=view, ephemeral=True)

        @self.tree.command(description="Opens a form")
        async def form(interaction: discord.Interaction[Any]) -> None:
            modal = ui.Modal(title="x", custom_id="form")
            modal.add_item(ui.TextDisplay("x"))
            modal.add_item(ui.Label(text="x", component=ui.TextInput(custom_id="x")))
            await interaction.response.send_modal(modal)


async def test_messages_that_are_not_the_bots(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    theirs, gone = channel.post(ann, "mine"), channel.post(ann, "gone")
    bot = SampleBot()
    async with wire.connect(bot):
        place = bot.get_channel(channel.id)
        assert isinstance(place, discord.TextChannel)
        with wire.violations.expected(Kind.PERMISSION):
            with pytest.raises(discord.Forbidden) as refused:
                await place.get_partial_message(theirs.id).edit(content="x")
            assert refused.value.code == 50005
            with pytest.raises(discord.Forbidden):
                await place.get_partial_message(theirs.id).delete()
        answer = await place.get_partial_message(theirs.id).reply("to you", mention_author=False)
        assert channel.messages[answer.id].replies_to is theirs
        gone.delete()
        with pytest.raises(discord.HTTPException) as failed:
            await place.get_partial_message(gone.id).reply("to nobody")
        assert failed.value.code == 50035
        reference = {"message_id": gone.id, "fail_if_not_exists": False}
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel.id)
        await bot.http.request(route, json={"content": "x", "message_reference": reference})


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("POST", "/users/@me/channels", {}, Kind.BAD_BODY),
        ("PATCH", MESSAGE, {"flags": 64}, Kind.PRIVACY),
        ("GET", "/channels/1", None, Kind.UNKNOWN_OBJECT),
        ("GET", "/guilds/1", None, Kind.UNKNOWN_OBJECT),
        ("GET", "/users/1", None, Kind.UNKNOWN_OBJECT),
        ("GET", "/applications/1/commands/2", None, Kind.UNKNOWN_OBJECT),
    ],
)
async def test_requests_that_are_refused(
    wire: Wire, method: str, path: str, body: Any, kind: Kind
) -> None:
    channel = wire.world.guild().channel()
    bot = SampleBot()
    async with wire.connect(bot):
        place = bot.get_channel(channel.id)
        assert isinstance(place, discord.TextChannel)
        sent = await place.send("x")
        route = Route(method, path, channel_id=channel.id, message_id=sent.id)
        with wire.violations.expected(kind), pytest.raises(discord.HTTPException):
            await (bot.http.request(route) if body is None else bot.http.request(route, json=body))


async def test_who_may_not_press_or_choose(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann, ben = guild.channel(), guild.member("ann"), guild.member("ben")
    stranger = wire.world.user("a stranger")
    async with wire.connect(Strict()):
        for values in ({"size": 2}, {"size": "1"}):
            with pytest.raises(NotOffered):
                await wire.slash(ann, channel, "show", **values)
        card = await (await wire.slash(ann, channel, "show")).message()
        assert card.buttons == {"On": "on"}
        for person, button in ((ann, "off"), (ben, "on")):
            with pytest.raises(NotOffered):
                await wire.click(person, card, button)
        public = channel.post(ann, "x")
        public.components = card.components
        with pytest.raises(NotOffered, match="no member"):
            await wire.click(stranger, public, "on")


async def test_a_form_leaves_no_message(wire: Wire) -> None:
    guild = wire.world.guild()
    bot = Strict()
    async with wire.connect(bot):
        reply = await wire.slash(guild.member("ann"), guild.channel(), "form")
        await reply.modal()
        path = f"/webhooks/{wire.world.bot.id}/{reply.interaction.token}/messages/@original"
        with wire.violations.expected(Kind.UNKNOWN_OBJECT), pytest.raises(discord.NotFound):
            await bot.http.request(Route("GET", path))


async def test_a_card_deleted_between_press_and_answer(wire: Wire) -> None:
    class Updating(SampleBot):
        async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
            if interaction.type is discord.InteractionType.component:
                message.delete()
                with pytest.raises(discord.NotFound):
                    await interaction.response.edit_message(content="x", view=None)
                await interaction.response.send_message("it is gone", ephemeral=True)

    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    async with wire.connect(Updating()):
        message = channel.post(wire.world.bot, "x")
        button = {"type": 2, "style": 1, "label": "Go", "custom_id": "go", "id": 2}
        message.components = [{"type": 1, "id": 1, "components": [button]}]
        reply = await wire.click(ann, message, "Go")
        assert (await reply.message()).text == "it is gone"
