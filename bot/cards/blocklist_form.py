"""What /limner admin blocklist does: adds, removes, lists, tests; and the form for many at once."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import discord
from discord import ui

from ..commission import acknowledge
from ..errors import RefusedError
from ..notes import NO_MENTIONS, tell
from ..prompts import escape, shorten
from .admin_lists import blocklist_card, written
from .admin_panel import office_of
from .identity import custom_id, template
from .modals import values_of

if TYPE_CHECKING:
    from ..administration import Office
    from ..censor import Hit

_MAX_FORM = 4000
_MOST_HITS = 20
_OWNERS = {"owner": "the owner's", "shipped": "Limner's list", "server": "this server's"}


class BlockForm(ui.Modal, title="Add to the blocklist"):
    """Answered by custom id, since discord.py forgets open modals at a restart."""

    def __init__(self) -> None:
        super().__init__(timeout=15 * 60, custom_id=custom_id("block"))
        self.add_item(
            ui.Label(
                text="One a line",
                description="Words or phrases; an expression stands between slashes: /n[a4]ked/",
                component=ui.TextInput[ui.Modal](
                    custom_id="entries",
                    style=discord.TextStyle.paragraph,
                    max_length=_MAX_FORM,
                ),
            )
        )


async def act(interaction: discord.Interaction, action: str, entry: str) -> None:
    """Raises `RefusedError`."""
    office = office_of(interaction)
    if action == "add" and not entry.strip():
        await interaction.response.send_modal(BlockForm())
        return
    await acknowledge(interaction, is_private=True)
    match action:
        case "add":
            await _add(interaction, office, [entry])
        case "remove":
            await _remove(interaction, office, entry.strip())
        case "test":
            await _test(interaction, office, entry)
        case "shipped" | "unshipped":
            is_on = action == "shipped"
            await office.set(lambda old: replace(old, blocks_shipped_words=is_on))
            await tell(interaction, f"Limner's own list is {'on' if is_on else 'off'} here.")
        case _:
            await interaction.edit_original_response(
                view=await blocklist_card(office), allowed_mentions=NO_MENTIONS
            )


MODAL = re.compile(template("block"))


async def answer(interaction: discord.Interaction) -> None:
    """Adds what the form says. Raises `RefusedError`."""
    office = office_of(interaction)
    await acknowledge(interaction, is_private=True)
    await _add(interaction, office, values_of(interaction).get("entries", "").splitlines())


async def offers(interaction: discord.Interaction, current: str) -> list[tuple[str, str]]:
    """The newest entries to remove, while somebody types; nothing for the other deeds.

    Raises `RefusedError`: suggestions tell what is blocked, too.
    """
    office = office_of(interaction)
    if getattr(interaction.namespace, "action", None) != "remove":
        return []
    moderation = office.studio.storage.moderation
    entries = await moderation.find_in_blocklist(office.guild_id, current.strip())
    return [(shorten(f"#{entry.id} {written(entry)}", 100), f"#{entry.id}") for entry in entries]


async def _add(interaction: discord.Interaction, office: Office, lines: list[str]) -> None:
    num_added = await office.block(lines)
    num_typed = len({line.strip() for line in lines} - {""})
    known = " The others were there already." if num_added < num_typed else ""
    entries = "1 entry was" if num_added == 1 else f"{num_added} entries were"
    await tell(interaction, f"{entries} added to the blocklist.{known}")


async def _remove(interaction: discord.Interaction, office: Office, entry: str) -> None:
    """By number as the list shows it, or as it was written."""
    entries = await office.studio.storage.moderation.blocklist(office.guild_id)
    for each in entries:
        if entry in (f"#{each.id}", written(each)):
            await office.unblock(each.id)
            await tell(interaction, f"Removed: ||{escape(shorten(written(each), 100))}||")
            return
    raise RefusedError("There is no such entry: its number stands in the list, such as `#12`.")


async def _test(interaction: discord.Interaction, office: Office, prompt: str) -> None:
    if not prompt.strip():
        raise RefusedError("Write the prompt to test as the entry.")
    hits = await office.studio.censor.hits(prompt, await office.studio.rules.of(office.guild_id))
    if not hits:
        await tell(interaction, "That prompt may be painted here: nothing stands against it.")
        return
    lines = [_hit(each) for each in hits[:_MOST_HITS]]
    await tell(interaction, "\n".join(["That prompt is refused here, by:", *lines]))


def _hit(hit: Hit) -> str:
    entry = f"/{hit.entry}/" if hit.is_regex else hit.entry
    return f"- ||{escape(shorten(entry, 100))}||, {_OWNERS[hit.source]}"
