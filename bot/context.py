"""What handlers that Discord calls by a custom id alone need, found through the client.

Lives as a cog, so that it comes and goes with the extension; it does nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from discord.ext import commands

from .errors import RefusedError

if TYPE_CHECKING:
    import discord

    from ..storage.records import Picture
    from .ask import Ask
    from .attachments import PictureReader
    from .delivery import Delivery
    from .studio import Studio

NAME = "Limner"


class OpenPicture(Protocol):
    """Answers an interaction (not yet acknowledged) about a stored picture and how it was made."""

    async def __call__(
        self, interaction: discord.Interaction, picture: Picture, ask: Ask
    ) -> None: ...


@dataclass(slots=True)
class PictureActions:
    """What a picture's menu can do beyond itself; a cog sets its own while it is loaded."""

    inpaint: OpenPicture | None = None
    upscale: OpenPicture | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """The extension's parts, as its buttons and menus need them."""

    studio: Studio
    delivery: Delivery

    @property
    def actions(self) -> PictureActions:
        return self.delivery.actions

    @property
    def reader(self) -> PictureReader:
        """One for all commands, so that its bounds hold for all of them together."""
        return self.delivery.reader


class ContextCog(commands.Cog, name=NAME):
    """Carries the context on the bot; `setup` adds it first."""

    def __init__(self, context: Context) -> None:
        self.context = context


def context_of(client: discord.Client) -> Context:
    """The context of the extension that is loaded in this client.

    Raises `RefusedError` while there is none: the extension is being unloaded.
    """
    cog = client.get_cog(NAME) if isinstance(client, commands.Bot) else None
    if not isinstance(cog, ContextCog):
        raise RefusedError("The painter is just being restarted: try again in a moment.")
    return cog.context
