"""The card with a server's settings, each with what changes it: a select, buttons, or a form.

A button names the value that it sets, not a change, so an old card pressed again does no harm; who
presses is asked to be an admin every time. Forms are answered by custom id, through the cog.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from ...storage.guild_records import GuildSettings, NsfwPolicy
from ..administration import Office
from ..commission import acknowledge, require_admin
from ..context import context_of
from ..errors import RefusedError
from ..notes import NO_MENTIONS
from ..prompts import escape, shorten
from .control import Choosing, Control, Menu, Pressed
from .identity import FLAG, custom_id, template
from .modals import values_of
from .text import small

if TYPE_CHECKING:
    from collections.abc import Callable

    from discord.ui.item import Item

MAX_MESSAGE = 300
MAX_DAYS = 3650
NSFW = {
    NsfwPolicy.REFUSE: ("Keep them back", "Nobody sees them; who asked is told"),
    NsfwPolicy.SPOILER: ("Cover them", "Shown as a spoiler, everywhere"),
    NsfwPolicy.AGE_RESTRICTED: ("Age-restricted channels", "Shown there, kept back elsewhere"),
}


class Switch(StrEnum):
    """What a button turns on or off; the values travel in messages, so they stay as they are."""

    PAUSED = "paused"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"
    SHIPPED = "shipped"


class Form(StrEnum):
    """What is typed; the values travel in messages, so they stay as they are."""

    PAUSE = "pause"
    RETENTION = "retention"
    ZONE = "zone"


def office_of(interaction: discord.Interaction) -> Office:
    """Raises `RefusedError` for whoever does not run this server."""
    require_admin(interaction)
    context = context_of(interaction.client)
    return Office(context.studio, interaction.guild_id or 0, interaction.user.id)


def panel(settings: GuildSettings) -> ui.LayoutView:
    """Everything that is set, short enough for a phone."""
    paused = "**Painting is paused.**" if settings.is_paused else "**Painting goes on.**"
    if settings.is_paused and settings.pause_message:
        paused += f"\n{small(escape(shorten(settings.pause_message, MAX_MESSAGE)))}"
    container = ui.Container[ui.LayoutView](
        ui.TextDisplay(f"### Painting in this server\n{paused}"),
        ui.ActionRow[Any](
            SwitchButton(Switch.PAUSED, False, "Resume", "▶️")
            if settings.is_paused
            else FormButton(Form.PAUSE, "Pause …", "⏸️")
        ),
        ui.TextDisplay("**Pictures that the checker finds unsafe**"),
        ui.ActionRow[Any](NsfwSelect(_nsfw_menu(settings.nsfw_policy))),
        ui.TextDisplay(
            "\n".join(
                (
                    f"**Cancelled while painting:** {_costs(settings.settles_cancelled)}",
                    f"**Blocked by the checker:** {_costs(settings.settles_blocked)}",
                    f"**Limner's word list:** {'on' if settings.blocks_shipped_words else 'off'}",
                )
            )
        ),
        ui.ActionRow[Any](
            _toggle(Switch.CANCELLED, settings.settles_cancelled, "Cancelled"),
            _toggle(Switch.BLOCKED, settings.settles_blocked, "Blocked"),
            SwitchButton(
                Switch.SHIPPED,
                not settings.blocks_shipped_words,
                "List off" if settings.blocks_shipped_words else "List on",
            ),
        ),
        ui.TextDisplay(
            f"**Pictures are kept:** {kept(settings.pictures_days)}"
            f"\n**Days begin in:** {escape(settings.time_zone)}"
        ),
        ui.ActionRow[Any](
            FormButton(Form.RETENTION, "Keep …", "🗓️"),
            FormButton(Form.ZONE, "Time zone …", "🕰️"),
        ),
    )
    view = ui.LayoutView(timeout=None)
    view.add_item(container)
    return view


def kept(days: float | None) -> str:
    if days is None:
        return "as the bot's owner keeps them"
    return "1 day" if days == 1 else f"{days:g} days"


class SwitchButton(
    Control[Pressed],
    template=template("switch", f"(?P<switch>{'|'.join(Switch)})", f"(?P<on>{FLAG})"),
):
    """Sets one of the settings that are on or off."""

    def __init__(self, switch: Switch, is_on: bool, label: str, emoji: str | None = None) -> None:
        self._switch = switch
        self._is_on = is_on
        super().__init__(
            ui.Button(label=label, emoji=emoji, custom_id=custom_id("switch", switch, int(is_on)))
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(Switch(match["switch"]), match["on"] == "1", "")

    async def act(self, interaction: discord.Interaction) -> None:
        office = office_of(interaction)
        await interaction.response.defer()
        settings = await office.set(lambda old: switched(old, self._switch, self._is_on))
        await _show(interaction, settings)


class FormButton(Control[Pressed], template=template("form", f"(?P<form>{'|'.join(Form)})")):
    """Opens a form for what is typed."""

    def __init__(self, form: Form, label: str, emoji: str | None = None) -> None:
        self._form = form
        super().__init__(ui.Button(label=label, emoji=emoji, custom_id=custom_id("form", form)))

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(Form(match["form"]), "")

    async def act(self, interaction: discord.Interaction) -> None:
        office = office_of(interaction)
        # A modal must be the first answer; what it shows is in memory.
        rules = await office.studio.rules.of(office.guild_id)
        await interaction.response.send_modal(SettingForm(self._form, rules.settings))


class NsfwSelect(Choosing, template=template("unsafe")):
    """What becomes of pictures that the checker finds unsafe."""

    async def act(self, interaction: discord.Interaction) -> None:
        office = office_of(interaction)
        try:
            policy = NsfwPolicy(self.item.values[0])
        except (ValueError, IndexError) as error:
            raise RefusedError("This menu is from another version of me.") from error
        await interaction.response.defer()
        await _show(interaction, await office.set(lambda old: replace(old, nsfw_policy=policy)))


class SettingForm(ui.Modal, title="Settings"):
    """One typed setting. Answered by custom id, since discord.py forgets open modals."""

    def __init__(self, form: Form, settings: GuildSettings) -> None:
        super().__init__(timeout=15 * 60, custom_id=custom_id("setting", form))
        days = settings.pictures_days
        label, hint, value, length = {
            Form.PAUSE: ("What members are told", "Why, and until when", "", MAX_MESSAGE),
            Form.RETENTION: (
                "Days that pictures are kept",
                "A number; empty: as the bot's owner keeps them",
                "" if days is None else f"{days:g}",
                10,
            ),
            Form.ZONE: (
                "Time zone",
                "Such as Europe/Vienna: a day's quota begins at its midnight",
                settings.time_zone,
                60,
            ),
        }[form]
        self.add_item(
            ui.Label(
                text=label,
                description=hint,
                component=ui.TextInput[ui.Modal](
                    custom_id="value",
                    default=value or None,
                    required=form is Form.ZONE,
                    max_length=length,
                ),
            )
        )


MODAL = re.compile(template("setting", f"(?P<form>{'|'.join(Form)})"))


async def answer(interaction: discord.Interaction, match: re.Match[str]) -> None:
    """Sets what a form says. Raises `RefusedError`."""
    office = office_of(interaction)
    value = values_of(interaction).get("value", "").strip()
    match Form(match["form"]):
        case Form.PAUSE:
            change = paused(value)
        case Form.RETENTION:
            change = keeping(days_in(value))
        case Form.ZONE:
            change = in_zone(value)
    if interaction.message is not None:
        await interaction.response.defer()
    else:
        await acknowledge(interaction, is_private=True)
    await _show(interaction, await office.set(change))


def switched(settings: GuildSettings, switch: Switch, is_on: bool) -> GuildSettings:
    match switch:
        case Switch.PAUSED:
            return replace(settings, is_paused=is_on, pause_message="")
        case Switch.CANCELLED:
            return replace(settings, settles_cancelled=is_on)
        case Switch.BLOCKED:
            return replace(settings, settles_blocked=is_on)
        case Switch.SHIPPED:
            return replace(settings, blocks_shipped_words=is_on)


def paused(message: str) -> Callable[[GuildSettings], GuildSettings]:
    message = " ".join(message.split())[:MAX_MESSAGE]
    return lambda old: replace(old, is_paused=True, pause_message=message)


def keeping(days: float | None) -> Callable[[GuildSettings], GuildSettings]:
    """The change raises `RefusedError` for a time in which nobody would have seen them."""

    def change(old: GuildSettings) -> GuildSettings:
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise RefusedError(f"Pictures can be kept for 1 to {MAX_DAYS:,} days.")
        return replace(old, pictures_days=days)

    return change


def in_zone(name: str) -> Callable[[GuildSettings], GuildSettings]:
    return lambda old: replace(old, time_zone=name.strip())


def days_in(text: str) -> float | None:
    """Raises `RefusedError`."""
    if not text:
        return None
    try:
        return float(text.removesuffix("days").removesuffix("d").strip().replace(",", "."))
    except ValueError as error:
        raise RefusedError("Write a number of days, or nothing for the owner's rule.") from error


async def _show(interaction: discord.Interaction, settings: GuildSettings) -> None:
    await interaction.edit_original_response(view=panel(settings), allowed_mentions=NO_MENTIONS)


def _nsfw_menu(policy: NsfwPolicy) -> Menu:
    return Menu(
        custom_id=custom_id("unsafe"),
        options=[
            discord.SelectOption(
                label=label, value=each.value, description=description, default=each is policy
            )
            for each, (label, description) in NSFW.items()
        ],
    )


def _toggle(switch: Switch, is_on: bool, name: str) -> SwitchButton:
    return SwitchButton(switch, not is_on, f"{name}: {'free' if is_on else 'charge'}")


def _costs(is_charged: bool) -> str:
    return "costs what was used" if is_charged else "free"
