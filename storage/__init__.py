"""What must survive: jobs, credits and pictures, in one SQLite file and a folder of pictures.

Its face is loaded lazily, so that naming the package opens nothing and imports little.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .storage import Storage

_HOMES = {"Storage": "storage"}

__all__ = ["Storage"]


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f".{home}", __name__), name)
