"""/imagine: text to pictures. Reads options and flags; the way from there on is `commission`'s."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from ...pipelines.limits import SAMPLERS
from ..ask import Ask
from ..cards import remix
from ..cards.confirm import MAX_TEXT, asks_of, question
from ..cards.modals import submitted
from ..commission import acknowledge, commission, judge, member_of
from ..composing import compose, merge
from ..context import Context
from ..errors import RefusedError
from ..notes import NO_MENTIONS, answered
from ..prompts import Flags, Line, aspect, clean, escape, read, write
from ..shapes import USUAL, size_of
from ..underlay import lay_under

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..delivery import Delivery
    from ..studio import Studio

_MAX_CHOICES = 25


class Imagine(commands.Cog):
    """The command, its suggestions, and the remix modal of its cards."""

    def __init__(self, bot: commands.Bot, studio: Studio, delivery: Delivery) -> None:
        self._bot = bot
        self._studio = studio
        self._delivery = delivery

    @app_commands.command(name="imagine", description="Paint pictures from words.")
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.rename(shape="aspect", is_private="private")
    @app_commands.describe(
        prompt="What to paint. Flags work: --ar 3:2 --seed 7 --no clouds, and {red, green} hearts",
        negative="What to keep away from the picture",
        shape="The picture's shape, such as 3:2, or its size, such as 512x768",
        count="How many pictures, each from a seed of its own",
        image="A picture to paint over",
        strength="How much of that picture is painted anew, 0 to 1",
        style="A style of this server",
        model="Which model paints",
        seed="The same seed and settings give the same picture",
        steps="More steps take longer and refine",
        guidance="How closely the words are followed",
        sampler="The way from noise to picture",
        is_private="Only you see it",
    )
    async def imagine(
        self,
        interaction: discord.Interaction,
        prompt: str,
        negative: str | None = None,
        shape: str | None = None,
        count: app_commands.Range[int, 1, 4] | None = None,
        image: discord.Attachment | None = None,
        strength: app_commands.Range[float, 0, 1] | None = None,
        style: str | None = None,
        model: str | None = None,
        seed: app_commands.Range[int, 0] | None = None,
        steps: app_commands.Range[int, 1] | None = None,
        guidance: app_commands.Range[float, 0] | None = None,
        sampler: str | None = None,
        is_private: bool = False,
    ) -> None:
        chosen = Flags(
            seed=seed,
            negative=clean(negative or ""),
            steps=steps,
            guidance_scale=guidance,
            strength=strength,
            count=count,
            sampler=sampler or "",
            model=model or "",
            style=style or "",
            is_private=is_private,
        )
        await answered(interaction, self._imagine(interaction, prompt, chosen, shape, image))

    async def _imagine(
        self,
        interaction: discord.Interaction,
        prompt: str,
        chosen: Flags,
        shape: str | None,
        image: discord.Attachment | None,
    ) -> None:
        context = Context(self._studio, self._delivery)
        if shape:
            chosen = _shaped(chosen, shape)
        if image is not None:
            context.reader.judge(image)
        lines = [replace(line, flags=merge(line.flags, chosen)) for line in read(prompt)]
        asks = [compose(Ask(""), line, self._studio.checkpoints) for line in lines]
        if len(asks) > 1:
            await self._ask_first(interaction, context, prompt, chosen, asks, image)
            return
        (ask,) = asks
        if image is None:
            if ask.strength is not None:
                raise RefusedError("A strength goes with a picture to paint over: add one.")
            await commission(interaction, context, ask)
            return

        async def prepare(ask: Ask) -> Ask:
            return await self._over(interaction, ask, image)

        await commission(interaction, context, ask, prepare=prepare)

    async def _ask_first(
        self,
        interaction: discord.Interaction,
        context: Context,
        prompt: str,
        chosen: Flags,
        asks: list[Ask],
        image: discord.Attachment | None,
    ) -> None:
        """Several prompts are painted only after their number and price were seen."""
        for ask in asks:
            await judge(interaction, context, ask)
        text = _retyped(prompt, chosen)
        if len(escape(text)) > MAX_TEXT:
            raise RefusedError(
                f"Several prompts at once take {MAX_TEXT:,} characters together: shorten it."
            )
        await acknowledge(interaction, is_private=True)
        if image is not None:
            over = await self._over(interaction, asks[0], image)
            text = _retyped(prompt, replace(chosen, width=over.width, height=over.height))
            asks = asks_of(text, over.init_image, self._studio.checkpoints)
        judged = [await judge(interaction, context, ask) for ask in asks]
        price = sum(map(self._studio.price, judged))
        await interaction.edit_original_response(
            view=question(text, asks, price), allowed_mentions=NO_MENTIONS
        )

    async def _over(
        self, interaction: discord.Interaction, ask: Ask, image: discord.Attachment
    ) -> Ask:
        """The ask with the uploaded picture under it, cut to the shape that is painted."""
        reader = Context(self._studio, self._delivery).reader
        opened = await reader.read(image, interaction.client)
        return await lay_under(self._studio, ask, opened.image, notes=opened.notes)

    # Suggestions: from memory, so that they come while a person types

    @imagine.autocomplete("model")
    async def _models(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        return _matching(current, await self._studio.models_for(member_of(interaction)))

    @imagine.autocomplete("style")
    async def _styles(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        return _matching(current, self._studio.settings.styles)

    @imagine.autocomplete("sampler")
    async def _samplers(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        return _matching(current, SAMPLERS)

    @imagine.autocomplete("shape")
    async def _shapes(
        self, interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        checkpoints = self._studio.checkpoints
        named = checkpoints.get(getattr(interaction.namespace, "model", None) or "")
        checkpoint = named or next(iter(checkpoints.values()), None)
        if checkpoint is None:
            return []
        found: list[app_commands.Choice[str]] = []
        for across, down in USUAL:
            name = f"{across}:{down}"
            if current.strip() in name:
                width, height = size_of((across, down), checkpoint)
                found.append(app_commands.Choice(name=f"{name} · {width}×{height}", value=name))
        return found

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        match = submitted(interaction, remix.MODAL)
        if match is not None:
            await answered(interaction, remix.answer(interaction, match))


def _matching(current: str, names: Iterable[str]) -> list[app_commands.Choice[str]]:
    """What begins with the typed text first, then what contains it."""
    wanted = current.strip().casefold()
    hits = [name for name in names if wanted in name.casefold()]
    hits.sort(key=lambda name: not name.casefold().startswith(wanted))
    return [app_commands.Choice(name=name, value=name) for name in hits[:_MAX_CHOICES]]


def _shaped(chosen: Flags, text: str) -> Flags:
    """The `aspect` option: a shape such as 3:2, or a size such as 512x768."""
    size = re.fullmatch(r"\s*([0-9]{2,5})\s*[x×*]\s*([0-9]{2,5})\s*", text)
    if size is not None:
        return replace(chosen, width=int(size[1]), height=int(size[2]))
    try:
        return replace(chosen, aspect=aspect(text))
    except ValueError as error:
        raise RefusedError("A shape is two numbers, such as 3:2; a size is 512x768.") from error


def _retyped(prompt: str, chosen: Flags) -> str:
    """The whole command as one typed text; what stands last in it wins."""
    return " ".join(filter(None, (clean(prompt), write(Line("", chosen)))))
