"""A model made ready to paint with: loaded, measured, compiled; what went with it put away.

Which model that is, and when, is the engine's; where the weights lie is `shelf`'s.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from ..errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..families.family import Model
    from .compiling import Compiler
    from .conditioning import Conditioner
    from .lane import Lane
    from .lanes import Lanes
    from .live import BatchKey
    from .memory import Meter
    from .shelf import Shelf

log = logging.getLogger(__name__)


class Stock:
    """Keeps lanes, conditionings and compiled code in step with the loaded weights."""

    def __init__(
        self,
        shelf: Shelf,
        lanes: Lanes,
        conditioner: Conditioner,
        compiler: Compiler,
        meter: Meter,
        *,
        on_loading: Callable[[str], None],
        on_loaded: Callable[[str], None],
    ) -> None:
        self._shelf = shelf
        self._lanes = lanes
        self._conditioner = conditioner
        self._compiler = compiler
        self._meter = meter
        self._on_loading = on_loading
        self._on_loaded = on_loaded
        shelf.on_unload = self._put_away

    def ready(self, name: str, is_busy: Callable[[str], bool]) -> Model:
        """The model, loaded and measured if it was not. Raises `ModelError`."""
        if self._shelf.is_loaded(name):
            return self._shelf.get(name, is_busy)
        self._on_loading(name)
        try:
            model = self._shelf.get(name, is_busy)
            self._measure(name)
        finally:
            self._on_loaded(name)
        return model

    def open_lane(self, key: BatchKey, model: Model) -> Lane:
        """Raises `OutOfMemoryError` where not a row of that size fits."""
        return self._lanes.open(key, model, self._shelf.appetite(key.model, self._meter))

    def compile(self, model: Model, buckets: Iterable[int]) -> None:
        """A loaded model, as far as the buckets fit in memory."""
        name, side = model.checkpoint.name, model.checkpoint.size_px // model.codec.factor
        appetite, most = self._shelf.appetite(name, self._meter), None
        if appetite is not None:
            most = appetite.most_rows(side, side, self._meter.available_bytes())
        self._compiler.warm(model, [rows for rows in buckets if most is None or rows <= most])

    def clear(self) -> None:
        """Unloads everything."""
        self._shelf.clear()

    def _measure(self, name: str) -> None:
        """The first time that the parts work together."""
        try:
            self._shelf.appetite(name, self._meter)
        except torch.AcceleratorError:
            # Of the device, not of this model.
            raise
        except Exception as error:
            log.exception("measuring %s failed", name)
            self._shelf.unload(name)
            raise ModelError(
                f"The model {name} can't be used; its parts do not fit together."
            ) from error

    def _put_away(self, name: str) -> None:
        """What belongs to a model that was unloaded: it would keep its weights alive."""
        self._lanes.close_all(name)
        self._conditioner.forget(name)
        self._compiler.forget_all_but(self._shelf.is_loaded)
