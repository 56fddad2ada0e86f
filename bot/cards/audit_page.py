"""A page of the audit log with its two buttons: the quotas' part, or all of it.

A page names the line that it begins or ends with, so it turns after a restart too; whose server it
is, and whether this person may read it, is asked anew at every press.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from ..commission import require_admin
from ..context import context_of
from ..notes import NO_MENTIONS
from . import audit
from .control import Control, Pressed
from .identity import NUMBER, custom_id, template

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from discord.ui.item import Item

    from ...storage.audit import Audit
    from ...storage.guild_records import AuditEntry

PAGE_LENGTH = 5
"""At their longest they stay below the 4,000 characters of a message."""


class Part(StrEnum):
    """Which lines; the values travel in messages, so they stay as they are."""

    ALL = "all"
    QUOTA = "quota"


class Turn(StrEnum):
    OLDER = "older"
    NEWER = "newer"


_PREFIXES = {Part.ALL: "", Part.QUOTA: "quota."}
_TITLES = {Part.ALL: "Audit log", Part.QUOTA: "Quota log"}


async def newest_page(log: Audit, guild_id: int, part: Part) -> ui.LayoutView:
    """The log as it is opened."""
    entries = await log.entries(guild_id, action=_PREFIXES[part], limit=PAGE_LENGTH + 1)
    return _page(part, guild_id, entries[:PAGE_LENGTH], older=len(entries) > PAGE_LENGTH)


async def turned_page(
    log: Audit, guild_id: int, part: Part, turn: Turn, entry_id: int
) -> ui.LayoutView:
    """The page after the line that the present one ends with, or before the one it begins with."""
    prefix = _PREFIXES[part]
    if turn is Turn.OLDER:
        entries = await log.entries(
            guild_id, action=prefix, limit=PAGE_LENGTH + 1, before_id=entry_id
        )
        shown = entries[:PAGE_LENGTH]
        return _page(part, guild_id, shown, older=len(entries) > PAGE_LENGTH, newer=True)
    entries = await log.entries_after(guild_id, entry_id, action=prefix, limit=PAGE_LENGTH + 1)
    if len(entries) <= PAGE_LENGTH:
        # A first page is a full one.
        return await newest_page(log, guild_id, part)
    return _page(part, guild_id, entries[-PAGE_LENGTH:], older=True, newer=True)


def _page(
    part: Part,
    guild_id: int,
    entries: Sequence[AuditEntry],
    *,
    older: bool = False,
    newer: bool = False,
) -> ui.LayoutView:
    container = ui.Container[ui.LayoutView](ui.TextDisplay(f"### {_TITLES[part]}"))
    for entry in entries:
        container.add_item(ui.TextDisplay(audit.line(entry, guild_id)))
    if not entries:
        container.add_item(ui.TextDisplay("Nothing was changed yet."))
    if older or newer:
        first, last = (entries[0].id, entries[-1].id) if entries else (0, 0)
        container.add_item(
            ui.ActionRow[Any](
                TurnPage(part, Turn.NEWER, first, is_disabled=not newer),
                TurnPage(part, Turn.OLDER, last, is_disabled=not older),
            )
        )
    view = ui.LayoutView(timeout=None)
    view.add_item(container)
    return view


class TurnPage(
    Control[Pressed],
    template=template(
        "log",
        f"(?P<part>{Part.ALL}|{Part.QUOTA})",
        f"(?P<turn>{Turn.OLDER}|{Turn.NEWER})",
        f"(?P<entry>{NUMBER})",
    ),
):
    """Older or newer lines in place of those that are shown; for admins, at every press."""

    def __init__(self, part: Part, turn: Turn, entry_id: int, *, is_disabled: bool = False) -> None:
        self._part = part
        self._turn = turn
        self._entry_id = entry_id
        super().__init__(
            ui.Button(
                label="Older" if turn is Turn.OLDER else "Newer",
                style=discord.ButtonStyle.secondary,
                disabled=is_disabled,
                custom_id=custom_id("log", part, turn, entry_id),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(Part(match["part"]), Turn(match["turn"]), int(match["entry"]))

    async def act(self, interaction: discord.Interaction) -> None:
        require_admin(interaction)
        context = context_of(interaction.client)
        await interaction.response.defer()
        view = await turned_page(
            context.studio.storage.audit,
            interaction.guild_id or 0,
            self._part,
            self._turn,
            # A forged number may be longer than what the database can hold.
            min(self._entry_id, 2**63 - 1),
        )
        await interaction.edit_original_response(view=view, allowed_mentions=NO_MENTIONS)
