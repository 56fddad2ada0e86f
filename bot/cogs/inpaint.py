"""/inpaint and Apps > Inpaint: a part of a picture painted anew, looked at before it is paid for.

Which picture is meant is `sources`'s, what of it `masks`'s; the look is `cards.inpaint`'s.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from .. import ground, mask_words, masks
from ..ask import Ask, Kind
from ..cards import inpaint as card
from ..cards import source_fields
from ..cards.modals import filled, submitted
from ..commission import acknowledge, judge
from ..composing import compose, merge
from ..context import Context
from ..drafts import Touch, keep_draft, load_draft
from ..errors import RefusedError
from ..menus import MessageMenu
from ..notes import answered
from ..posted import Posted
from ..prompts import Flags, clean, read_one
from ..sources import find_shown, shown_by, stored_label, stored_picture
from ..underlay import PROMISED

if TYPE_CHECKING:
    import re

    from PIL.Image import Image

    from ...storage.records import Picture
    from ..attachments import Uploaded
    from ..delivery import Delivery
    from ..ground import Open
    from ..studio import Studio

_TOLERANCE = 12


@dataclass(frozen=True, slots=True)
class Where:
    """What somebody said about the part to paint; at most one of them counts."""

    mask: Uploaded | None = None
    area: str = ""
    colour: str = ""
    tolerance: int = _TOLERANCE


class Inpaint(commands.Cog):
    """The command, the message menu, the picture menu's entry, and the modal of all three."""

    def __init__(self, bot: commands.Bot, studio: Studio, delivery: Delivery) -> None:
        self._context = Context(studio, delivery)
        self._menu = MessageMenu(bot, "Inpaint", self._from_message)
        self._posted = Posted("Inpaint")

    async def cog_load(self) -> None:
        self._menu.add()
        self._context.actions.inpaint = self._from_picture

    async def cog_unload(self) -> None:
        self._menu.remove()
        self._context.actions.inpaint = None

    @app_commands.command(name="inpaint", description="Paint a part of a picture anew.")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.rename(is_private="private")
    @app_commands.describe(
        prompt="What to paint there",
        picture="A picture of yours; without any picture, a form opens",
        source="Or one of mine: the number on its card, such as 12 or 12-3, or a link to it",
        mask="A picture of the same shape: white is painted, black is kept",
        area="Or words: left half, top third, center, 10%,20%,50%,60% (left, top, right, bottom)",
        colour="Or everything of one colour: red, or #ff0000",
        tolerance="How near to the colour, in percent",
        strength="How much is painted anew there, 0 to 1",
        negative="What to keep away from the picture",
        count="How many pictures, each from a seed of its own",
        is_private="Only you see it",
    )
    async def inpaint(
        self,
        interaction: discord.Interaction,
        prompt: str | None = None,
        picture: discord.Attachment | None = None,
        source: str | None = None,
        mask: discord.Attachment | None = None,
        area: app_commands.Range[str, 1, 200] | None = None,
        colour: app_commands.Range[str, 1, 50] | None = None,
        tolerance: app_commands.Range[int, 0, 100] = _TOLERANCE,
        strength: app_commands.Range[float, 0, 1] | None = None,
        negative: str | None = None,
        count: app_commands.Range[int, 1, 4] | None = None,
        is_private: bool = False,
    ) -> None:
        chosen = Flags(
            negative=clean(negative or ""), count=count, strength=strength, is_private=is_private
        )
        where = Where(mask, area or "", colour or "", tolerance)
        await answered(
            interaction,
            self._inpaint(interaction, picture, source, prompt or "", chosen, where),
        )

    async def _inpaint(
        self,
        interaction: discord.Interaction,
        picture: discord.Attachment | None,
        source: str | None,
        prompt: str,
        chosen: Flags,
        where: Where,
    ) -> None:
        if picture is None and source is None:
            if where.mask is not None:
                raise RefusedError("A mask needs its picture: attach both, or neither for a form.")
            await interaction.response.send_modal(card.InpaintModal(card.NEW, prompt=prompt))
            return
        if picture is not None and source is not None:
            raise RefusedError("Say one picture: attach one, or name one of mine, not both.")
        open_it = await ground.of_options(interaction, self._context, picture, source)
        await self._preview(interaction, open_it, prompt, chosen, where)

    # The menus

    async def _from_message(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        stored = await shown_by(self._context, message)
        if stored:
            labels = [stored_label(each) for each in stored]
            job = stored[0].job
            modal = card.InpaintModal(card.OWN, job.id, labels, job.new.prompt)
        else:
            modal = card.InpaintModal(card.POSTED, message.id, self._posted.keep(message))
        await interaction.response.send_modal(modal)

    async def _from_picture(
        self, interaction: discord.Interaction, picture: Picture, ask: Ask
    ) -> None:
        """The entry in the menu under a picture of a card."""
        modal = card.InpaintModal(card.PICTURE, picture.id, prompt=ask.prompt)
        await interaction.response.send_modal(modal)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        match = submitted(interaction, card.MODAL)
        if match is not None:
            await answered(interaction, self._from_modal(interaction, match))

    async def _from_modal(self, interaction: discord.Interaction, modal: re.Match[str]) -> None:
        context = self._context
        fields = filled(interaction)
        place, number = source_fields.chosen_place(fields), int(modal["id"])
        match modal["kind"]:
            case card.OWN:
                stored = await find_shown(interaction, context, number, place)
                open_it = ground.of_stored(context, stored)
            case card.PICTURE:
                stored = await stored_picture(interaction, context, number)
                open_it = ground.of_stored(context, stored)
            case card.POSTED:
                item = self._posted.find(number, place)
                open_it = ground.of_upload(interaction, context, item)
            case _:
                pictures = fields.uploads.get("picture")
                if not pictures:
                    raise RefusedError("Add the picture that is to be painted in.")
                open_it = ground.of_upload(interaction, context, pictures[0])
        uploads = fields.uploads.get("mask", [])
        where = Where(uploads[0] if uploads else None, fields.texts.get("area", "").strip())
        await self._preview(interaction, open_it, fields.texts.get("prompt", ""), Flags(), where)

    # The look before the leap

    async def _preview(
        self,
        interaction: discord.Interaction,
        open_it: Open,
        prompt: str,
        chosen: Flags,
        where: Where,
    ) -> None:
        """Shows, to this person alone, what would be painted; nothing is spent yet."""
        context = self._context
        line = read_one(prompt)
        line = replace(line, flags=merge(line.flags, chosen))
        if sum(map(bool, (where.mask, where.area, where.colour))) > 1:
            raise RefusedError("Say the part to paint once: as a mask, an area, or a colour.")
        if where.mask is not None:
            context.reader.judge(where.mask)
        if where.colour:
            masks.colour_of(where.colour)

        def asked(base: Ask) -> Ask:
            base = replace(base, count=1, width=None, height=None)
            ask = compose(base, line, context.studio.checkpoints)
            return replace(ask, kind=Kind.INPAINT, is_private=line.flags.is_private)

        await judge(
            interaction, context, replace(asked(Ask("")), init_image=PROMISED, mask_image=PROMISED)
        )
        await acknowledge(interaction, is_private=True)
        opened = await open_it()
        mask = await self._mask(interaction, opened.image, where)
        ask = replace(asked(opened.base), parent_picture_id=opened.picture_id, notes=opened.notes)
        sha256 = await keep_draft(
            context.studio,
            ask,
            opened.image,
            mask,
            owner_id=interaction.user.id,
        )
        loaded = await load_draft(context.studio, sha256)
        await card.show(interaction, context, sha256, Touch(), loaded)

    async def _mask(self, interaction: discord.Interaction, picture: Image, where: Where) -> Image:
        if where.mask is not None:
            sent = await self._context.reader.read(where.mask, interaction.client)
            return await asyncio.to_thread(masks.from_picture, sent.image, picture.size)
        if where.colour:
            return await asyncio.to_thread(
                masks.from_colour, picture, where.colour, where.tolerance
            )
        if where.area:
            return await asyncio.to_thread(from_text, picture, where.area)
        if picture.mode != "RGBA":
            raise RefusedError(
                "Say which part to paint: an area such as `left half` or `center`, a colour, a mask"
                " picture (white is painted), or make that part transparent."
            )
        return await asyncio.to_thread(masks.from_transparency, picture)


def from_text(picture: Image, text: str) -> Image:
    """An area in words, or the name of a colour: what a person writes into one field."""
    try:
        return mask_words.from_words(text, picture.size)
    except RefusedError as unknown:
        name = text.lower().removeprefix("everything").removeprefix("colour").strip(" :")
        try:
            masks.colour_of(name)
        except RefusedError:
            raise unknown from None
        return masks.from_colour(picture, name, _TOLERANCE)
