"""What was typed into a modal, from the payload itself: also into one of before a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import discord


def values_of(interaction: discord.Interaction) -> dict[str, str]:
    """Text inputs by custom id."""
    found: dict[str, str] = {}
    data = cast("dict[str, Any]", interaction.data or {})
    for part in cast("list[dict[str, Any]]", data.get("components", [])):
        inner = part.get("component")
        children = [inner] if inner else part.get("components", [])
        for child in cast("list[dict[str, Any]]", children):
            if "value" in child:
                found[str(child["custom_id"])] = str(child["value"] or "")
    return found
