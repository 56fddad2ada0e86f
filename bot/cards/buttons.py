"""The buttons of a whole card. Each knows from its custom id what it is about and who may press it.

What is painted goes through `commission`; nothing is kept in memory, so they survive a restart.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from ...storage.errors import NoSuchJobError, NoSuchPictureError
from ..commission import acknowledge, judge, may_moderate, place
from ..context import context_of
from ..errors import RefusedError
from ..notes import tell
from ..sources import may_see
from .control import Control, Pressed
from .identity import FLAG, NUMBER, custom_id, template
from .lookup import ask_of, job_of
from .remix import RemixModal

if TYPE_CHECKING:
    import re

    from discord.ui.item import Item

    from ..context import Context

log = logging.getLogger(__name__)


class Again(
    Control[Pressed],
    template=template("again", f"(?P<job>{NUMBER})", f"(?P<private>{FLAG})"),
):
    """The same ask with new seeds, charged to whoever presses it."""

    def __init__(self, job_id: int, *, is_private: bool, label: str = "Paint again") -> None:
        self._job_id = job_id
        self._is_private = is_private
        super().__init__(
            ui.Button(
                label=label,
                emoji="🎲",
                style=discord.ButtonStyle.primary,
                custom_id=custom_id("again", job_id, int(is_private)),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["job"]), is_private=match["private"] == "1")

    async def act(self, interaction: discord.Interaction) -> None:
        context = context_of(interaction.client)
        message_id = await acknowledge(interaction, is_private=self._is_private)
        ask = ask_of(await job_of(interaction, context, self._job_id))
        ask = replace(ask, seed=None, is_private=self._is_private)
        await judge(interaction, context, ask)
        await place(interaction, context, ask, message_id)


class Remix(
    Control[Pressed],
    template=template("remix", f"(?P<job>{NUMBER})", f"(?P<private>{FLAG})"),
):
    """The same ask with a changed prompt, asked for in a modal."""

    def __init__(self, job_id: int, *, is_private: bool) -> None:
        self._job_id = job_id
        self._is_private = is_private
        super().__init__(
            ui.Button(
                label="Remix",
                emoji="✏️",
                custom_id=custom_id("remix", job_id, int(is_private)),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["job"]), is_private=match["private"] == "1")

    async def act(self, interaction: discord.Interaction) -> None:
        context = context_of(interaction.client)
        # The modal is the acknowledgement, and shows the prompt: the one read that comes before it.
        ask = ask_of(await job_of(interaction, context, self._job_id))
        await interaction.response.send_modal(
            RemixModal(self._job_id, ask, is_private=self._is_private)
        )


class Cancel(
    Control[Pressed],
    template=template("cancel", f"(?P<job>{NUMBER})", f"(?P<owner>{NUMBER})"),
):
    """Stops a job that waits or runs; for its owner and for moderators."""

    def __init__(self, job_id: int, owner_id: int) -> None:
        self._job_id = job_id
        self._owner_id = owner_id
        super().__init__(
            ui.Button(
                label="Cancel",
                style=discord.ButtonStyle.secondary,
                custom_id=custom_id("cancel", job_id, owner_id),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["job"]), int(match["owner"]))

    async def act(self, interaction: discord.Interaction) -> None:
        context = context_of(interaction.client)
        _refuse_others(interaction, self._owner_id, "cancel this")
        await interaction.response.defer()
        await _refuse_strangers(interaction, context, self._job_id, "cancel this")
        if not await context.studio.cancel(self._job_id):
            await tell(interaction, "There was nothing left to cancel.")


class Delete(
    Control[Pressed],
    template=template("delete", f"(?P<job>{NUMBER})", f"(?P<owner>{NUMBER})"),
):
    """Takes a card and its pictures away; for its owner and for moderators."""

    def __init__(self, job_id: int, owner_id: int) -> None:
        self._job_id = job_id
        self._owner_id = owner_id
        super().__init__(
            ui.Button(
                label="Delete",
                emoji="🗑️",
                custom_id=custom_id("delete", job_id, owner_id),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["job"]), int(match["owner"]))

    async def act(self, interaction: discord.Interaction) -> None:
        context = context_of(interaction.client)
        _refuse_others(interaction, self._owner_id, "delete this")
        await interaction.response.defer()
        await _refuse_strangers(interaction, context, self._job_id, "delete this")
        storage = context.studio.storage
        for picture in await storage.images.of_job(self._job_id):
            try:
                await storage.images.delete(picture.id)
            except NoSuchPictureError:
                log.debug("picture %d was deleted already", picture.id)
        try:
            await interaction.delete_original_response()
        except discord.NotFound:
            # Pressed twice, or by two people at once: gone is gone.
            log.debug("the card of job %d was deleted already", self._job_id)


def _refuse_others(interaction: discord.Interaction, owner_id: int, deed: str) -> None:
    if interaction.user.id != owner_id and not may_moderate(interaction):
        raise RefusedError(f"Only <@{owner_id}> or a moderator may {deed}.")


async def _refuse_strangers(
    interaction: discord.Interaction, context: Context, job_id: int, deed: str
) -> None:
    """The id says who its owner is; the database knows it. A forgotten job has only its message."""
    try:
        job = await context.studio.storage.jobs.get(job_id)
    except NoSuchJobError:
        return
    if not may_see(interaction, job):
        raise RefusedError("There is no such picture here.")
    _refuse_others(interaction, job.new.origin.user_id, deed)
