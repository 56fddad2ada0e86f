"""Encoded prompts: encoded once, in one pass for all who ask, kept up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from ..families.family import PromptAsk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..families.family import Conditioning, Model
    from ..request import Lora, Request

CACHE_BYTES: Final = 64 * 2**20

_Key = tuple[str, tuple["Lora", ...], PromptAsk]


class Conditioner:
    """The least recently used goes first; the empty negative prompt is nearly always there."""

    def __init__(self, budget_bytes: int = CACHE_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._kept: OrderedDict[_Key, Conditioning] = OrderedDict()
        self.num_bytes = 0

    def asks(self, request: Request, rows: int, num_chunks: int) -> tuple[PromptAsk, ...]:
        """What a request needs encoded: its prompt, and with guidance what it should not show."""
        prompt = PromptAsk(request.prompt, False, request.clip_skip, num_chunks)
        if rows == 1:
            return (prompt,)
        return prompt, PromptAsk(request.negative_prompt, True, request.clip_skip, num_chunks)

    def encode(
        self, model: Model, loras: tuple[Lora, ...], asks: Sequence[PromptAsk]
    ) -> dict[PromptAsk, Conditioning]:
        """Every ask's conditioning; what is not kept is encoded in one pass a context length."""
        name = model.checkpoint.name
        found: dict[PromptAsk, Conditioning] = {}
        missing: dict[int, dict[PromptAsk, None]] = {}
        for ask in asks:
            kept = self._kept.get((name, loras, ask))
            if kept is None:
                missing.setdefault(ask.num_chunks, {})[ask] = None
            else:
                self._kept.move_to_end((name, loras, ask))
                found[ask] = kept
        for same_length in missing.values():
            encoded = model.encode_prompts(list(same_length))
            for ask, conditioning in zip(same_length, encoded, strict=True):
                found[ask] = conditioning
                self._keep((name, loras, ask), conditioning)
        return found

    def forget(self, model: str) -> None:
        """Its weights are gone; its conditionings would keep device memory."""
        for key in [key for key in self._kept if key[0] == model]:
            self.num_bytes -= self._kept.pop(key).num_bytes

    def _keep(self, key: _Key, conditioning: Conditioning) -> None:
        self._kept[key] = conditioning
        self.num_bytes += conditioning.num_bytes
        while self.num_bytes > self._budget_bytes and self._kept:
            _, old = self._kept.popitem(last=False)
            self.num_bytes -= old.num_bytes
