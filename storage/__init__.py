"""What must survive: jobs, credits and pictures, in one SQLite file and a folder of pictures.

Its face is loaded lazily, so that naming the package opens nothing and imports little.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import QuotaRefusedError, StorageError
    from .guild_records import GuildSettings
    from .quotas import Allowance, Allowed, Ask, Period, Refused, Rule, Window
    from .records import Job, JobStatus, NewJob, NewPicture, Origin, Picture
    from .retention import Retention
    from .storage import Storage

_HOMES = {
    "Allowance": "quotas",
    "Allowed": "quotas",
    "Ask": "quotas",
    "GuildSettings": "guild_records",
    "Job": "records",
    "JobStatus": "records",
    "NewJob": "records",
    "NewPicture": "records",
    "Origin": "records",
    "Period": "quotas",
    "Picture": "records",
    "QuotaRefusedError": "errors",
    "Refused": "quotas",
    "Retention": "retention",
    "Rule": "quotas",
    "Storage": "storage",
    "StorageError": "errors",
    "Window": "quotas",
}

__all__ = [
    "Allowance",
    "Allowed",
    "Ask",
    "GuildSettings",
    "Job",
    "JobStatus",
    "NewJob",
    "NewPicture",
    "Origin",
    "Period",
    "Picture",
    "QuotaRefusedError",
    "Refused",
    "Retention",
    "Rule",
    "Storage",
    "StorageError",
    "Window",
]


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f".{home}", __name__), name)
