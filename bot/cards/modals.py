"""What was filled into a modal, from the payload itself: also into one of before a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import discord

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Filled:
    """A submitted modal's fields by custom id. Untrusted, like every payload."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    """Text inputs and radio groups."""
    choices: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Selects."""
    flags: dict[str, bool] = field(default_factory=dict[str, bool])
    """Checkboxes."""
    uploads: dict[str, list[discord.UnfurledMediaItem]] = field(
        default_factory=dict[str, list[discord.UnfurledMediaItem]]
    )


def submitted(interaction: discord.Interaction, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """What the custom id of a submitted modal says; None for everything else.

    discord.py forgets open modals at a restart; a cog that listens for them answers its own anyway.
    """
    if interaction.type is not discord.InteractionType.modal_submit:
        return None
    return pattern.fullmatch(interaction.custom_id or "")


def values_of(interaction: discord.Interaction) -> dict[str, str]:
    """Text inputs by custom id."""
    return filled(interaction).texts


def filled(interaction: discord.Interaction) -> Filled:
    """Everything that the modal brought."""
    data = cast("dict[str, Any]", interaction.data or {})
    resolved = cast("dict[str, dict[str, dict[str, Any]]]", data.get("resolved") or {})
    attachments = resolved.get("attachments", {})
    found = Filled()
    for part in _fields(data):
        name = str(part["custom_id"])
        if part.get("type") == discord.ComponentType.file_upload.value:
            ids = cast("list[str]", part.get("values") or [])
            found.uploads[name] = [
                _upload(attachments[each]) for each in ids if each in attachments
            ]
        elif "values" in part:
            found.choices[name] = [str(value) for value in cast("list[object]", part["values"])]
        elif isinstance(part.get("value"), bool):
            found.flags[name] = part["value"]
        elif "value" in part:
            found.texts[name] = str(part["value"] or "")
    return found


def _fields(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for part in cast("list[dict[str, Any]]", data.get("components", [])):
        inner = part.get("component")
        children = [inner] if inner else part.get("components", [])
        yield from cast("list[dict[str, Any]]", children)


def _upload(payload: dict[str, Any]) -> discord.UnfurledMediaItem:
    item = discord.UnfurledMediaItem(str(payload["url"]))
    item.attachment_id = int(payload["id"])
    item.content_type = payload.get("content_type")
    item.width, item.height = payload.get("width"), payload.get("height")
    return item
