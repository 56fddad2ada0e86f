"""What the journeys about pictures share: a bot with all commands, and pictures compared."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from limner.bot.cogs.inpaint import Inpaint
from limner.bot.cogs.variation import Variation

from .conftest import Place, StudioBot

if TYPE_CHECKING:
    from limner.bot.ask import Ask
    from limner.bot.studio import Studio
    from tests.wire.entities import Channel, Message, User

PATIENCE_S = 180.0
"""With a loaded machine in mind; nothing waits for it to pass."""


class PictureBot(StudioBot):
    """As the extension loads them."""

    async def setup_hook(self) -> None:
        for cog in (Variation, Inpaint):
            await self.add_cog(cog(self, self._studio, self.delivery))
        await super().setup_hook()


def is_done(message: Message) -> bool:
    return bool(message.gallery) and "Paint again" in message.buttons


def is_preview(message: Message) -> bool:
    return bool(message.gallery) and "Invert" in message.buttons


def job_id_of(message: Message) -> int:
    match = re.search(r"#(\d+)", message.text)
    assert match is not None
    return int(match[1])


async def ask_of(studio: Studio, message: Message) -> Ask:
    from limner.bot.ask import Ask

    job = await studio.storage.jobs.get(job_id_of(message))
    return Ask.from_json(job.new.request_json)


async def paint(
    place: Place, user: User | None = None, channel: Channel | None = None, **options: object
) -> Message:
    """The finished card of /imagine."""
    options = {"prompt": "a red heart", "seed": 7} | options
    reply = await place.wire.slash(
        user or place.alice,
        channel or place.channel,
        "imagine",
        **options,  # type: ignore[arg-type]
    )
    return await reply.message(is_done, timeout_s=PATIENCE_S)


def shown(message: Message, index: int = 0) -> Image.Image:
    return Image.open(io.BytesIO(message.gallery[index].data)).convert("RGB")


def array(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), dtype=np.int16)


def distance(one: Image.Image, other: Image.Image) -> float:
    """Root mean square, in steps of 255."""
    assert one.size == other.size
    return float(np.sqrt(((array(one) - array(other)) ** 2).mean()))
