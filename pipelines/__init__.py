"""Tensors: what paints. Its face is loaded lazily, so that naming the package loads no torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import Adapter, Checkpoint, describe
    from .engine.engine import Engine
    from .errors import (
        InvalidRequestError,
        ModelError,
        OutOfMemoryError,
        PipelineError,
        QueueFullError,
        RequestFailedError,
        UnsupportedSamplerError,
        WorkerError,
    )
    from .events import Cancelled, Event, Failed, Finished, Preview, Progress, Result, Started
    from .limits import SAMPLERS, check, fill, rows_of, ticks_of
    from .request import Lora, Request

_HOMES = {
    "Adapter": "checkpoint",
    "SAMPLERS": "limits",
    "check": "limits",
    "fill": "limits",
    "rows_of": "limits",
    "ticks_of": "limits",
    "Cancelled": "events",
    "Checkpoint": "checkpoint",
    "Engine": "engine.engine",
    "Event": "events",
    "Failed": "events",
    "Finished": "events",
    "InvalidRequestError": "errors",
    "Lora": "request",
    "ModelError": "errors",
    "OutOfMemoryError": "errors",
    "PipelineError": "errors",
    "Preview": "events",
    "Progress": "events",
    "QueueFullError": "errors",
    "Request": "request",
    "RequestFailedError": "errors",
    "Result": "events",
    "Started": "events",
    "UnsupportedSamplerError": "errors",
    "WorkerError": "errors",
    "describe": "checkpoint",
}

__all__ = [
    "SAMPLERS",
    "Adapter",
    "Cancelled",
    "Checkpoint",
    "Engine",
    "Event",
    "Failed",
    "Finished",
    "InvalidRequestError",
    "Lora",
    "ModelError",
    "OutOfMemoryError",
    "PipelineError",
    "Preview",
    "Progress",
    "QueueFullError",
    "Request",
    "RequestFailedError",
    "Result",
    "Started",
    "UnsupportedSamplerError",
    "WorkerError",
    "check",
    "describe",
    "fill",
    "rows_of",
    "ticks_of",
]


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f".{home}", __name__), name)
