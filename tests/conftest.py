"""Plugins for every test folder, and what hypothesis may not hold against a slow machine."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.wire.fixtures"]

# A deadline an example, or a rate of making them, measures the machine's other work, not ours.
# The plain run draws the same examples each time; the long one is for finding new ones.
settings.register_profile(
    "limner", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("limner")
