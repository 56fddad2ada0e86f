"""The basic flow by hikari, a client library of its own, so that it is not only one reading."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from .sample_bot import RED_PIXEL
from .specification import needed

if TYPE_CHECKING:
    import hikari

    from .server import Wire
else:
    hikari = pytest.importorskip("hikari", reason="hikari is not installed")


@needed
async def test_hikari_registers_is_asked_and_delivers(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    heard: asyncio.Queue[hikari.GuildMessageCreateEvent] = asyncio.Queue()
    bot = hikari.GatewayBot(
        wire.world.token,
        rest_url=f"{wire.base}/api/v10",
        banner=None,
        logs=None,
        suppress_optimization_warning=True,
        intents=hikari.Intents.GUILDS | hikari.Intents.GUILD_MESSAGES,
    )

    @bot.listen()
    async def on_interaction(event: hikari.InteractionCreateEvent) -> None:
        asked = event.interaction
        if isinstance(asked, hikari.CommandInteraction):
            await asked.create_initial_response(hikari.ResponseType.DEFERRED_MESSAGE_CREATE)
            box = hikari.impl.ContainerComponentBuilder()
            box.add_text_display(f"{asked.options[0].value} for {asked.user.username}")
            gallery = hikari.impl.MediaGalleryComponentBuilder()
            gallery.add_media_gallery_item(hikari.Bytes(RED_PIXEL, "picture.png"))
            box.add_component(gallery)
            row = hikari.impl.MessageActionRowBuilder()
            row.add_interactive_button(hikari.ButtonStyle.PRIMARY, "again:1", label="Again")
            box.add_component(row)
            await asked.edit_initial_response(component=box)
        elif isinstance(asked, hikari.ComponentInteraction):
            await asked.create_initial_response(
                hikari.ResponseType.MESSAGE_CREATE,
                f"pressed {asked.custom_id}",
                flags=hikari.MessageFlag.EPHEMERAL,
            )

    @bot.listen()
    async def on_message(event: hikari.GuildMessageCreateEvent) -> None:
        if event.author_id == ann.id:
            heard.put_nowait(event)

    async with asyncio.timeout(60):
        await bot.start(check_for_updates=False)
    try:
        commands = bot.rest.slash_command_builder("imagine", "Paints a picture")
        commands.add_option(
            hikari.CommandOption(
                type=hikari.OptionType.STRING, name="prompt", description="What", is_required=True
            )
        )
        application = await bot.rest.fetch_application()
        await bot.rest.set_application_commands(application, [commands])

        reply = await wire.slash(ann, channel, "imagine", prompt="a boat")
        message = await reply.message()
        assert message.text == "a boat for ann"
        assert await wire.fetch(message.gallery[0].url) == RED_PIXEL
        pressed = await (await wire.click(ann, message, "Again")).message()
        assert (pressed.text, pressed.is_ephemeral) == ("pressed again:1", True)

        sent = await bot.rest.create_message(
            channel.id, "listed", attachment=hikari.Bytes(RED_PIXEL + b"x", "x.png")
        )
        assert await sent.attachments[0].read() == RED_PIXEL + b"x"
        await bot.rest.add_reaction(channel.id, sent, "🎨")
        await bot.rest.edit_message(channel.id, sent, "edited")
        assert channel.messages[sent.id].text == "edited"
        private = await bot.rest.create_dm_channel(ann.id)
        await private.send("for you")
        assert wire.world.direct(ann).timeline[0].text == "for you"

        channel.post(ann, "before")
        wire.gateway.drop()
        await wire.until(lambda: not wire.gateway.is_connected, "the line to be cut")
        channel.post(ann, "meanwhile")
        async with asyncio.timeout(60):
            assert (await heard.get()).author_id == ann.id
            assert (await heard.get()).message_id == channel.timeline[-1].id
        assert wire.gateway.num_resumed == 1
    finally:
        await bot.close()
