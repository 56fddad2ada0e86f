"""The question before everybody's quota starts anew, and its answer, also after a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from ..commission import require_admin
from ..context import context_of
from ..errors import RefusedError
from ..notes import NO_MENTIONS, note
from ..prompts import escape, unescape
from .confirm import NeverMind
from .control import Control, Pressed
from .identity import NUMBER, custom_id, template
from .text import small

if TYPE_CHECKING:
    import re

    from discord.ui.item import Item

_REASON_ID = 7002
_VALID_S = 15 * 60


def question(user_id: int, reason: str) -> ui.LayoutView:
    """Nothing happens before this is answered by the one who asked."""
    container = ui.Container[ui.LayoutView](
        ui.TextDisplay(
            "**Reset everybody's quota in this server?**\nWhat each member used until now no longer"
            " counts. Grants and the server's budget stay as they are."
        )
    )
    if reason:
        # It is kept in the question itself, so that a restart does not lose it.
        container.add_item(ui.TextDisplay(small(escape(reason)), id=_REASON_ID))
    container.add_item(ui.ActionRow[Any](ResetEverybody(user_id), NeverMind()))
    view = ui.LayoutView(timeout=None)
    view.add_item(container)
    return view


class ResetEverybody(Control[Pressed], template=template("resetall", f"(?P<user>{NUMBER})")):
    """Yes; for the admin who was asked, if they still are one, and once."""

    def __init__(self, user_id: int) -> None:
        self._user_id = user_id
        super().__init__(
            ui.Button(
                label="Reset everybody",
                style=discord.ButtonStyle.danger,
                custom_id=custom_id("resetall", user_id),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["user"]))

    async def act(self, interaction: discord.Interaction) -> None:
        require_admin(interaction)
        context = context_of(interaction.client)
        message = interaction.message
        assert message is not None
        age_s = (interaction.created_at - message.created_at).total_seconds()
        if interaction.user.id != self._user_id or age_s > _VALID_S:
            raise RefusedError("This question is not yours, or too old: use /quota reset again.")
        if not context.delivery.claim(message.id):
            raise RefusedError("That was done already.")
        await interaction.response.defer()
        try:
            await context.studio.storage.rules.reset(
                interaction.guild_id or 0, by=interaction.user.id, reason=_reason_in(message)
            )
        except BaseException:
            context.delivery.disclaim(message.id)
            raise
        await interaction.edit_original_response(
            view=note("Everybody's quota in this server starts anew from now."),
            allowed_mentions=NO_MENTIONS,
        )


def _reason_in(message: discord.Message) -> str:
    for component in message.components:
        if isinstance(component, discord.components.Container):
            for child in component.children:
                if isinstance(child, discord.TextDisplay) and child.id == _REASON_ID:
                    return unescape(child.content.removeprefix("-# "))
    return ""
