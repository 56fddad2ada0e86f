"""The question before a user's data is deleted, with the button that only they may press.

The button names its user and when it was asked, so it works after a restart, and not for ever.
Deleting is the studio's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from ...storage.errors import StorageError
from ..context import context_of
from ..errors import RefusedError
from ..notes import NO_MENTIONS, note
from .confirm import NeverMind
from .control import Control, Pressed
from .identity import NUMBER, custom_id, template
from .text import small

if TYPE_CHECKING:
    import re

    from discord.ui.item import Item

    from ...storage.privacy import Forgotten


_GOOD_FOR_S = 3600
"""A question is asked again rather than answered by mistake much later."""


def question(user_id: int) -> ui.LayoutView:
    """What would be deleted, and what would not."""
    view = ui.LayoutView(timeout=None)
    view.add_item(
        ui.Container(
            ui.TextDisplay(
                "**Delete everything that I keep about you, on every server?** Your pictures,"
                " prompts and settings go; what is being painted for you stops. It can't be undone."
            ),
            ui.TextDisplay(
                small("What stays: bans and limits set for you, and what you used lately.")
                + "\n"
                + small("Cards in channels stay too: delete them there, before or after.")
            ),
            ui.ActionRow[Any](ForgetMe(user_id, int(time.time())), NeverMind()),
        )
    )
    return view


class ForgetMe(
    Control[Pressed],
    template=template("forget", f"(?P<user>{NUMBER})", f"(?P<at>{NUMBER})"),
):
    """Yes, all of it."""

    def __init__(self, user_id: int, asked_at: int) -> None:
        self._user_id = user_id
        self._asked_at = asked_at
        super().__init__(
            ui.Button(
                label="Delete everything",
                style=discord.ButtonStyle.danger,
                custom_id=custom_id("forget", user_id, asked_at),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["user"]), int(match["at"]))

    async def act(self, interaction: discord.Interaction) -> None:
        context = context_of(interaction.client)
        if interaction.user.id != self._user_id:
            raise RefusedError("Only who asked for it can have their data deleted.")
        if not 0 <= time.time() - self._asked_at <= _GOOD_FOR_S:
            raise RefusedError("That question is old: ask again with /limner privacy delete.")
        message = interaction.message
        assert message is not None
        if not context.delivery.claim(message.id):
            raise RefusedError("You have answered that already.")
        try:
            await interaction.response.defer()
            forgotten = await context.studio.forget(self._user_id)
        except StorageError as error:
            context.delivery.disclaim(message.id)
            raise RefusedError(
                "Not everything could be deleted: press again in a minute. The owner's log says"
                " why."
            ) from error
        except BaseException:
            context.delivery.disclaim(message.id)
            raise
        await interaction.edit_original_response(
            view=note(_told(forgotten)), allowed_mentions=NO_MENTIONS
        )


def _told(forgotten: Forgotten) -> str:
    jobs = "1 job" if forgotten.num_jobs == 1 else f"{forgotten.num_jobs} jobs"
    pictures = "1 picture" if forgotten.num_pictures == 1 else f"{forgotten.num_pictures} pictures"
    return f"Deleted: {jobs} and {pictures}. You can begin anew at any time."
