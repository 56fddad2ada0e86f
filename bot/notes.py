"""Short words to one person alone: what was refused, what was done.

Cards for everybody are in `cards/`.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

import aiohttp
import discord
from discord import ui

from .errors import LimnerError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

log = logging.getLogger(__name__)

NO_MENTIONS = discord.AllowedMentions.none()

UNREACHABLE = (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)
"""What a call to Discord raises when it fails. discord.py retries a connection reset only for the
error numbers of two systems; on Linux it comes through as `ClientError` or `OSError`."""


def note(*texts: str) -> ui.LayoutView:
    """One private message of a few lines; components v2, like everything that is said here."""
    view = ui.LayoutView(timeout=None)
    for text in texts:
        view.add_item(ui.TextDisplay(text))
    return view


async def tell(
    interaction: discord.Interaction, *texts: str, files: Sequence[discord.File] = ()
) -> None:
    """Says something to the person who clicked, and to nobody else."""
    view = note(*texts)
    for file in files:
        view.add_item(ui.File(f"attachment://{file.filename}"))
    if interaction.response.is_done():
        await interaction.followup.send(
            view=view, files=list(files), ephemeral=True, allowed_mentions=NO_MENTIONS
        )
    else:
        await interaction.response.send_message(
            view=view, files=list(files), ephemeral=True, allowed_mentions=NO_MENTIONS
        )


async def refuse(interaction: discord.Interaction, error: RefusedError) -> None:
    """Tells why not, privately; a placeholder that waits for an answer is taken away first.

    A public placeholder can't become private any more, and the first follow-up would fill it.
    """
    response = interaction.response
    if response.type is discord.InteractionResponseType.deferred_channel_message:
        try:
            await interaction.delete_original_response()
        except discord.NotFound:
            log.debug("the placeholder of a refusal was gone already")
    sentence = str(error)
    if error.again_at is not None:
        sentence += f" Again <t:{int(error.again_at) + 1}:R>."
    await tell(interaction, sentence)


async def answered(interaction: discord.Interaction, work: Awaitable[None]) -> None:
    """Awaits a handler's work; whatever goes wrong in it, the person gets one sentence."""
    try:
        await work
    except RefusedError as error:
        await _told(interaction, error)
    except LimnerError as error:
        log.exception("an interaction failed")
        await _told(interaction, RefusedError(str(error)))
    except UNREACHABLE as error:
        # Nobody can be told through a connection that fails; what was accepted is delivered later.
        log.warning("Discord did not take an answer: %r", error)
    except Exception:
        number = secrets.token_hex(3)
        log.exception("an interaction failed (%s)", number)
        await _told(
            interaction,
            RefusedError(f"That went wrong on my side, sorry; my log knows it as {number}."),
        )


async def _told(interaction: discord.Interaction, error: RefusedError) -> None:
    try:
        await refuse(interaction, error)
    except UNREACHABLE as trouble:
        log.warning("a refusal could not be told: %r", trouble)
