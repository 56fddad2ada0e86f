"""Plugins for every test folder, and what hypothesis may not hold against a slow machine."""

import gc
import os

# Before torch loads, here and in the workers that tests start. With a thread a core, the small
# models' threads mostly wait for each other: more than twice the CPU on a machine that is busy.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from hypothesis import HealthCheck, settings

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
