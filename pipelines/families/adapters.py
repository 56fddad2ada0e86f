"""LoRA adapters of one loaded model, through diffusers and peft: loaded once, switched as asked."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

from ..errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..checkpoint import Adapter
    from ..request import Lora

log = logging.getLogger(__name__)


class Adapters:
    """Owns which adapters a pipeline has loaded, and which are active."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._loaded: set[str] = set()
        self._active: tuple[Lora, ...] | None = ()
        """None: not known, for a change did not come to its end."""

    def use(self, loras: Sequence[Lora], known: Mapping[str, Adapter]) -> None:
        """Raises `ModelError` for a file that does not fit this model."""
        wanted = tuple(loras)
        if wanted == self._active:
            return
        # peft makes an adapter active as it loads it, and any of these calls may raise.
        self._active = None
        for lora in wanted:
            if lora.name not in self._loaded:
                self._load(known[lora.name])
        if wanted:
            self._pipeline.enable_lora()
            weights = [
                known[lora.name].weight if lora.weight is None else lora.weight for lora in wanted
            ]
            self._pipeline.set_adapters([lora.name for lora in wanted], weights)
        else:
            self._pipeline.disable_lora()
        self._active = wanted

    def _load(self, adapter: Adapter) -> None:
        if adapter.path.suffix != ".safetensors":
            raise ModelError(
                f"The adapter {adapter.name} is no safetensors file; convert it first."
            )
        try:
            # peft warns about a second adapter beside the first, which is what is wanted.
            with warnings.catch_warnings(action="ignore"):
                self._pipeline.load_lora_weights(
                    str(adapter.path.parent),
                    weight_name=adapter.path.name,
                    adapter_name=adapter.name,
                    local_files_only=True,
                )
        except Exception as error:
            log.exception("loading the adapter %s failed", adapter.path)
            self._remove(adapter.name)
            raise ModelError(
                f"The adapter {adapter.name} does not fit this model, or is damaged."
            ) from error
        self._loaded.add(adapter.name)

    def _remove(self, name: str) -> None:
        """What lies in some parts already: without this a second try would find its name taken."""
        try:
            self._pipeline.delete_adapters(name)
        except Exception:
            log.warning("what was loaded of the adapter %s stays, inactive", name, exc_info=True)
