"""The loaded models under a memory budget: loaded when needed, least recently used out."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from ..errors import InvalidRequestError, ModelError
from ..families.registry import load
from ..sampling.tables import Tables
from .appetite import measure
from .memory import is_out_of_memory, release

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from ..checkpoint import Checkpoint
    from ..families.family import Model
    from .appetite import Appetite
    from .memory import Meter

log = logging.getLogger(__name__)


class Shelf:
    """Owns every loaded model, and the tables of its samplers."""

    def __init__(
        self,
        checkpoints: Sequence[Checkpoint],
        device: torch.device,
        dtype: torch.dtype,
        budget_bytes: int | None,
    ) -> None:
        assert checkpoints, "an engine without a checkpoint paints nothing"
        self.checkpoints = {checkpoint.name: checkpoint for checkpoint in checkpoints}
        self.default = checkpoints[0].name
        self._device = device
        self._dtype = dtype
        self._budget_bytes = budget_bytes
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._tables: dict[str, Tables] = {}
        self._measured: dict[str, int] = {}
        self._appetites: dict[str, Appetite | None] = {}
        self.on_unload: Callable[[str], None] = lambda name: None
        """Told at once, before the memory is needed: what else holds on to the weights lets go."""

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names, the most recently used last."""
        return tuple(self._models)

    @property
    def num_bytes(self) -> int:
        return sum(model.num_bytes for model in self._models.values())

    def bytes_of(self, name: str) -> int:
        """Of its weights: as measured, once it has been loaded; before, as they lie on disk."""
        return self._measured.get(name, self.checkpoints[name].num_bytes)

    def checkpoint(self, name: str) -> Checkpoint:
        """Raises `InvalidRequestError` for a name that nobody configured."""
        found = self.checkpoints.get(name or self.default)
        if found is None:
            raise InvalidRequestError(f"There is no model called {name!r} here.")
        return found

    def is_loaded(self, name: str) -> bool:
        return name in self._models

    def has_room(self, name: str) -> bool:
        """Whether it is loaded, or fits beside all that are."""
        if name in self._models or self._budget_bytes is None:
            return True
        return self.num_bytes + self.bytes_of(name) <= self._budget_bytes

    def can_load(self, name: str, is_busy: Callable[[str], bool]) -> bool:
        """Whether it fits beside the models that are painting just now."""
        if name in self._models or self._budget_bytes is None:
            return True
        busy = sum(model.num_bytes for other, model in self._models.items() if is_busy(other))
        return busy == 0 or busy + self.bytes_of(name) <= self._budget_bytes

    def get(self, name: str, is_busy: Callable[[str], bool]) -> Model:
        """The model, loaded if it has to be. Raises `ModelError`."""
        model = self._models.get(name)
        if model is None:
            self._make_room(self.bytes_of(name), is_busy)
            log.info("loading %s", name)
            model = self._load(name, is_busy)
            self._measured[name] = model.num_bytes
            # Weights on disk may be halves of what they are here.
            self._make_room(model.num_bytes, is_busy)
            self._models[name] = model
        self._models.move_to_end(name)
        return model

    def appetite(self, name: str, meter: Meter) -> Appetite | None:
        """Of a loaded model, measured when first asked for."""
        if name not in self._appetites:
            self._appetites[name] = measure(self._models[name], meter)
        return self._appetites[name]

    def tables(self, name: str) -> Tables:
        """Of a loaded model's samplers; they outlive its weights."""
        if name not in self._tables:
            self._tables[name] = Tables(self._models[name].scheduler_config)
        return self._tables[name]

    def unload(self, name: str) -> None:
        """Nobody may be painting with it."""
        log.info("unloading %s", name)
        del self._models[name]
        self.on_unload(name)
        release(self._device)

    def clear(self) -> None:
        for name in self.loaded:
            self.unload(name)

    def _load(self, name: str, is_busy: Callable[[str], bool]) -> Model:
        """Where memory runs out, once more without the models that nobody needs just now."""
        for is_last in (False, True):
            try:
                return load(self.checkpoints[name], self._device, self._dtype)
            except Exception as error:
                if not _is_short(error):
                    raise
                if is_last:
                    raise ModelError(
                        f"The model {name} does not fit in this device's memory."
                    ) from error
            # Only here, where the error's trace holds on to nothing, can memory be given back.
            log.warning("out of memory loading %s: once more without the models that rest", name)
            release(self._device)
            for other in [other for other in self._models if not is_busy(other)]:
                self.unload(other)
        raise AssertionError("the second try returns or raises")

    def _make_room(self, num_bytes: int, is_busy: Callable[[str], bool]) -> None:
        if self._budget_bytes is None:
            return
        for name in list(self._models):
            if self.num_bytes + num_bytes <= self._budget_bytes:
                return
            if not is_busy(name):
                self.unload(name)


def _is_short(error: Exception) -> bool:
    """Whether a load ran out of memory; in a function, for a variable would keep the trace."""
    cause = error.__cause__ if isinstance(error, ModelError) else error
    return isinstance(cause, Exception) and is_out_of_memory(cause)
