"""The menu under each picture: vary, repeat, edit, keep.

Whoever sees the card may use it, at their own cost; what belongs to its owner says so. A client
sends the same choice again only after the message was updated, so each is acknowledged by an update
that changes nothing, and answered by a message of its own.
"""

from __future__ import annotations

import io
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from ..commission import judge, place_many
from ..context import context_of
from ..errors import RefusedError
from ..fitting import DIRECT_MESSAGE_BYTES, Named, fit
from ..ground import open_stored
from ..notes import NO_MENTIONS, tell
from ..sources import Stored, require_shown
from ..underlay import STRONG, SUBTLE, strength_of, vary
from . import text
from .control import Control, Menu
from .identity import FLAG, NUMBER, custom_id, template
from .lookup import ask_of, picture_of

if TYPE_CHECKING:
    import re

    from discord.ui.item import Item

    from ...storage.records import Picture
    from ..context import Context, PictureActions


class Choice(StrEnum):
    """What the menu offers; the values travel in messages, so they stay as they are."""

    VARY_SUBTLE = "subtle"
    VARY_STRONG = "strong"
    INPAINT = "inpaint"
    UPSCALE = "upscale"
    AGAIN = "again"
    PARAMETERS = "parameters"
    FAVOURITE = "favourite"
    SEND = "send"


_OPTIONS = {
    Choice.VARY_SUBTLE: ("Vary, a little", "🌗", "New pictures close to this one"),
    Choice.VARY_STRONG: ("Vary, a lot", "🌓", "New pictures that keep the rough idea"),
    Choice.INPAINT: ("Inpaint", "🖌️", "Paint a part of it anew"),
    Choice.UPSCALE: ("Upscale", "🔍", "The same picture, larger"),
    Choice.AGAIN: ("Exactly again", "🎯", "The same seed and settings"),
    Choice.PARAMETERS: ("Parameters as text", "📋", "To copy, for you alone"),
    Choice.FAVOURITE: ("Favourite", "⭐", "Keeps it, or stops keeping it"),
    Choice.SEND: ("Send to me", "✉️", "The original, as a direct message"),
}


class PictureMenu(
    Control[Menu],
    template=template("picture", f"(?P<picture>{NUMBER})", f"(?P<private>{FLAG})"),
):
    """One picture's menu."""

    def __init__(self, menu: Menu, picture_id: int, *, is_private: bool) -> None:
        self._picture_id = picture_id
        self._is_private = is_private
        super().__init__(menu)

    @classmethod
    def under(cls, picture: Picture, actions: PictureActions, *, is_private: bool) -> Self:
        """The menu for a picture, with what can be done just now."""
        missing = set[Choice]()
        if actions.inpaint is None:
            missing.add(Choice.INPAINT)
        if actions.upscale is None:
            missing.add(Choice.UPSCALE)
        menu = Menu(
            custom_id=custom_id("picture", picture.id, int(is_private)),
            placeholder=f"Picture {picture.index + 1} · seed {picture.seed}",
            options=[
                discord.SelectOption(
                    label=label, value=choice.value, emoji=emoji, description=description
                )
                for choice, (label, emoji, description) in _OPTIONS.items()
                if choice not in missing
            ],
        )
        return cls(menu, picture.id, is_private=is_private)

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        assert isinstance(item, ui.Select)
        return cls(item, int(match["picture"]), is_private=match["private"] == "1")

    async def act(self, interaction: discord.Interaction) -> None:
        context = context_of(interaction.client)
        try:
            choice = Choice(self.item.values[0])
        except (ValueError, IndexError) as error:
            raise RefusedError("This menu is from another version of me.") from error
        match choice:
            case Choice.VARY_SUBTLE:
                await self._paint(interaction, context, choice)
            case Choice.VARY_STRONG:
                await self._paint(interaction, context, choice)
            case Choice.AGAIN:
                await self._paint(interaction, context, choice)
            case Choice.INPAINT | Choice.UPSCALE:
                await self._open(interaction, context, choice)
            case Choice.PARAMETERS:
                await self._tell_parameters(interaction, context)
            case Choice.FAVOURITE:
                await self._keep(interaction, context)
            case Choice.SEND:
                await self._send(interaction, context)

    async def _paint(
        self, interaction: discord.Interaction, context: Context, choice: Choice
    ) -> None:
        await _acknowledge(interaction)
        job, picture = await picture_of(interaction, context, self._picture_id)
        if choice is Choice.AGAIN:
            ask = replace(ask_of(job), seed=picture.seed, count=1)
        else:
            ground = await open_stored(context, Stored(job, picture))
            amount = SUBTLE if choice is Choice.VARY_SUBTLE else STRONG
            strength = strength_of(context.studio, ground.base, amount)
            ask = await vary(context.studio, ground.base, ground.image, strength, picture.id)
        ask = replace(ask, is_private=self._is_private)
        await judge(interaction, context, ask)
        _, refusal = await place_many(interaction, context, [ask])
        if refusal is not None:
            raise refusal

    async def _open(
        self, interaction: discord.Interaction, context: Context, choice: Choice
    ) -> None:
        actions = context.actions
        opener = actions.inpaint if choice is Choice.INPAINT else actions.upscale
        if opener is None:
            raise RefusedError("I can't do that at the moment.")
        # A modal must be the first answer, so these two short reads come before it.
        job, picture = await picture_of(interaction, context, self._picture_id)
        ask = ask_of(job)
        await opener(interaction, picture, ask)

    async def _tell_parameters(self, interaction: discord.Interaction, context: Context) -> None:
        await _acknowledge(interaction)
        job, picture = await picture_of(interaction, context, self._picture_id)
        ask = ask_of(job)
        said = text.parameters(ask, picture.seed, picture.width, picture.height)
        command = "/imagine prompt: " + text.typed(replace(ask, seed=picture.seed, count=1))
        file = discord.File(
            io.BytesIO(f"{said}\n\n{command}\n".encode()), f"picture-{picture.id}.txt"
        )
        short = said.replace("```", "'''")
        texts = [f"```\n{short}\n```"] if len(short) < 3500 else []
        await tell(interaction, *texts, files=[file])

    async def _keep(self, interaction: discord.Interaction, context: Context) -> None:
        await _acknowledge(interaction)
        job, picture = await picture_of(interaction, context, self._picture_id)
        if interaction.user.id != job.new.origin.user_id:
            raise RefusedError("Only who asked for a picture can make it a favourite.")
        is_favourite = not picture.is_favourite
        await context.studio.storage.images.set_favourite(picture.id, is_favourite)
        said = "is a favourite now: it is never cleaned away" if is_favourite else "is no favourite"
        await tell(interaction, f"Picture #{picture.id} {said}.")

    async def _send(self, interaction: discord.Interaction, context: Context) -> None:
        await _acknowledge(interaction)
        job, picture = await picture_of(interaction, context, self._picture_id)
        await require_shown(context, Stored(job, picture))
        png = await context.studio.storage.images.read(picture.sha256)
        name = f"limner-{picture.job_id}-{picture.index + 1}-seed{picture.seed}"
        file = Named(f"{name}.png", png)
        # Away from its card nobody knows what it is.
        (sent,) = await fit([file.veiled() if picture.is_unsafe else file], DIRECT_MESSAGE_BYTES)
        try:
            await interaction.user.send(file=sent.file(), allowed_mentions=NO_MENTIONS)
        except discord.Forbidden as error:
            raise RefusedError(
                "Your settings don't let me send you direct messages: allow them for this server."
            ) from error
        await tell(interaction, "It is in your direct messages.")


async def _acknowledge(interaction: discord.Interaction) -> None:
    """Resets the menu under which something was chosen; deferring would leave the choice in it."""
    await interaction.response.edit_message()
