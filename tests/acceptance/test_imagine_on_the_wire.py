"""/imagine as it is shipped, house model and all, over real sockets: the bytes that people get."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from limner.bot.runner import Runner
from limner.bot.settings import SHIPPED_CONFIG, Settings, load
from tests.wire.entities import Acknowledgement

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire import Wire
    from tests.wire.entities import Message

pytestmark = pytest.mark.usefixtures("modules")

PAINTING_PATIENCE_S = 120.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The shipped configuration, but for the folder and the processor."""
    shipped = load(SHIPPED_CONFIG)
    changes = {
        "storage": shipped.storage.model_copy(update={"folder": tmp_path / "data"}),
        "engine": shipped.engine.model_copy(update={"device": "cpu"}),
    }
    return shipped.model_copy(update=changes)


def is_painted(message: Message) -> bool:
    return len(message.gallery) == 1 and "Paint again" in message.buttons


async def test_what_people_get_is_what_is_stored_byte_for_byte(
    wire: Wire, settings: Settings
) -> None:
    guild = wire.world.guild()
    channel, ann, ben = guild.channel(), guild.member("ann"), guild.member("ben")
    async with wire.connect(Runner(settings)):
        replies = [
            await wire.slash(person, channel, "imagine", prompt="a red heart", steps=4, seed=seed)
            for person, seed in ((ann, 7), (ben, 8))
        ]
        async with asyncio.TaskGroup() as waiting:
            painted = [
                waiting.create_task(reply.message(is_painted, timeout_s=PAINTING_PATIENCE_S))
                for reply in replies
            ]
        for reply, task in zip(replies, painted, strict=True):
            assert reply.interaction.acknowledged is Acknowledgement.DEFERRED_MESSAGE
            picture = task.result().gallery[0]
            received = await wire.fetch(picture.url)
            digest = hashlib.sha256(received).hexdigest()
            (stored,) = settings.storage.folder.rglob(f"{digest}*")
            assert stored.read_bytes() == received
        assert painted[0].result().gallery[0].data != painted[1].result().gallery[0].data

        # The stand-in takes no acknowledgement that comes later than Discord waits.
        again = await wire.click(ann, painted[0].result(), "Paint again")
        await again.message(is_painted, timeout_s=PAINTING_PATIENCE_S)
