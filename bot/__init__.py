"""Discord: what a user types and sees. The only room that imports discord.

A discord.py extension: `await bot.load_extension("limner.bot")`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discord.ext import commands

__all__ = ["setup"]


async def setup(bot: commands.Bot) -> None:
    """Adds the commands and starts the painter. The host syncs its own tree.

    Unloading stops the painter and frees its memory and files (`extension._Lifetime`); what was
    under way goes on at the next load.

    Raises `StartError` or `SettingsError` with one sentence; then nothing was added.
    """
    from .extension import load_into

    await load_into(bot)
