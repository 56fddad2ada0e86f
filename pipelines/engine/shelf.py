"""The loaded models under a memory budget: loaded when needed, least recently used out."""

from __future__ import annotations

import gc
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from ..errors import InvalidRequestError
from ..families.registry import load
from ..sampling.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from ..checkpoint import Checkpoint
    from ..families.family import Model

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

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names, the most recently used last."""
        return tuple(self._models)

    @property
    def num_bytes(self) -> int:
        return sum(model.num_bytes for model in self._models.values())

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
        return self.num_bytes + self.checkpoints[name].num_bytes <= self._budget_bytes

    def can_load(self, name: str, is_busy: Callable[[str], bool]) -> bool:
        """Whether it fits beside the models that are painting just now."""
        if name in self._models or self._budget_bytes is None:
            return True
        busy = sum(model.num_bytes for other, model in self._models.items() if is_busy(other))
        return busy == 0 or busy + self.checkpoints[name].num_bytes <= self._budget_bytes

    def get(self, name: str, is_busy: Callable[[str], bool]) -> Model:
        """The model, loaded if it has to be. Raises `ModelError`."""
        model = self._models.get(name)
        if model is None:
            self._make_room(self.checkpoints[name].num_bytes, is_busy)
            log.info("loading %s", name)
            model = load(self.checkpoints[name], self._device, self._dtype)
            self._models[name] = model
        self._models.move_to_end(name)
        return model

    def tables(self, name: str) -> Tables:
        """Of a loaded model's samplers; they outlive its weights."""
        if name not in self._tables:
            self._tables[name] = Tables(self._models[name].scheduler_config)
        return self._tables[name]

    def clear(self) -> None:
        self._models.clear()
        gc.collect()

    def _make_room(self, num_bytes: int, is_busy: Callable[[str], bool]) -> None:
        if self._budget_bytes is None:
            return
        for name in list(self._models):
            if self.num_bytes + num_bytes <= self._budget_bytes:
                return
            if not is_busy(name):
                log.info("unloading %s", name)
                del self._models[name]
                gc.collect()
