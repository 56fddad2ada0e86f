"""The engine: requests in, events out, one bounded piece of work a step.

It owns the requests and decides what is done next; the planner says who, the runner how. It is
driven by one thread; what happens around it (processes, admission, PNG) is `serving`'s.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import psutil
import torch

from ..checkpoint import describe
from ..errors import InvalidRequestError, ModelError, PipelineError, RequestFailedError
from ..events import (
    Cancelled,
    Event,
    Failed,
    Finished,
    Preview,
    Progress,
    Result,
    Started,
    Timings,
)
from ..limits import check, fill, rows_of
from ..prompt import take_loras
from .conditioning import Conditioner
from .crowd import Crowd
from .darkroom import Darkroom
from .device import choose_device, choose_dtype
from .entrance import Entrance
from .lane import Lane
from .live import BatchKey, Live, Phase
from .pace import Pace
from .planner import Planner
from .runner import Runner
from .shelf import Shelf
from .stats import EngineStats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from PIL.Image import Image

    from ..checkpoint import Adapter, Checkpoint
    from ..families.family import Model
    from ..request import Lora, Request

log = logging.getLogger(__name__)

_KEPT_LANES: Final = 4

MAX_ROWS: Final = 32
MAX_LIVE: Final = 256
"""Requests with slots; more wait, unencoded."""
PATIENCE_S: Final = 10.0
"""A swap of models takes seconds: it should serve more than one request."""
_MAX_ADMITTED: Final = 8
"""At a time: a flood's encoding does not hold up the next tick."""
_PREVIEW_EVERY_S: Final = 0.5


class Engine:
    """Paints everybody's requests in shared forward passes."""

    def __init__(
        self,
        checkpoints: Sequence[Checkpoint],
        *,
        device: str = "cpu",
        dtype: str = "float32",
        adapters: Sequence[Adapter] = (),
        memory_bytes: int | None = None,
        max_rows: int = MAX_ROWS,
        max_live: int = MAX_LIVE,
        fixed_bucket: int | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`memory_bytes` bounds the weights of all models; `fixed_bucket` pads every tick to that
        many rows, which makes a request's bytes independent of its companions; `patience_s` is how
        long requests wait at most before their model takes the place of a busy one.

        Raises `InvalidRequestError` for a device or dtype that this machine does not have.
        """
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        self._shelf = Shelf(checkpoints, self.device, self.dtype, memory_bytes)
        self._adapters = {adapter.name: adapter for adapter in adapters}
        self._crowd = Crowd()
        self._planner = Planner(max_rows=max_rows, fixed_bucket=fixed_bucket)
        self._runner = Runner()
        self._lanes: dict[BatchKey, Lane] = {}
        self._conditioner = Conditioner()
        self._entrance = Entrance(self._conditioner, self._lane, self._fail)
        self._darkroom = Darkroom(self.device)
        self._pace = Pace(self.device)
        self._max_live = max_live
        self._patience_s = patience_s
        self._outbox: list[Event] = []
        self._next_id = 1
        self._turn = 0
        self._ticks = 0
        self._painted = 0
        self._last_tick = (0, 0, 0.0)

    @classmethod
    def from_pretrained(
        cls,
        path: Path | str,
        device: str = "cpu",
        dtype: str = "float32",
        *,
        fixed_bucket: int | None = None,
    ) -> Engine:
        """An engine for one checkpoint, loaded at once. Raises `ModelError`."""
        checkpoint = describe(path)
        engine = cls([checkpoint], device=device, dtype=dtype, fixed_bucket=fixed_bucket)
        engine.load(checkpoint.name)
        return engine

    # What is asked of it.

    def add(self, request: Request) -> int:
        """Takes a request; it joins at the next tick. Raises `InvalidRequestError`."""
        checkpoint = self._shelf.checkpoint(request.model)
        filled = self._resolve_loras(fill(request, checkpoint), checkpoint)
        check(filled, checkpoint)
        if filled.seed is None:
            filled = replace(filled, seed=random.SystemRandom().getrandbits(32))
        assert filled.width is not None
        assert filled.height is not None
        rows = rows_of(filled, checkpoint)
        cost = rows * filled.width * filled.height / checkpoint.size_px**2
        live = Live(self._next_id, filled, rows, cost, time.perf_counter())
        self._next_id += 1
        self._crowd.add(live)
        return live.id

    def _resolve_loras(self, request: Request, checkpoint: Checkpoint) -> Request:
        """Adapters named in the prompt are asked for like the others; each must be known here."""
        prompt, named = take_loras(request.prompt)
        loras: list[Lora] = []
        for lora in (*request.loras, *named):
            adapter = self._adapters.get(lora.name)
            if adapter is None:
                raise InvalidRequestError(f"There is no adapter called {lora.name!r} here.")
            if adapter.models and checkpoint.name not in adapter.models:
                raise InvalidRequestError(
                    f"The adapter {lora.name!r} was not made for the model {checkpoint.name}."
                )
            loras.append(replace(lora, weight=adapter.weight) if lora.weight is None else lora)
        return replace(request, prompt=prompt, loras=tuple(loras))

    def cancel(self, request_id: int) -> bool:
        """Its rows are free before the next tick. False if it is not (or no longer) here."""
        live = self._crowd.get(request_id)
        if live is None:
            return False
        self._drop(live)
        self._outbox.append(Cancelled(request_id))
        return True

    def watch(self, request_id: int, on: bool = True) -> None:
        """Whether previews of it are made: somebody looks."""
        live = self._crowd.get(request_id)
        if live is not None:
            live.is_watched = on

    def load(self, name: str = "") -> None:
        """Warms a model up; otherwise the first request for it waits. Raises `ModelError`."""
        self._shelf.get(self._shelf.checkpoint(name).name, self._crowd.is_busy)
        self._drop_stale_lanes()

    def close(self) -> None:
        """Drops every request and every model; the engine can be used again."""
        for live in self._crowd.all():
            self.cancel(live.id)
        self._lanes.clear()
        self._shelf.clear()

    @property
    def is_idle(self) -> bool:
        """Nothing to do and nothing to tell."""
        return not len(self._crowd) and not self._outbox

    @property
    def max_rows(self) -> int:
        """Of one forward pass."""
        return self._planner.max_rows

    @property
    def live_rows(self) -> int:
        return self._crowd.live_rows

    @property
    def stats(self) -> EngineStats:
        rows, bucket, seconds = self._last_tick
        return EngineStats(
            ticks=self._ticks,
            painted=self._painted,
            last_rows=rows,
            last_bucket=bucket,
            last_tick_s=seconds,
            live_rows=self._crowd.live_rows,
            num_waiting=len(self._crowd.in_phase(Phase.WAITING)),
            num_denoising=len(self._crowd.in_phase(Phase.DENOISING)),
            num_decoding=len(self._crowd.in_phase(Phase.DECODING)),
            models=self._shelf.loaded,
            memory_bytes=self._memory_bytes(),
        )

    def run(self, requests: Iterable[Request]) -> list[Result]:
        """Paints them all, in order. Raises the first one's error that fails."""
        wanted = [self.add(request) for request in requests]
        results: dict[int, Result] = {}
        while len(results) < len(wanted):
            for event in self.step():
                match event:
                    case Finished(request_id, result):
                        results[request_id] = result
                    case Failed(request_id, error) if request_id in wanted:
                        for other in wanted:
                            self.cancel(other)
                        raise error
                    case _:
                        pass
        return [results[request_id] for request_id in wanted]

    # What it does.

    def step(self) -> list[Event]:
        """One bounded piece of work: requests let in, a tick, or pictures decoded, in turn."""
        pieces = (self._admit, self._tick, self._develop)
        for offset in range(len(pieces)):
            piece = pieces[(self._turn + offset) % len(pieces)]
            if piece():
                self._turn = (self._turn + offset + 1) % len(pieces)
                break
        events, self._outbox = self._outbox, []
        return events

    def _admit(self) -> bool:
        """Waiting requests of one model get encoded and a slot each."""
        waiting = self._crowd.in_phase(Phase.WAITING)
        self._planner.shares.meet(self._crowd.tenants())
        chosen = self._choose_waiting(waiting)
        if not chosen:
            return False
        try:
            self._let_in(chosen)
        except Exception as error:
            if len(chosen) == 1 or isinstance(error, ModelError):
                for live in chosen:
                    self._fail(live, error)
                return True
            # One of them spoils the encoding: each has to stand for itself.
            for live in chosen:
                try:
                    self._let_in([live])
                except Exception as own:
                    self._fail(live, own)
        return True

    def _let_in(self, chosen: Sequence[Live]) -> None:
        name, loras = chosen[0].request.model, chosen[0].request.loras
        model = self._shelf.get(name, self._crowd.is_busy)
        self._drop_stale_lanes()
        model.use_adapters(loras, self._adapters)
        admitted = self._entrance.admit(chosen, model, self._shelf.tables(name))
        self._outbox.extend(Started(live.id) for live in admitted)

    def _choose_waiting(self, waiting: Sequence[Live]) -> list[Live]:
        """The fairest next ones of one model and its adapters, whose weights are or can be here."""
        held = Counter(live.tenant for live in self._crowd.all() if live.phase is not Phase.WAITING)
        room = self._max_live - held.total()
        used = self._planner.shares.used
        ordered = sorted(self._reachable(waiting), key=lambda live: (used(live.tenant), live.id))
        if not ordered:
            return []
        first = ordered[0].request
        chosen: list[Live] = []
        for live in ordered:
            is_same = (live.request.model, live.request.loras) == (first.model, first.loras)
            # The last slots are for those who have none: a flood does not shut the door.
            kept_free = self._max_live // 4 if held[live.tenant] else 0
            if is_same and room > kept_free and len(chosen) < _MAX_ADMITTED:
                chosen.append(live)
                held[live.tenant] += 1
                room -= 1
        return sorted(chosen, key=lambda live: live.id)

    def _reachable(self, waiting: Sequence[Live]) -> list[Live]:
        """Requests whose model is here or has room. A model that has to take another's place
        waits for a while, so that one swap serves many, and then nobody else is let in before."""
        shelf, is_busy = self._shelf, self._crowd.is_busy
        away = [live for live in waiting if not shelf.has_room(live.request.model)]
        patience_ends = time.perf_counter() - self._patience_s
        overdue = [live for live in away if live.added_at <= patience_ends]
        if overdue:
            return [live for live in overdue if shelf.can_load(live.request.model, is_busy)]
        near = [live for live in waiting if shelf.has_room(live.request.model)]
        if near or self._crowd.live_rows:
            return near
        return [live for live in away if shelf.can_load(live.request.model, is_busy)]

    def _tick(self) -> bool:
        """Plan, forward and update, finish."""
        plan = self._planner.plan(self._crowd.in_phase(Phase.DENOISING))
        if plan is None:
            return False
        lane = self._lanes[plan.key]
        self._pace.begin()
        try:
            lane.model.use_adapters(plan.key.loras, self._adapters)
            broken = self._runner.run(lane, plan)
        except Exception as error:
            for live in plan.lives:
                self._fail(live, error)
            return True
        seconds = self._pace.end()
        self._planner.finish(plan, seconds)
        if lane.forward_rows is not None:
            self._planner.limit(plan.key, lane.forward_rows)
        self._ticks += 1
        self._last_tick = (plan.rows, plan.bucket, seconds)
        for live in plan.lives:
            if live.id in broken:
                self._fail(live, broken[live.id])
            else:
                self._advance(live, lane)
        return True

    def _advance(self, live: Live, lane: Lane) -> None:
        assert live.table is not None
        live.tick += 1
        self._outbox.append(Progress(live.id, live.step, live.table.steps))
        now = time.perf_counter()
        if live.is_denoised:
            live.phase = Phase.DECODING
            live.denoised_at = now
        elif live.is_watched and now - live.previewed_at >= _PREVIEW_EVERY_S:
            live.previewed_at = now
            self._preview(live, lane)

    def _preview(self, live: Live, lane: Lane) -> None:
        """A courtesy: one that fails is the last for this request, and harms nobody."""
        try:
            picture = self._darkroom.preview(lane.model, self._runner.estimate(lane, live))
        except Exception:
            log.warning("no more previews of request %d", live.id, exc_info=True)
            live.is_watched = False
            return
        self._outbox.append(Preview(live.id, picture))

    def _develop(self) -> bool:
        """Finished latents become pictures, a few at a time."""
        lives = self._darkroom.choose(self._crowd.in_phase(Phase.DECODING))
        if lives and lives[0].key is not None:
            try:
                self._darkroom.begin(self._lanes[lives[0].key], lives)
            except Exception as error:
                for live in lives:
                    self._fail(live, error)
        sheet = self._darkroom.collect(wait=not self._crowd.live_rows)
        if sheet is None:
            return bool(lives)
        for live, picture in zip(sheet.lives, sheet.pictures(), strict=True):
            if live.id in self._crowd:
                self._finish(live, picture)
        return True

    def _finish(self, live: Live, picture: Image | None) -> None:
        if picture is None:
            sentence = "The picture came out broken; try another seed, sampler or guidance."
            self._fail(live, RequestFailedError(sentence))
            return
        self._drop(live)
        self._painted += 1
        assert live.request.seed is not None
        result = Result(picture, live.request.seed, live.request, _timings(live))
        self._outbox.append(Finished(live.id, result))

    # What it keeps.

    def _lane(self, key: BatchKey, model: Model) -> Lane:
        if key not in self._lanes:
            self._lanes[key] = Lane(key, model)
        return self._lanes[key]

    def _drop(self, live: Live) -> None:
        """Forgets a request, whatever phase it is in; its slot and rows are free at once."""
        self._crowd.remove(live)
        if live.slot >= 0 and live.key is not None:
            lane = self._lanes[live.key]
            lane.give_back(live.slot)
            live.slot = -1
            if not lane.num_live:
                self._trim_lanes()

    def _trim_lanes(self) -> None:
        """A lane without requests is kept for the next one, but not many of them."""
        idle = [key for key, lane in self._lanes.items() if not lane.num_live]
        for key in idle[:-_KEPT_LANES]:
            self._close_lane(key)

    def _drop_stale_lanes(self) -> None:
        """Lanes of models that were unloaded would keep their weights alive."""
        for key in [key for key in self._lanes if not self._shelf.is_loaded(key.model)]:
            self._close_lane(key)
            self._conditioner.forget(key.model)

    def _close_lane(self, key: BatchKey) -> None:
        self._runner.forget(self._lanes.pop(key))
        self._planner.forget(key)

    def _fail(self, live: Live, error: Exception) -> None:
        if not isinstance(error, PipelineError):
            log.error("request %d failed", live.id, exc_info=error)
            translated = RequestFailedError("Painting this failed; the log says why.")
            translated.__cause__ = error
            error = translated
        self._drop(live)
        self._outbox.append(Failed(live.id, error))

    def _memory_bytes(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.memory_allocated(self.device)
        return psutil.Process().memory_info().rss


def _timings(live: Live) -> Timings:
    now = time.perf_counter()
    return Timings(
        waited_s=live.joined_at - live.encoded_s - live.added_at,
        encoded_s=live.encoded_s,
        denoised_s=live.denoised_at - live.joined_at,
        decoded_s=now - live.denoised_at,
    )
