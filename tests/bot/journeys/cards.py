"""What a test does with cards: has one painted, reads it, presses it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.wire.entities import Acknowledgement

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.wire.entities import Message, User
    from tests.wire.replies import Reply

    from .conftest import Place

PATIENCE_S = 240.0
"""With a loaded machine in mind; nothing waits for it to pass."""


def is_done(message: Message) -> bool:
    return bool(message.gallery) and "Paint again" in message.buttons


async def done(reply: Reply) -> Message:
    """The finished card that an interaction is answered with."""
    return await reply.message(is_done, timeout_s=PATIENCE_S)


async def picked(place: Place, user: User, card: Message, choice: str, index: int = 0) -> Message:
    """The finished card that a choice in a picture's menu is answered with."""
    reply = await place.wire.select(user, card, menu_of(card, index), choice)
    return await answer(place, reply, is_done)


async def answer(
    place: Place,
    reply: Reply,
    where: Callable[[Message], object] = bool,
    *,
    is_update: bool = True,
) -> Message:
    """The message that answers a press; a menu acknowledges by an update of its card."""

    def found() -> Message | None:
        messages = reply.interaction.followups
        return next((m for m in messages if not m.is_deleted and where(m)), None)

    message = await place.wire.until(found, "a choice's answer", PATIENCE_S)
    # Only an update makes Discord's clients send the same choice again.
    is_updated = reply.interaction.acknowledged is Acknowledgement.UPDATE
    assert is_updated or not is_update
    return message


async def ask(place: Place, user: User | None = None, **options: object) -> Reply:
    options = {"prompt": "a red heart", "seed": 7} | options
    return await place.wire.slash(user or place.alice, place.channel, "imagine", **options)  # type: ignore[arg-type]


async def paint(place: Place, user: User | None = None, **options: object) -> Message:
    """The finished card of a command."""
    return await done(await ask(place, user, **options))


def menu_of(message: Message, index: int = 0) -> str:
    """The custom id of a picture's menu."""
    return [c["custom_id"] for c in message.walk() if c["type"] == 3][index]


def job_id_of(message: Message) -> int:
    match = re.search(r"#(\d+)$", message.text, re.MULTILINE)
    assert match is not None, message.text
    return int(match[1])
