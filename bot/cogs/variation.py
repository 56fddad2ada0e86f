"""/variation and Apps > Vary: new pictures from one that is there already.

Which picture is meant is `sources`'s; the way from the ask on is `commission`'s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from .. import ground
from ..ask import Ask, Kind
from ..cards import source_fields, vary
from ..cards.modals import filled, submitted
from ..commission import commission
from ..composing import compose, merge
from ..context import Context
from ..errors import RefusedError
from ..menus import MessageMenu
from ..notes import answered
from ..posted import Posted
from ..prompts import Flags, clean, read_one
from ..sources import find_shown, shown_by, stored_label
from ..underlay import PROMISED, STRONG, SUBTLE, strength_of
from ..underlay import vary as lay_variation

if TYPE_CHECKING:
    import re

    from ..delivery import Delivery
    from ..ground import Open
    from ..studio import Studio

_AMOUNTS = {"subtle": SUBTLE, "strong": STRONG}


class Variation(commands.Cog):
    """The command, the message menu, and the modal that the menu opens."""

    def __init__(self, bot: commands.Bot, studio: Studio, delivery: Delivery) -> None:
        self._context = Context(studio, delivery)
        self._menu = MessageMenu(bot, "Vary", self._from_message)
        self._posted = Posted("Vary")

    async def cog_load(self) -> None:
        self._menu.add()

    async def cog_unload(self) -> None:
        self._menu.remove()

    @app_commands.command(name="variation", description="Paint new pictures from a picture.")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.rename(is_private="private")
    @app_commands.describe(
        picture="A picture of yours to start from",
        source="Or one of mine: the number on its card, such as 12 or 12-3, or a link to it",
        amount="How far from the picture",
        strength="Exactly how much is painted anew, 0 to 1",
        prompt="Other words for it; left out, the picture's own words stay",
        negative="What to keep away from the picture",
        count="How many pictures, each from a seed of its own",
        seed="The same seed and settings give the same picture",
        is_private="Only you see it",
    )
    @app_commands.choices(
        amount=[
            app_commands.Choice(name="a little", value="subtle"),
            app_commands.Choice(name="a lot", value="strong"),
        ]
    )
    async def variation(
        self,
        interaction: discord.Interaction,
        picture: discord.Attachment | None = None,
        source: str | None = None,
        amount: str | None = None,
        strength: app_commands.Range[float, 0, 1] | None = None,
        prompt: str | None = None,
        negative: str | None = None,
        count: app_commands.Range[int, 1, 4] | None = None,
        seed: app_commands.Range[int, 0] | None = None,
        is_private: bool = False,
    ) -> None:
        chosen = Flags(
            negative=clean(negative or ""),
            count=count,
            seed=seed,
            strength=strength,
            is_private=is_private,
        )
        distance = _AMOUNTS.get(amount or "")
        await answered(
            interaction,
            self._variation(interaction, picture, source, prompt or "", chosen, distance),
        )

    async def _variation(
        self,
        interaction: discord.Interaction,
        picture: discord.Attachment | None,
        source: str | None,
        prompt: str,
        chosen: Flags,
        amount: float | None,
    ) -> None:
        if (picture is None) == (source is None):
            raise RefusedError(
                "Say one picture to start from: attach one as `picture`, or name one of mine as"
                " `source`, such as `12` or `12-3`."
            )
        open_it = await ground.of_options(interaction, self._context, picture, source)
        await self._vary(interaction, open_it, prompt, chosen, amount)

    # Apps > Vary

    async def _from_message(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        stored = await shown_by(self._context, message)
        if stored:
            job = stored[0].job
            modal = vary.VaryModal(
                vary.OWN,
                job.id,
                [stored_label(each) for each in stored],
                job.new.prompt,
                is_private=job.new.origin.is_private,
            )
        else:
            labels = self._posted.keep(message)
            modal = vary.VaryModal(vary.POSTED, message.id, labels, "", is_private=False)
        await interaction.response.send_modal(modal)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        match = submitted(interaction, vary.MODAL)
        if match is not None:
            await answered(interaction, self._from_modal(interaction, match))

    async def _from_modal(self, interaction: discord.Interaction, match: re.Match[str]) -> None:
        context = self._context
        fields = filled(interaction)
        place, number = source_fields.chosen_place(fields), int(match["id"])
        if match["kind"] == vary.OWN:
            # By place on the card, not by index: a deleted picture leaves no gap in the choice.
            stored = await find_shown(interaction, context, number, place)
            open_it = ground.of_stored(context, stored)
        else:
            item = self._posted.find(number, place)
            open_it = ground.of_upload(interaction, context, item)
        chosen = Flags(is_private=fields.flags.get("private", False))
        amount = _AMOUNTS.get(fields.texts.get("amount", ""))
        await self._vary(interaction, open_it, fields.texts.get("prompt", ""), chosen, amount)

    async def _vary(
        self,
        interaction: discord.Interaction,
        open_it: Open,
        prompt: str,
        chosen: Flags,
        amount: float | None,
    ) -> None:
        """From whatever picture to a job: judged, acknowledged, the picture read, submitted."""
        context = self._context
        line = read_one(prompt)
        line = replace(line, flags=merge(line.flags, chosen))

        def asked(base: Ask) -> Ask:
            ask = compose(base, line, context.studio.checkpoints)
            strength = line.flags.strength
            if strength is None:
                # Other words need room to show; without them the picture itself is what is wanted.
                usual = STRONG if line.prompt else SUBTLE
                strength = strength_of(context.studio, ask, amount or usual)
            return replace(ask, kind=Kind.VARIATION, strength=strength)

        async def prepare(_: Ask) -> Ask:
            opened = await open_it()
            ask = asked(opened.base)
            assert ask.strength is not None
            return await lay_variation(
                context.studio,
                ask,
                opened.image,
                ask.strength,
                opened.picture_id,
                notes=opened.notes,
            )

        promise = replace(asked(Ask("")), init_image=PROMISED)
        await commission(interaction, context, promise, prepare=prepare)
