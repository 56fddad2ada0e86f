"""A CLIP text encoder and its tokenizer: texts to hidden states, batched, long texts in chunks.

Which layer a family takes and what it does with the pooled state is the family's business.
"""

# torch's own annotations leave these open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from ..prompt import parse_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

MAX_BATCH: Final = 8
"""Chunks in one pass: two guided prompts of two chunks, or four of one."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text. Shapes: (chunks, 77), special tokens and padding included."""

    ids: Tensor
    weights: Tensor

    @property
    def has_weights(self) -> bool:
        return bool((self.weights != 1).any())


@dataclass(frozen=True, slots=True)
class Hidden:
    """One text, encoded. Shapes: layers (chunks, 77, width); the last is before the final norm."""

    layers: tuple[Tensor, ...]
    pooled: Tensor | None


@dataclass(frozen=True, slots=True)
class State:
    """What a denoiser gets of one text. Shapes: context (tokens, width), pooled (width,)."""

    context: Tensor
    pooled: Tensor | None


class ClipText:
    """Tokenizer and encoder of one checkpoint."""

    def __init__(self, tokenizer: Any, encoder: Any) -> None:
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.width: int = encoder.config.hidden_size
        self._length: int = tokenizer.model_max_length
        self._body: int = self._length - 2

    def count_chunks(self, text: str) -> int:
        """Of 75 tokens and their brackets; at least 1."""
        return max(1, -(-len(self._pieces(text)) // self._body))

    def tokenize(self, text: str, num_chunks: int) -> Tokens:
        """Exactly what the tokenizer itself makes of a text that has no weights and fits."""
        pieces = self._pieces(text)
        start, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        padding = self.tokenizer.pad_token_id
        ids: list[list[int]] = []
        weights: list[list[float]] = []
        for chunk in range(num_chunks):
            body = pieces[chunk * self._body : (chunk + 1) * self._body]
            rest = self._body - len(body)
            ids.append([start, *(token for token, _ in body), end, *[padding] * rest])
            weights.append([1.0, *(weight for _, weight in body), *[1.0] * (rest + 1)])
        return Tokens(torch.tensor(ids), torch.tensor(weights))

    @torch.inference_mode()
    def encode(self, texts: Sequence[Tokens]) -> list[Hidden]:
        """All hidden states of each text; texts have the same number of chunks."""
        ids = torch.cat([tokens.ids for tokens in texts])
        parts = [self._run(part) for part in ids.split(MAX_BATCH)]
        layers = tuple(
            torch.cat(same) for same in zip(*(part.layers for part in parts), strict=True)
        )
        pooled = [part.pooled for part in parts if part.pooled is not None]
        return [
            Hidden(
                tuple(layer[start : start + len(tokens.ids)] for layer in layers),
                torch.cat(pooled)[start] if pooled else None,
            )
            for start, tokens in zip(_starts(texts), texts, strict=True)
        ]

    def states(
        self, texts: Sequence[Tokens], layers: Sequence[int], *, is_normed: bool
    ) -> list[State]:
        """One layer of each text, its weights applied; without weights exactly that layer.

        `is_normed` applies the encoder's final norm first, whichever layer it is.
        """
        empty: Hidden | None = None
        states: list[State] = []
        for text, hidden, layer in zip(texts, self.encode(texts), layers, strict=True):
            state = self._norm(hidden.layers[layer], is_normed)
            if text.has_weights:
                empty = empty or self.encode([self.tokenize("", 1)])[0]
                state = weigh(state, text.weights, self._norm(empty.layers[layer], is_normed)[0])
            states.append(State(state.flatten(0, 1), hidden.pooled))
        return states

    @torch.inference_mode()
    def _norm(self, hidden: Tensor, is_normed: bool) -> Tensor:
        if not is_normed:
            return hidden
        # transformers 5 took the inner model away.
        return getattr(self.encoder, "text_model", self.encoder).final_layer_norm(hidden)

    def _run(self, ids: Tensor) -> Hidden:
        # A batch of one takes other kernels than a batch of two; the picture should not know.
        padded = torch.cat([ids, ids]) if len(ids) == 1 else ids
        output = self.encoder(padded.to(self.encoder.device), output_hidden_states=True)
        pooled = getattr(output, "text_embeds", None)
        return Hidden(
            tuple(layer[: len(ids)] for layer in output.hidden_states),
            None if pooled is None else pooled[: len(ids)],
        )

    def _pieces(self, text: str) -> list[tuple[int, float]]:
        return [
            (token, weight)
            for words, weight in parse_weights(text)
            for token in self.tokenizer(words, add_special_tokens=False).input_ids
        ]


def weigh(hidden: Tensor, weights: Tensor, empty: Tensor) -> Tensor:
    """Moves each token's state away from an empty prompt's, or towards it, by its weight.

    Shapes: hidden (chunks, 77, width), weights (chunks, 77), empty (77, width). Source: ComfyUI's
    `encode_token_weights`; for weights of 1 and more it is compel's mathematics too.
    """
    weighted = empty + weights.to(hidden.device)[:, :, None] * (hidden.float() - empty.float())
    return weighted.to(hidden.dtype)


def _starts(texts: Sequence[Tokens]) -> list[int]:
    starts = [0]
    for tokens in texts:
        starts.append(starts[-1] + len(tokens.ids))
    return starts[:-1]
