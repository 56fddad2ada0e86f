"""The modal of "Vary": which picture, how much of it is painted anew, and other words if wanted.

It is answered by custom id, since discord.py forgets open modals at a restart; `variation` answers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import discord
from discord import ui

from . import source_fields
from .identity import NUMBER, custom_id, template

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN, POSTED = "own", "posted"
"""A card of Limner's, by its job; anybody's message, by its id."""

MODAL = re.compile(template("vary", f"(?P<kind>{OWN}|{POSTED})", f"(?P<id>{NUMBER})"))


class VaryModal(ui.Modal, title="Vary"):
    def __init__(
        self, kind: str, number: int, labels: Sequence[str], prompt: str, *, is_private: bool
    ) -> None:
        super().__init__(timeout=15 * 60, custom_id=custom_id("vary", kind, number))
        if len(labels) > 1:
            self.add_item(source_fields.which(labels))
        self.add_item(
            ui.Label(
                text="How much",
                component=ui.RadioGroup(
                    custom_id="amount",
                    options=[
                        discord.RadioGroupOption(
                            label="A little", value="subtle", description="Close to this picture"
                        ),
                        discord.RadioGroupOption(
                            label="A lot",
                            value="strong",
                            description="Only the rough idea stays",
                            default=True,
                        ),
                    ],
                ),
            )
        )
        self.add_item(
            source_fields.prompt(prompt, "What the new picture shows; flags such as --n 4 work")
        )
        self.add_item(source_fields.private(is_private))
