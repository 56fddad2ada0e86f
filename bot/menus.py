"""A message menu (Apps > ...) as a cog has it: added and removed with the cog, answered safely."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from .notes import answered

if TYPE_CHECKING:
    from discord.ext import commands

log = logging.getLogger(__name__)

Handler = Callable[[discord.Interaction, discord.Message], Awaitable[None]]


class MessageMenu:
    """Discord gives a bot five message menus in all; Limner takes two."""

    def __init__(self, bot: commands.Bot, name: str, handler: Handler) -> None:
        self._tree = bot.tree
        self._handler = handler
        self._menu = app_commands.ContextMenu(
            name=name,
            callback=self._callback,
            type=discord.AppCommandType.message,
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )
        self._is_added = False

    def add(self) -> None:
        """A host that has a menu of this name, or five of its own, keeps them."""
        try:
            self._tree.add_command(self._menu)
        except (app_commands.CommandAlreadyRegistered, app_commands.CommandLimitReached) as error:
            log.warning("the message menu %r was left out: %s", self._menu.name, error)
        else:
            self._is_added = True

    def remove(self) -> None:
        if self._is_added:
            self._tree.remove_command(self._menu.name, type=self._menu.type)
            self._is_added = False

    async def _callback(self, interaction: discord.Interaction, message: discord.Message) -> None:
        await answered(interaction, self._handler(interaction, message))
