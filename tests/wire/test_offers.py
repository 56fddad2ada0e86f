"""What people are offered: commands by place, installation and permission, options as declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
import pytest
from discord import app_commands

from .offers import NotOffered
from .sample_bot import RED_PIXEL, SampleBot

if TYPE_CHECKING:
    from .server import Wire


class Catalogue(SampleBot):
    """Commands with every kind of option, and for some people only."""

    def _add_commands(self) -> None:
        self.asked: list[Any] = []

        @self.tree.command(description="Takes everything")
        async def everything(
            interaction: discord.Interaction[Any],
            count: app_commands.Range[int, 1, 4],
            strength: app_commands.Range[float, 0, 1] = 0.5,
            who: discord.Member | None = None,
            role: discord.Role | None = None,
            place: discord.TextChannel | None = None,
            file: discord.Attachment | None = None,
            loud: bool = False,
        ) -> None:
            data = None if file is None else await file.read()
            self.asked.append((count, strength, who, role, place, data, loud))
            await interaction.response.send_message("taken", ephemeral=True)

        credit = app_commands.Group(name="credits", description="Credits")

        @credit.command(description="Gives some")
        async def give(interaction: discord.Interaction[Any], who: discord.User) -> None:
            await interaction.response.send_message(f"to {who.name}")

        self.tree.add_command(credit)

        @self.tree.command(description="For those who run the server")
        @app_commands.default_permissions(manage_guild=True)
        @app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
        async def settings(interaction: discord.Interaction[Any]) -> None:
            await interaction.response.send_message("settings")

        @self.tree.context_menu(name="Who is it")
        async def who_is_it(interaction: discord.Interaction[Any], user: discord.Member) -> None:
            await interaction.response.send_message(f"it is {user.name}")


async def test_every_kind_of_option_is_resolved(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    role = guild.role("painter")
    ben = guild.member("ben", roles=[role])
    bot = Catalogue()
    async with wire.connect(bot):
        reply = await wire.slash(
            ann,
            channel,
            "everything",
            count=3,
            strength=1,
            who=ben,
            role=role,
            place=channel,
            file=("x.png", RED_PIXEL),
            loud=True,
        )
        assert (await reply.message()).text == "taken"
        given = await (await wire.slash(ann, channel, "credits give", who=ben)).message()
        assert given.text == "to ben"
        told = await (await wire.menu(ann, "Who is it", ben, channel)).message()
        assert told.text == "it is ben"
    count, strength, who, asked_role, place, data, loud = bot.asked[0]
    assert (count, strength, data, loud) == (3, 1, RED_PIXEL, True)
    assert (who.id, [r.id for r in who.roles[1:]]) == (ben.id, [role.id])
    assert (asked_role.id, place.id) == (role.id, channel.id)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("nothing", {}),
        ("everything", {}),
        ("everything", {"count": 5}),
        ("everything", {"count": "1"}),
        ("everything", {"count": 1, "strength": 1.5}),
        ("everything", {"count": 1, "colour": "red"}),
        ("everything", {"count": True}),
        ("credits take", {}),
        ("credits", {"give": "x"}),
        ("settings", {}),
    ],
)
async def test_what_discord_does_not_offer_fails_the_test_and_not_the_bot(
    wire: Wire, name: str, values: dict[str, Any]
) -> None:
    guild = wire.world.guild()
    channel, ann = guild.channel(), guild.member("ann")
    async with wire.connect(Catalogue()):
        with pytest.raises(NotOffered):
            await wire.slash(ann, channel, name, **values)
    assert wire.world.interactions == {}


async def test_who_runs_a_server_is_offered_more(wire: Wire) -> None:
    guild = wire.world.guild()
    channel = guild.channel()
    async with wire.connect(Catalogue()):
        for chief in (guild.member("chief", "manage_guild"), guild.member("a", "administrator")):
            await (await wire.slash(chief, channel, "settings")).message()
            with pytest.raises(NotOffered):
                await wire.slash(chief, wire.world.direct(chief), "settings")
        muted = guild.member("muted")
        channel.deny(muted, "use_application_commands")
        with pytest.raises(NotOffered):
            await wire.slash(muted, channel, "credits give", who=muted)
        stranger = wire.world.user("a stranger")
        with pytest.raises(NotOffered):
            await wire.slash(stranger, channel, "credits give", who=muted)


async def test_commands_of_one_server_appear_there_alone(wire: Wire) -> None:
    first, second = wire.world.guild("first"), wire.world.guild("second")
    ann = first.member("ann")
    second.member(ann)
    bot = Catalogue()
    async with wire.connect(bot):
        place = discord.Object(first.id)

        @bot.tree.command(name="local", description="Here only", guild=place)
        async def local(interaction: discord.Interaction[Any]) -> None:
            await interaction.response.send_message("here")

        await bot.tree.sync(guild=place)
        assert [command.name for command in await bot.tree.fetch_commands(guild=place)] == ["local"]
        await (await wire.slash(ann, first.channel(), "local")).message()
        with pytest.raises(NotOffered):
            await wire.slash(ann, second.channel(), "local")


async def test_a_private_message_is_its_own_persons(wire: Wire) -> None:
    guild = wire.world.guild()
    channel, ann, ben = guild.channel(), guild.member("ann"), guild.member("ben")
    async with wire.connect(SampleBot()):
        painted = await (await wire.slash(ann, channel, "imagine", prompt="x")).message()
        with pytest.raises(NotOffered):
            await wire.click(ben, painted, "Not there")
        modal = await (await wire.slash(ann, channel, "describe")).modal()
        with pytest.raises(NotOffered):
            await wire.submit(ben, modal, prompt="x", style=["Ink"])
        with pytest.raises(NotOffered):
            await wire.submit(ann, modal, prompt="", style=["Ink"])
        with pytest.raises(NotOffered):
            await wire.submit(ann, modal, prompt="x", style=["Pencil"])
        with pytest.raises(NotOffered):
            await wire.submit(ann, modal, prompt="x", style=["Ink"], colour="red")


async def test_old_messages_are_not_edited_without_end(wire: Wire) -> None:
    from .rest_channels import MAX_OLD_EDITS
    from .violations import Kind

    wire.limits.enforced = False
    channel = wire.world.guild().channel()
    bot = SampleBot()
    async with wire.connect(bot):
        place = bot.get_channel(channel.id)
        assert isinstance(place, discord.TextChannel)
        sent = await place.send("x")
        wire.clock.advance(3601)
        for number in range(MAX_OLD_EDITS):
            await sent.edit(content=str(number))
        with (
            wire.violations.expected(Kind.TOO_MANY_OLD_EDITS),
            pytest.raises(discord.HTTPException) as refused,
        ):
            await sent.edit(content="one too many")
        assert refused.value.code == 30046
        found = [message.id async for message in place.history(limit=5)]
        assert found == [sent.id]
