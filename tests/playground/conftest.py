from __future__ import annotations

import pytest
from aiohttp import ClientSession

pytest.importorskip("simcord.preview", reason="the demo's extra is not installed")

from typing import TYPE_CHECKING

from limner.playground.demo import Playground
from limner.playground.window import Window

from .easel import EaselBot
from .visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def bots() -> list[EaselBot]:
    """Every bot that the demo started, in order."""
    return []


@pytest.fixture
async def playground(bots: list[EaselBot]) -> AsyncIterator[Playground]:
    def make() -> EaselBot:
        bots.append(EaselBot())
        return bots[-1]

    async with Playground(make) as playground:
        yield playground


@pytest.fixture
async def window(playground: Playground) -> AsyncIterator[Window]:
    async with Window(playground, port=0) as window:
        yield window


@pytest.fixture
async def visitor(window: Window) -> AsyncIterator[Visitor]:
    async with ClientSession() as session:
        visitor = Visitor(session, window.url)
        await visitor.open()
        yield visitor
