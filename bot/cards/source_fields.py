"""The fields that the modals about a picture share: which picture, which words, for whom.

The modals themselves are `vary` and `inpaint`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import ui

from ..errors import RefusedError
from ..prompts import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .modals import Filled

PROMPT_LENGTH = 4000
_MAX_CHOICES = 25


def which(labels: Sequence[str], text: str = "Which picture") -> ui.Label[ui.Modal]:
    """A choice among several pictures of one message, the first by default."""
    options = [
        discord.SelectOption(label=shorten(label, 100), value=str(place), default=place == 1)
        for place, label in enumerate(labels[:_MAX_CHOICES], start=1)
    ]
    return ui.Label(text=text, component=ui.Select(custom_id="which", options=options))


def chosen_place(fields: Filled) -> int:
    """From 1; the only picture where there was no choice."""
    values = fields.choices.get("which") or ["1"]
    if not values[0].isdigit():
        raise RefusedError("This form is from another version of me: open it again.")
    return int(values[0])


def prompt(text: str, description: str, *, is_required: bool = False) -> ui.Label[ui.Modal]:
    return ui.Label(
        text="Prompt",
        description=description,
        component=ui.TextInput(
            style=discord.TextStyle.paragraph,
            custom_id="prompt",
            default=text[:PROMPT_LENGTH] or None,
            max_length=PROMPT_LENGTH,
            required=is_required,
        ),
    )


def private(is_default: bool) -> ui.Label[ui.Modal]:
    return ui.Label(
        text="Only for me",
        description="Nobody else sees it",
        component=ui.Checkbox(custom_id="private", default=is_default),
    )
