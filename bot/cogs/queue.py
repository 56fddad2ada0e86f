"""/limner queue: how long one waits, what the workers do, and what can't be painted with.

Everybody may ask, and hears it alone; what is said is `cards.overview`'s.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from ..cards.overview import Outlook, overview
from ..commission import member_of
from ..errors import RefusedError
from ..notes import NO_MENTIONS, answered

if TYPE_CHECKING:
    from ..delivery import Delivery
    from ..member import Member
    from ..studio import Studio

log = logging.getLogger(__name__)

_USUAL_COST = 1.0
"""Credits of a picture at its model's default settings."""


class Queue(commands.Cog):
    """The /limner group with what it tells about the painter itself."""

    limner = app_commands.Group(
        name="limner",
        description="About the painter.",
        allowed_contexts=app_commands.AppCommandContext(
            guild=True, dm_channel=True, private_channel=True
        ),
        allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
    )

    def __init__(self, bot: commands.Bot, studio: Studio, delivery: Delivery) -> None:
        del bot, delivery
        self._studio = studio

    @limner.command(name="queue", description="How long one waits, and what the painter does.")
    async def queue(self, interaction: discord.Interaction) -> None:
        await answered(interaction, self._queue(interaction))

    async def _queue(self, interaction: discord.Interaction) -> None:
        # All of it is in memory: the answer itself is the acknowledgement.
        await interaction.response.send_message(
            view=overview(self._outlook(member_of(interaction))),
            ephemeral=True,
            allowed_mentions=NO_MENTIONS,
        )

    def _outlook(self, member: Member) -> Outlook:
        studio = self._studio
        try:
            studio.require_room(member)
            refusal = ""
        except RefusedError as error:
            refusal = str(error)
        return Outlook(
            studio.pool.state,
            refusal,
            studio.pool.estimate_s(_USUAL_COST, member.tenant),
            studio.broken_models,
            studio.settings.private_folders,
        )


class UnderLimner(commands.Cog):
    """A cog whose commands stand under /limner while it is loaded."""

    def __init__(self, bot: commands.Bot, group: app_commands.Group) -> None:
        self._bot = bot
        self._group = group

    async def cog_load(self) -> None:
        limner = self._limner
        if limner is None:
            log.warning(
                "/limner %s was left out, for the host has a /limner of its own", self._group.name
            )
        else:
            limner.add_command(self._group)

    async def cog_unload(self) -> None:
        if (limner := self._limner) is not None:
            limner.remove_command(self._group.name)

    @property
    def _limner(self) -> app_commands.Group | None:
        """None where the host has one of its own; then ours was left out."""
        for cog in self._bot.cogs.values():
            if isinstance(cog, Queue):
                return cog.limner
        return None
