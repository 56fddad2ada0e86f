"""What all buttons and menus of cards have in common: whatever goes wrong, a sentence is said.

Each knows from its custom id what it is about (`identity`); what it does is its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

import discord
from discord import ui

from ..notes import answered

if TYPE_CHECKING:
    import re

    from discord.ui.item import Item

Pressed = ui.Button[ui.LayoutView]
Menu = ui.Select[ui.LayoutView]

ItemT = TypeVar("ItemT", bound=ui.Item[ui.LayoutView])


class Control(ui.DynamicItem[ItemT], template="(?!)"):
    """Found by its template after a restart too."""

    async def callback(self, interaction: discord.Interaction) -> None:
        await answered(interaction, self.act(interaction))

    async def act(self, interaction: discord.Interaction) -> None:
        """Raises `RefusedError` with what the person is told."""
        raise NotImplementedError


class Choosing(Control[Menu], template="(?!)"):
    """A menu whose custom id says all but what was chosen."""

    def __init__(self, menu: Menu) -> None:
        super().__init__(menu)

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        assert isinstance(item, ui.Select)
        return cls(item)
