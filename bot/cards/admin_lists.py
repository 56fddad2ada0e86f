"""What a server's admins set down: rules for channels and roles, bans, the blocklist; each a card.

A select under a list takes one line of it away, and asks every time whether who chose is an admin.
Words of the blocklist stand behind spoilers: they are not to be read in passing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import discord
from discord import ui

from ...storage.guild_records import Permission, Subject
from ..errors import RefusedError
from ..notes import NO_MENTIONS
from ..prompts import escape, shorten
from .admin_panel import office_of
from .control import Choosing, Control, Menu, Pressed
from .identity import NUMBER, custom_id, template
from .text import small

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from discord.ui.item import Item

    from ...storage.guild_records import Ban, BlockEntry
    from ..administration import Office

_MOST = 25
"""Options of a select."""
PAGE_LENGTH = 20
_ENTRY_LENGTH = 60
_REASON_LENGTH = 80


async def permissions_card(office: Office, guild: discord.Guild | None) -> ui.LayoutView:
    """Where, by whom and with what may be painted."""
    permissions = await office.studio.storage.guilds.permissions(office.guild_id)
    lines = [_permission_line(each) for each in permissions]
    if not permissions:
        lines = ["Everybody may paint everywhere, with every model."]
    view = _listed("Channels and roles", lines[:_MOST], len(lines) - _MOST)
    if permissions:
        options = [
            discord.SelectOption(
                label=shorten(_permission_label(each, guild), 100), value=_permission_value(each)
            )
            for each in permissions[:_MOST]
        ]
        _add(view, ClearRule(_menu("clear-rule", "Clear a rule", options)))
    return view


async def bans_card(office: Office, guild: discord.Guild | None) -> ui.LayoutView:
    bans = await office.studio.storage.moderation.bans(office.guild_id)
    lines = [_ban_line(each) for each in bans] or ["Nobody is banned from painting."]
    view = _listed("Bans", lines[:_MOST], len(lines) - _MOST)
    if bans:
        options = [
            discord.SelectOption(
                label=shorten(_name(each.user_id, guild), 100), value=str(each.user_id)
            )
            for each in bans[:_MOST]
        ]
        _add(view, LiftBan(_menu("lift-ban", "Lift a ban", options)))
    return view


async def blocklist_card(
    office: Office, page: int = 0, *, near_id: int | None = None
) -> ui.LayoutView:
    """A page of the server's own entries, or the one where an entry stood; and what else holds."""
    rules = await office.studio.rules.of(office.guild_id)
    entries = await office.studio.storage.moderation.blocklist(office.guild_id)
    if near_id is not None:
        page = sum(each.id < near_id for each in entries) // PAGE_LENGTH
    last = max(0, (len(entries) - 1) // PAGE_LENGTH)
    page = min(max(0, page), last)
    shown = entries[page * PAGE_LENGTH : (page + 1) * PAGE_LENGTH]
    slow = office.studio.rules.slow_in(office.guild_id)
    is_on = rules.settings.blocks_shipped_words
    num_shipped = office.studio.censor.num_shipped
    heads = [
        f"Limner's own list of {num_shipped} entries is {'on' if is_on else 'off'}.",
        f"{len(entries):,} of this server:" if entries else "This server has added none.",
    ]
    lines = [_entry_line(each, is_slow=each.pattern in slow) for each in shown]
    view = _listed("Blocklist", [*heads, *lines])
    if shown:
        options = [
            discord.SelectOption(
                label=shorten(f"#{each.id} {written(each)}", 100), value=str(each.id)
            )
            for each in shown
        ]
        _add(view, DropEntry(_menu("drop-entry", "Remove an entry", options)))
    if last:
        _add(
            view,
            ListPage(max(0, page - 1), "Earlier", is_disabled=page == 0),
            ListPage(min(last, page + 1), "Later", is_disabled=page == last),
        )
    return view


def written(entry: BlockEntry) -> str:
    """As it is typed: an expression between slashes."""
    return f"/{entry.pattern}/" if entry.is_regex else entry.pattern


class _Taking(Choosing, template="(?!)"):
    """A select under a list: what is chosen is taken away, and the list shown anew."""

    async def act(self, interaction: discord.Interaction) -> None:
        office = office_of(interaction)
        value = next(iter(self.item.values), "")
        await interaction.response.defer()
        view = await self.take(office, interaction.guild, value)
        await interaction.edit_original_response(view=view, allowed_mentions=NO_MENTIONS)

    async def take(self, office: Office, guild: discord.Guild | None, value: str) -> ui.LayoutView:
        raise NotImplementedError


class ClearRule(_Taking, template=template("clear-rule")):
    async def take(self, office: Office, guild: discord.Guild | None, value: str) -> ui.LayoutView:
        await office.clear(_permission_of(value))
        return await permissions_card(office, guild)


class LiftBan(_Taking, template=template("lift-ban")):
    async def take(self, office: Office, guild: discord.Guild | None, value: str) -> ui.LayoutView:
        await office.unban(_number(value))
        return await bans_card(office, guild)


class DropEntry(_Taking, template=template("drop-entry")):
    async def take(self, office: Office, guild: discord.Guild | None, value: str) -> ui.LayoutView:
        del guild
        entry_id = _number(value)
        await office.unblock(entry_id)
        return await blocklist_card(office, near_id=entry_id)


class ListPage(Control[Pressed], template=template("blocklist", f"(?P<page>{NUMBER})")):
    """Another page of the blocklist."""

    def __init__(self, page: int, label: str, *, is_disabled: bool = False) -> None:
        self._page = page
        super().__init__(
            ui.Button(
                label=label,
                disabled=is_disabled,
                # Two buttons of one card may not share an id, and at an end both would.
                custom_id=custom_id("blocklist", 10**6 if is_disabled else page),
            )
        )

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["page"]), "")

    async def act(self, interaction: discord.Interaction) -> None:
        office = office_of(interaction)
        await interaction.response.defer()
        await interaction.edit_original_response(
            view=await blocklist_card(office, self._page), allowed_mentions=NO_MENTIONS
        )


def _listed(title: str, lines: Sequence[str], num_more: int = 0) -> ui.LayoutView:
    said = [*lines, small(f"and {num_more} more")] if num_more > 0 else lines
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.Container[ui.LayoutView](ui.TextDisplay("\n".join([f"### {title}", *said]))))
    return view


def _add(view: ui.LayoutView, *items: ui.Item[Any]) -> None:
    (container,) = view.children
    assert isinstance(container, ui.Container)
    container.add_item(ui.ActionRow[Any](*items))


def _menu(verb: str, placeholder: str, options: list[discord.SelectOption]) -> Menu:
    return Menu(custom_id=custom_id(verb), placeholder=placeholder, options=options)


def _permission_line(each: Permission) -> str:
    sign = "✅" if each.is_allowed else "⛔"
    mention = f"<#{each.subject_id}>" if each.subject is Subject.CHANNEL else _role(each.subject_id)
    return f"{sign} {mention}" + (f" · {escape(each.model)}" if each.model else "")


def _role(role_id: int) -> str:
    return f"<@&{role_id}>"


def _permission_label(each: Permission, guild: discord.Guild | None) -> str:
    """Menus show no mentions, so channels and roles go by name."""
    deed = "allowed" if each.is_allowed else "denied"
    name = ""
    if guild is not None:
        if each.subject is Subject.CHANNEL:
            channel = guild.get_channel_or_thread(each.subject_id)
            name = f"#{channel.name}" if channel is not None else ""
        else:
            role = guild.get_role(each.subject_id)
            name = f"@{role.name}" if role is not None else ""
    model = f" · {each.model}" if each.model else ""
    return f"{name or f'{each.subject} {each.subject_id}'} {deed}{model}"


def _permission_value(each: Permission) -> str:
    return f"{each.subject}:{each.subject_id}:{each.model}"


def _permission_of(value: str) -> Permission:
    """Raises `RefusedError` for what no menu of ours says."""
    subject, _, rest = value.partition(":")
    number, _, model = rest.partition(":")
    try:
        return Permission(Subject(subject), _number(number), True, model)
    except ValueError as error:
        raise RefusedError("This menu is from another version of me.") from error


def _number(text: str) -> int:
    try:
        found = int(text)
    except ValueError as error:
        raise RefusedError("This menu is from another version of me.") from error
    return max(-(2**63), min(found, 2**63 - 1))


def _ban_line(ban: Ban) -> str:
    who = f"<@{ban.user_id}>" if ban.user_id > 0 else "Somebody whose data was deleted"
    until = "for good" if ban.until is None else f"until <t:{int(ban.until)}:f>"
    reason = f" · {escape(shorten(' '.join(ban.reason.split()), _REASON_LENGTH))}"
    return f"{who} {until}{reason if ban.reason else ''}"


def _name(user_id: int, guild: discord.Guild | None) -> str:
    if user_id <= 0:
        return "Somebody whose data was deleted"
    member = guild.get_member(user_id) if guild is not None else None
    return member.display_name if member is not None else f"User {user_id}"


def _entry_line(entry: BlockEntry, *, is_slow: bool) -> str:
    said = escape(shorten(written(entry), _ENTRY_LENGTH))
    return f"#{entry.id} ||{said}||" + (" · **too slow**" if is_slow else "")
