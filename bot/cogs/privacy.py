"""/limner privacy: what is kept about somebody, all of it handed out, or all of it deleted.

Everybody may ask, everywhere, for themselves alone. What is kept is storage's, how an export is
packed `parcels`', and the question before a deletion `cards.forgetting`'s.
"""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from ...storage.errors import StorageError
from ..cards.forgetting import question
from ..commission import acknowledge
from ..errors import RefusedError
from ..fitting import DEFAULT_BYTES
from ..notes import NO_MENTIONS, answered, tell
from ..parcels import parcels
from ..privacy_words import about
from .queue import UnderLimner

if TYPE_CHECKING:
    from discord.ext import commands

    from ..delivery import Delivery
    from ..studio import Studio

log = logging.getLogger(__name__)

_Interaction = discord.Interaction[Any]
_MOST_PARTS = 20
"""So many messages one answer may become; an interaction lives a quarter of an hour."""


class PrivacyGroup(app_commands.Group, name="privacy", description="What I keep about you."):
    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._exporting: set[int] = set()
        """Who is being handed their data."""

    @app_commands.command(name="about", description="What is kept about you, why, and how long.")
    async def about(self, interaction: _Interaction) -> None:
        await answered(interaction, self._about(interaction))

    @app_commands.command(name="export", description="Everything kept about you, as a zip.")
    async def export(self, interaction: _Interaction) -> None:
        await answered(interaction, self._export(interaction))

    @app_commands.command(name="delete", description="Deletes everything kept about you.")
    async def delete(self, interaction: _Interaction) -> None:
        await answered(interaction, self._delete(interaction))

    async def _about(self, interaction: _Interaction) -> None:
        await acknowledge(interaction, is_private=True)
        settings, guild_id = self._studio.settings, interaction.guild_id
        guild = await self._studio.storage.guilds.settings(guild_id) if guild_id else None
        await tell(interaction, about(settings, guild))

    async def _export(self, interaction: _Interaction) -> None:
        user_id = interaction.user.id
        if user_id in self._exporting:
            raise RefusedError("Your data is being packed already: wait for it.")
        self._exporting.add(user_id)
        try:
            await acknowledge(interaction, is_private=True)
            await self._send_all(interaction)
        except StorageError as error:
            log.exception("an export failed")
            raise RefusedError("Your data can't be read just now: try again later.") from error
        finally:
            self._exporting.discard(user_id)

    async def _send_all(self, interaction: _Interaction) -> None:
        export = await self._studio.storage.export_user(interaction.user.id)
        limit_bytes = interaction.filesize_limit or DEFAULT_BYTES
        num_pictures = number = 0
        async for parcel in parcels(export, limit_bytes):
            number += 1
            if number > _MOST_PARTS:
                await tell(
                    interaction,
                    f"Those were the newest {num_pictures} of {len(export.files)} pictures, as many"
                    " as fit into one answer: ask the bot's owner for the others.",
                )
                return
            num_pictures += parcel.num_pictures
            name = "limner.zip" if number == 1 else f"limner-{number}.zip"
            said = "Everything that I keep about you: data.json, and your pictures by their hash."
            await tell(
                interaction,
                said if number == 1 else f"Part {number}.",
                files=[discord.File(io.BytesIO(parcel.data), name)],
            )

    async def _delete(self, interaction: _Interaction) -> None:
        await interaction.response.send_message(
            view=question(interaction.user.id), ephemeral=True, allowed_mentions=NO_MENTIONS
        )


class Privacy(UnderLimner):
    """Holds the group."""

    def __init__(self, bot: commands.Bot, studio: Studio, delivery: Delivery) -> None:
        del delivery
        super().__init__(bot, PrivacyGroup(studio))
