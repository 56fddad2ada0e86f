"""Brings waiting requests into the batch: texts and pictures encoded together, then a slot each.

Which requests come next is the engine's; what a beginning looks like is `beginning`'s.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ..errors import OutOfMemoryError
from .beginning import Brush, Canvas, Posterior, from_text, inside_mask, open_canvas, over_picture
from .darkroom import CHUNK_PIXELS, MAX_CHUNK
from .live import BatchKey, Phase
from .memory import TOO_BIG, is_out_of_memory, release

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..families.family import Conditioning, Model, PromptAsk
    from ..sampling.table import Table
    from ..sampling.tables import Tables
    from .conditioning import Conditioner
    from .lane import Beginning, Lane
    from .live import Live

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Guest:
    """A waiting request on its way in."""

    live: Live
    key: BatchKey
    lane: Lane
    table: Table
    asks: tuple[PromptAsk, ...]
    canvas: Canvas | None


class Entrance:
    """One model's door, opened for a handful of requests at a time."""

    def __init__(
        self,
        conditioner: Conditioner,
        open_lane: Callable[[BatchKey, Model], Lane],
        fail: Callable[[Live, Exception], None],
    ) -> None:
        self._conditioner = conditioner
        self._open_lane = open_lane
        self._fail = fail

    def admit(self, lives: Sequence[Live], model: Model, tables: Tables) -> list[Live]:
        """Those who are in now, oldest first. A request that can't be painted fails alone."""
        started = time.perf_counter()
        guests = [guest for live in lives if (guest := self._invite(live, model, tables))]
        if not guests:
            return []
        loras = guests[0].key.loras
        asks = [ask for guest in guests for ask in guest.asks]
        texts = self._conditioner.encode(model, loras, asks)
        posteriors = self._encode_pictures(guests, model)
        admitted: list[Live] = []
        for guest in guests:
            try:
                begin = _begin(guest, model, texts, posteriors)
                scale = guest.live.request.guidance_scale
                assert scale is not None
                guest.live.slot = guest.lane.take(begin, scale)
            except Exception as error:
                self._fail(guest.live, error)
                continue
            guest.live.key = guest.key
            guest.live.table = guest.table
            guest.live.phase = Phase.DENOISING
            admitted.append(guest.live)
        seconds = time.perf_counter() - started
        for live in admitted:
            live.joined_at = time.perf_counter()
            live.encoded_s = seconds
        return admitted

    def _invite(self, live: Live, model: Model, tables: Tables) -> _Guest | None:
        request = live.request
        assert request.steps is not None
        assert request.sampler is not None
        assert request.width is not None
        assert request.height is not None
        try:
            strength = 1.0 if request.strength is None else request.strength
            table = tables.get(
                request.sampler, request.steps, strength=strength, eta=request.eta or 0.0
            )
            canvas = open_canvas(request, model.codec)
            num_chunks = max(
                model.count_chunks(ask.text)
                for ask in self._conditioner.asks(request, live.rows, 1)
            )
            asks = self._conditioner.asks(request, live.rows, num_chunks)
        except Exception as error:
            self._fail(live, error)
            return None
        factor = model.codec.factor
        key = BatchKey(
            request.model,
            request.loras,
            request.width // factor,
            request.height // factor,
            num_chunks,
        )
        try:
            # Before anything is painted or encoded: where not a row fits, this says so.
            lane = self._open_lane(key, model)
        except Exception as error:
            self._fail(live, error)
            return None
        return _Guest(live, key, lane, table, asks, canvas)

    def _encode_pictures(
        self, guests: Sequence[_Guest], model: Model
    ) -> dict[tuple[int, bool], Posterior]:
        """By request and whether the mask is cut out; equal sizes in one pass."""
        jobs: dict[tuple[int, ...], list[tuple[tuple[int, bool], torch.Tensor]]] = {}
        for guest in guests:
            if guest.canvas is None:
                continue
            pixels = guest.canvas.pixels
            same_size = jobs.setdefault(tuple(pixels.shape), [])
            same_size.append(((guest.live.id, False), pixels))
            if guest.canvas.masked is not None:
                same_size.append(((guest.live.id, True), guest.canvas.masked))
        posteriors: dict[tuple[int, bool], Posterior] = {}
        for shape, same_size in jobs.items():
            most = max(1, min(MAX_CHUNK, CHUNK_PIXELS // (shape[-1] * shape[-2])))
            for start in range(0, len(same_size), most):
                chunk = same_size[start : start + most]
                encoded = _encode(model, [pixels for _, pixels in chunk])
                for (name, _), posterior in zip(chunk, encoded, strict=True):
                    if posterior is not None:
                        posteriors[name] = posterior
        return posteriors


def _encode(model: Model, pixels: list[torch.Tensor]) -> list[Posterior | None]:
    """In one pass; where memory runs out one by one, then in tiles. None: not even so."""
    try:
        return [*model.codec.encode(pixels)]
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    # Only here, where the error's trace holds on to nothing, can memory be given back.
    release(model.device)
    log.warning("out of memory encoding %d pictures; going on one by one", len(pixels))
    return [_encode_alone(model, one) for one in pixels]


def _encode_alone(model: Model, pixels: torch.Tensor) -> Posterior | None:
    for is_tiled in (False, True):
        try:
            return model.codec.encode([pixels], is_alone=True, is_tiled=is_tiled)[0]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        release(model.device)
    return None


def _begin(
    guest: _Guest,
    model: Model,
    texts: Mapping[PromptAsk, Conditioning],
    posteriors: Mapping[tuple[int, bool], Posterior],
) -> Beginning:
    live, request = guest.live, guest.live.request
    assert request.seed is not None
    live.generator = torch.Generator().manual_seed(request.seed)
    shape = (1, model.codec.channels, guest.key.height, guest.key.width)
    brush = Brush(request, model.checkpoint.task, guest.table, model.codec, live.generator, shape)
    conditional = texts[guest.asks[0]]
    unconditional = texts[guest.asks[1]] if len(guest.asks) > 1 else None
    if guest.canvas is None:
        return from_text(brush, conditional, unconditional)
    picture = posteriors.get((live.id, False))
    masked = posteriors.get((live.id, True))
    if picture is None or (guest.canvas.mask is not None and masked is None):
        raise OutOfMemoryError(TOO_BIG)
    if masked is None:
        return over_picture(brush, conditional, unconditional, picture)
    begin = inside_mask(brush, conditional, unconditional, guest.canvas, picture, masked)
    live.is_masked = begin.known is not None
    return begin
