"""The `wire` fixture, named as a plugin by tests/conftest.py so that every test folder has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from . import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture
async def wire() -> AsyncIterator[Wire]:
    """Discord on a local port; fails the test for each violation that it did not expect."""
    async with Wire() as started:
        yield started
