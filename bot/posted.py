"""Pictures of other people's messages, from the menu's press until its modal is sent.

Only the menu's payload shows them, so they can't be looked up again.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from .errors import RefusedError
from .sources import uploaded_in

if TYPE_CHECKING:
    import discord

    from .attachments import Found, Uploaded

_MAX_MESSAGES = 256


class Posted:
    """Of the last messages that one menu was pressed on."""

    def __init__(self, menu: str) -> None:
        self._menu = menu
        self._found: OrderedDict[int, tuple[Found, ...]] = OrderedDict()

    def keep(self, message: discord.Message) -> list[str]:
        """Their labels. Raises `RefusedError` where the message shows no picture."""
        found = uploaded_in(message)
        self._found[message.id] = found
        self._found.move_to_end(message.id)
        if len(self._found) > _MAX_MESSAGES:
            self._found.popitem(last=False)
        return [each.label for each in found]

    def find(self, message_id: int, place: int) -> Uploaded:
        """By its place in the message, from 1. Raises `RefusedError`."""
        found = self._found.get(message_id)
        if found is None or not 1 <= place <= len(found):
            raise RefusedError(
                "I was restarted meanwhile and no longer see that message: use Apps >"
                f" {self._menu} on it again."
            )
        return found[place - 1].item
