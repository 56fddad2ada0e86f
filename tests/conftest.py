"""Plugins for every test folder, and what hypothesis may not hold against a slow machine."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["tests.wire.fixtures"]

# A deadline an example, or a rate of making them, measures the machine's other work, not ours.
# The plain run draws the same examples each time; the long one is for finding new ones.
settings.register_profile(
    "limner", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("limner")


def pytest_configure() -> None:
    # As a worker does: what is imported stays, so collecting garbage meanwhile is half of the time.
    gc.disable()


def pytest_collection_finish() -> None:
    # A collection among all the libraries' things takes 0.3 s; an engine asks for five at a load.
    gc.freeze()
    gc.enable()


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For tests that load Limner into a bot as an extension. discord.py forgets an extension's
    modules when it unloads it; other tests of this process know those that were there before."""
    import limner.bot

    before = {name: module for name, module in sys.modules.items() if _is_the_bots(name)}
    monkeypatch.setattr("limner.bot", limner.bot)
    yield
    for name in [name for name in sys.modules if _is_the_bots(name)]:
        del sys.modules[name]
    sys.modules.update(before)


def _is_the_bots(module: str) -> bool:
    return module == "limner.bot" or module.startswith("limner.bot.")
