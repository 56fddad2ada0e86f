"""The usage card: a chart, the same figures as lines, and buttons to see them by something else.

What a button shows stands in its custom id; whose server it is, and whether this person may see
it, is asked anew at every press.
"""

from __future__ import annotations

import asyncio
import io
import time
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from .. import usage_chart
from ..commission import require_admin
from ..context import context_of
from ..notes import NO_MENTIONS
from ..pricing import left_text
from ..usage_report import MAX_DAYS, Asked, By, read_report
from . import quota_words as words
from .control import Control, Pressed
from .identity import NUMBER, custom_id, template
from .text import small

if TYPE_CHECKING:
    import re

    from discord.ui.item import Item

    from ...storage.storage import Storage
    from ..usage_report import Line, Report

_FILE_NAME = "usage.png"
_TITLES = {By.USER: "By member", By.ROLE: "By role", By.DAY: "By day"}


async def show_usage(
    interaction: discord.Interaction, storage: Storage, guild_id: int, asked: Asked
) -> None:
    """Fills in an acknowledged answer; the time is the wall's, as the days in the chart are."""
    report = await read_report(storage, guild_id, asked, time.time())
    files: list[discord.File] = []
    if report.num_jobs:
        png = await asyncio.to_thread(_chart, report)
        files = [discord.File(io.BytesIO(png), _FILE_NAME)]
    await interaction.edit_original_response(
        view=_card(report, guild_id), attachments=files, allowed_mentions=NO_MENTIONS
    )


def _chart(report: Report) -> bytes:
    draw = usage_chart.upright if report.asked.by is By.DAY else usage_chart.ranked
    return draw(_title(report.asked), report.total, report.bars)


def _title(asked: Asked) -> str:
    days = "today" if asked.num_days == 1 else f"last {asked.num_days} days"
    return f"{_TITLES[asked.by]} · {days}"


def _card(report: Report, guild_id: int) -> ui.LayoutView:
    asked = report.asked
    whose = f" of {words.person(asked.user_id)}" if asked.user_id else ""
    container = ui.Container[ui.LayoutView](ui.TextDisplay(f"### Usage{whose}"))
    if report.num_jobs:
        lines = [line for line in report.lines if line.num_jobs]
        told = [_line(line, asked.by, guild_id) for line in lines]
        gallery = ui.MediaGallery[ui.LayoutView]()
        figures = ", ".join(
            f"{' '.join(filter(None, (line.bar.label, line.bar.below)))}:"
            f" {usage_chart.brief(line.bar.amount)}"
            for line in lines
        )
        gallery.add_item(
            media=f"attachment://{_FILE_NAME}",
            description=f"A bar chart, {_title(asked).lower()}: {figures}"[:1000],
        )
        container.add_item(gallery)
        container.add_item(ui.TextDisplay("\n".join(told)))
        container.add_item(
            ui.TextDisplay(small(f"{left_text(report.total)} · {_jobs(report.num_jobs)} together"))
        )
    else:
        container.add_item(ui.TextDisplay(f"{_title(asked)}: nothing was used."))
    if not asked.user_id:
        container.add_item(
            ui.ActionRow[Any](
                *(UsageBy(by, asked.num_days, is_shown=by is asked.by) for by in By),
            )
        )
    view = ui.LayoutView(timeout=None)
    view.add_item(container)
    return view


def _line(line: Line, by: By, guild_id: int) -> str:
    used = f"{left_text(line.bar.amount)} · {_jobs(line.num_jobs)}"
    if by is By.DAY:
        return f"**{line.bar.label} {line.bar.below}** {used}"
    if line.bar.is_rest:
        return f"**…** all others · {used}"
    if by is By.USER:
        who = words.person(line.subject_id) if line.subject_id else "nobody any more"
    else:
        who = words.role(line.subject_id, guild_id) if line.subject_id else "no role's rule"
    return f"**{line.bar.label}** {who} · {used}"


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"


class UsageBy(
    Control[Pressed],
    template=template("usage", f"(?P<by>{'|'.join(By)})", f"(?P<days>{NUMBER})"),
):
    """The same days by member, role or day; for admins, at every press."""

    def __init__(self, by: By, num_days: int, *, is_shown: bool = False) -> None:
        self._asked = Asked(by, num_days)
        super().__init__(
            ui.Button(
                label=_TITLES[by],
                style=discord.ButtonStyle.primary if is_shown else discord.ButtonStyle.secondary,
                disabled=is_shown,
                custom_id=custom_id("usage", by, num_days),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(By(match["by"]), max(1, min(int(match["days"]), MAX_DAYS)))

    async def act(self, interaction: discord.Interaction) -> None:
        require_admin(interaction)
        storage = context_of(interaction.client).studio.storage
        await interaction.response.defer()
        await show_usage(interaction, storage, interaction.guild_id or 0, self._asked)
