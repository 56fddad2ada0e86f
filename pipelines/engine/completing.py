"""A request made whole: the model's defaults, its adapters and their weights, a seed. Pure.

Whether it can be painted at all is `limits`'.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import InvalidRequestError
from ..limits import check, fill
from ..prompt import take_loras

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..checkpoint import Adapter, Checkpoint
    from ..request import Lora, Request


def complete(request: Request, checkpoint: Checkpoint, adapters: Mapping[str, Adapter]) -> Request:
    """The request with nothing left open. Raises `InvalidRequestError`."""
    whole = _with_adapters(fill(request, checkpoint), checkpoint, adapters)
    check(whole, checkpoint)
    if whole.seed is None:
        whole = replace(whole, seed=random.SystemRandom().getrandbits(32))
    return whole


def _with_adapters(
    request: Request, checkpoint: Checkpoint, adapters: Mapping[str, Adapter]
) -> Request:
    """Those named in the prompt are asked for like the others; each must be known here."""
    prompt, named = take_loras(request.prompt)
    loras: list[Lora] = []
    for lora in (*request.loras, *named):
        adapter = adapters.get(lora.name)
        if adapter is None:
            raise InvalidRequestError(f"There is no adapter called {lora.name!r} here.")
        if adapter.models and checkpoint.name not in adapter.models:
            raise InvalidRequestError(
                f"The adapter {lora.name!r} was not made for the model {checkpoint.name}."
            )
        loras.append(replace(lora, weight=adapter.weight) if lora.weight is None else lora)
    return replace(request, prompt=prompt, loras=tuple(loras))
