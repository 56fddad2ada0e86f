"""Denoisers through torch.compile, for the shapes that were warmed; every other runs as it is.

A shape that was not warmed would compile for minutes amid people's ticks, so it never does.
"""

# torch's own annotations leave these open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import torch
from torch._dynamo.config import patch

from .memory import is_out_of_memory, release
from .sample import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor

    from ..families.family import Model

log = logging.getLogger(__name__)

_MOST_SHAPES: Final = 256
"""Of all models together: those of one family share their code, and dynamo counts by code."""
_Shape = tuple[str, torch.Size, torch.Size]
"""Model, latents, context."""


class Compiler:
    """Owns what was compiled, by torch's name of a backend; "" compiles nothing."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._forwards: dict[str, Callable[..., Tensor]] = {}
        self._warm: set[_Shape] = set()
        self._refused: dict[str, str] = {}

    @property
    def is_on(self) -> bool:
        return bool(self._backend)

    @property
    def refused(self) -> tuple[tuple[str, str], ...]:
        """(model, why) of those that run uncompiled after all."""
        return tuple(self._refused.items())

    @torch.inference_mode()
    def warm(self, model: Model, buckets: Iterable[int]) -> None:
        """Compiles a model's own size at each bucket: seconds to minutes each."""
        name = model.checkpoint.name
        if not self.is_on or name in self._forwards or name in self._refused:
            return
        forward = torch.compile(model.forward, backend=self._backend, dynamic=False)
        try:
            with patch(recompile_limit=_MOST_SHAPES, accumulated_recompile_limit=_MOST_SHAPES):
                for rows in buckets:
                    given = sample(model, rows)
                    forward(given.latents, given.timesteps, given.context, given.vectors)
                    self._warm.add((name, given.latents.shape, given.context.shape))
        except Exception as error:
            is_warm = any(shape[0] == name for shape in self._warm)
            if not (is_warm and _is_out_of_memory(error)):
                self._refuse(name, error)
                return
            log.warning("compiled %s only for as many rows as fit in memory", name)
        self._forwards[name] = forward
        release(model.device)

    def forward(
        self,
        model: Model,
        latents: Tensor,
        timesteps: Tensor,
        context: Tensor,
        vectors: Tensor | None,
    ) -> Tensor:
        """As `Model.forward`."""
        name = model.checkpoint.name
        compiled = self._forwards.get(name)
        if compiled is not None and (name, latents.shape, context.shape) in self._warm:
            try:
                with torch.compiler.set_stance("fail_on_recompile"):
                    return compiled(latents, timesteps, context, vectors)
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                # An adapter was loaded, or it failed by itself: if so, it fails uncompiled too.
                self._refuse(name, error)
        return model.forward(latents, timesteps, context, vectors)

    def forget_all_but(self, is_loaded: Callable[[str], bool]) -> None:
        """Their weights are gone."""
        for name in [name for name in self._forwards if not is_loaded(name)]:
            self._forget(name)

    def _forget(self, model: str) -> None:
        self._forwards.pop(model, None)
        self._warm = {shape for shape in self._warm if shape[0] != model}

    def _refuse(self, name: str, error: Exception) -> None:
        why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        log.warning("painting with %s uncompiled: %s", name, why, exc_info=error)
        self._forget(name)
        self._refused[name] = why


def _is_out_of_memory(error: Exception) -> bool:
    """A compiler may wrap what ran out while it tried its kernels."""
    inner = (error, error.__cause__, getattr(error, "inner_exception", None))
    return any(isinstance(each, Exception) and is_out_of_memory(each) for each in inner)
