"""An upload that takes its time holds up nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.wire import Fault

from .cards import PATIENCE_S, ask, done

if TYPE_CHECKING:
    from .conftest import Place, StudioBot

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_another_card_is_finished_while_one_is_being_uploaded(
    place: Place, bot: StudioBot
) -> None:
    upload = place.wire.faults.order(Fault.slow(), "/webhooks/*", method="PATCH", after=1)
    first = await ask(place)
    await upload.reached(PATIENCE_S)
    await done(await ask(place, place.bob, prompt="a blue moon"))
    upload.release()
    await done(first)
