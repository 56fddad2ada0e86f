"""Plugins for every test folder, and what hypothesis may not hold against a slow machine."""

from hypothesis import settings

pytest_plugins = ["tests.wire.fixtures"]

# A deadline of 200 ms an example measures the machine's other work, not ours.
settings.register_profile("limner", deadline=None)
settings.load_profile("limner")
