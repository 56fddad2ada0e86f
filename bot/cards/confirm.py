"""The question before several prompts are painted at once: how many, at what price.

The typed text stands in the message itself, so the answer is understood after a restart too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from ..ask import Ask
from ..commission import judge, place_many, require_own
from ..composing import compose
from ..context import context_of
from ..errors import RefusedError
from ..notes import NO_MENTIONS, note
from ..pricing import credits_text
from ..prompts import escape, read, shorten, unescape
from .control import Control, Pressed
from .identity import custom_id, template
from .text import small

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

    from discord.ui.item import Item

    from ...pipelines.checkpoint import Checkpoint

_TEXT_ID = 7001
MAX_TEXT = 1500
"""Characters; escaped and beside the list they still fit the 4,000 of a message."""
_NUM_SHOWN = 8
_NO_PICTURE = "-"


def asks_of(text: str, init_image: str, checkpoints: Mapping[str, Checkpoint]) -> list[Ask]:
    """Every ask that a typed text stands for. Raises `RefusedError`."""
    return [compose(Ask("", init_image=init_image), line, checkpoints) for line in read(text)]


def question(text: str, asks: Sequence[Ask], price: int) -> ui.LayoutView:
    """What would be painted, and at what price, before it is."""
    num_pictures = sum(ask.count for ask in asks)
    pictures = "1 picture" if num_pictures == 1 else f"{num_pictures} pictures"
    lines = [f"- {escape(shorten(ask.prompt, 100))}" for ask in asks[:_NUM_SHOWN]]
    if len(asks) > _NUM_SHOWN:
        lines.append(f"- and {len(asks) - _NUM_SHOWN} more")
    view = ui.LayoutView(timeout=None)
    view.add_item(
        ui.Container(
            ui.TextDisplay(f"**{len(asks)} prompts, {pictures}, {credits_text(price)}.** Paint?"),
            ui.TextDisplay("\n".join(lines)),
            ui.TextDisplay(small(escape(text)), id=_TEXT_ID),
            ui.ActionRow[Any](Confirm(asks[0].init_image), NeverMind()),
        )
    )
    return view


class Confirm(
    Control[Pressed], template=template("many", f"(?P<picture>[0-9a-f]{{64}}|{_NO_PICTURE})")
):
    """Yes, all of them."""

    def __init__(self, init_image: str = "") -> None:
        self._init_image = init_image
        super().__init__(
            ui.Button(
                label="Paint them",
                style=discord.ButtonStyle.primary,
                custom_id=custom_id("many", init_image or _NO_PICTURE),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls("" if match["picture"] == _NO_PICTURE else match["picture"])

    async def act(self, interaction: discord.Interaction) -> None:
        require_own(interaction)
        context = context_of(interaction.client)
        message = interaction.message
        assert message is not None
        asks = asks_of(_text_in(message), self._init_image, context.studio.checkpoints)
        if not context.delivery.claim(message.id):
            raise RefusedError("These are under way already.")
        num_taken = 0
        try:
            # Judging so many may take longer than Discord waits for an answer.
            await interaction.response.defer()
            for ask in asks:
                await judge(interaction, context, ask)
            num_taken, refusal = await place_many(interaction, context, asks)
        finally:
            if not num_taken:
                # Nothing was spent, so the question may be answered again.
                context.delivery.disclaim(message.id)
        if num_taken:
            await interaction.edit_original_response(
                view=note(f"{num_taken} of {len(asks)} prompts are under way."),
                allowed_mentions=NO_MENTIONS,
            )
        if refusal is not None:
            raise refusal


class NeverMind(Control[Pressed], template=template("nevermind")):
    """No: the question goes, nothing was spent."""

    def __init__(self) -> None:
        super().__init__(ui.Button(label="Never mind", custom_id=custom_id("nevermind")))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls()

    async def act(self, interaction: discord.Interaction) -> None:
        require_own(interaction)
        await interaction.response.defer()
        await interaction.delete_original_response()


def _text_in(message: discord.Message) -> str:
    for component in message.components:
        if isinstance(component, discord.components.Container):
            for child in component.children:
                if isinstance(child, discord.TextDisplay) and child.id == _TEXT_ID:
                    return unescape(child.content.removeprefix("-# "))
    raise RefusedError("I can't read this question any more: ask again.")
