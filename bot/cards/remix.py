"""The remix modal: the prompt of a card, to be changed. Answered by `answer`, whoever sent it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import discord
from discord import ui

from ..commission import commission
from ..composing import compose
from ..context import context_of
from ..errors import RefusedError
from ..prompts import read
from .identity import FLAG, NUMBER, custom_id, template
from .lookup import ask_of, job_of
from .modals import values_of

if TYPE_CHECKING:
    from ..ask import Ask

MODAL = re.compile(template("remixed", f"(?P<job>{NUMBER})", f"(?P<private>{FLAG})"))
_PROMPT_LENGTH = 4000


class RemixModal(ui.Modal, title="Remix"):
    """discord.py forgets open modals at a restart, so the submission is not handled here but by
    custom id: the cog's listener calls `answer`."""

    def __init__(self, job_id: int, ask: Ask, *, is_private: bool) -> None:
        super().__init__(timeout=15 * 60, custom_id=custom_id("remixed", job_id, int(is_private)))
        self.add_item(
            ui.Label(
                text="Prompt",
                description="Flags work here too: --ar 3:2 --steps 30",
                component=ui.TextInput[ui.Modal](
                    style=discord.TextStyle.paragraph,
                    custom_id="prompt",
                    default=ask.prompt[:_PROMPT_LENGTH],
                    max_length=_PROMPT_LENGTH,
                ),
            )
        )
        self.add_item(
            ui.Label(
                text="Keep away",
                component=ui.TextInput[ui.Modal](
                    custom_id="negative",
                    default=ask.negative_prompt[:_PROMPT_LENGTH] or None,
                    max_length=_PROMPT_LENGTH,
                    required=False,
                ),
            )
        )


async def answer(interaction: discord.Interaction, match: re.Match[str]) -> None:
    """Paints what the modal says. Raises `RefusedError`."""
    context = context_of(interaction.client)
    values = values_of(interaction)
    lines = read(values.get("prompt", ""))
    if len(lines) != 1:
        raise RefusedError("A remix takes one prompt; /imagine takes braces and repeats.")
    (line,) = lines
    is_private = match["private"] == "1"
    # Nothing here says which model it was; reading that is quick, and comes before the answer
    # because a refusal is kinder before a placeholder than after it.
    ask = ask_of(await job_of(interaction, context, int(match["job"])))
    # Emptied fields are empty: nothing of the old words stays.
    ask = replace(
        ask,
        prompt="",
        seed=None,
        negative_prompt=values.get("negative", ""),
        is_private=is_private,
    )
    ask = compose(ask, line, context.studio.checkpoints)
    await commission(interaction, context, ask)
