"""The engine: requests in, events out, one bounded piece of work a step.

It owns the requests and decides what is done next; the planner says who, the runner how. It is
driven by one thread; what happens around it (processes, admission, PNG) is `serving`'s.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from ..checkpoint import describe
from ..errors import ModelError, OutOfMemoryError, RequestFailedError
from ..events import Event, Failed, Finished, Result
from ..limits import rows_of
from .compiling import Compiler
from .completing import complete
from .conditioning import Conditioner
from .crowd import Crowd
from .darkroom import Darkroom
from .device import choose_device, choose_dtype
from .entrance import Entrance
from .guestlist import Guestlist
from .heap import keep_freed_memory
from .lanes import Lanes
from .live import Live, Phase
from .memory import TOO_BIG, choose_meter, is_out_of_memory, release
from .outbox import Outbox
from .pace import Pace
from .planner import Planner
from .runner import Runner
from .shelf import Shelf
from .stats import EngineStats
from .stock import Stock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from PIL.Image import Image

    from ..checkpoint import Adapter, Checkpoint
    from ..request import Request
    from .lane import Lane
    from .memory import Meter

log = logging.getLogger(__name__)

MAX_ROWS: Final = 32
COMPILER: Final = "inductor"
"""torch.compile's own backend."""
MAX_LIVE: Final = 256
"""Requests with slots; more wait, unencoded."""
PATIENCE_S: Final = 10.0
"""A swap of models takes seconds: it should serve more than one request."""
_PREVIEW_EVERY_S: Final = 0.5


def _ignore(_name: str) -> None: ...


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
        compile_with: str = "",
        meter: Meter | None = None,
        on_loading: Callable[[str], None] = _ignore,
        on_loaded: Callable[[str], None] = _ignore,
    ) -> None:
        """`memory_bytes` bounds the weights of all models; `fixed_bucket` pads every tick to that
        many rows, which makes a request's bytes independent of its companions; `patience_s` is how
        long requests wait at most before their model takes the place of a busy one; `compile_with`
        is a backend of torch.compile, empty for none; `meter` reads the memory;
        `on_loading` is told a model's name before it is loaded and measured, which takes seconds to
        minutes within one step, `on_loaded` after, also where it failed.

        Raises `InvalidRequestError` for a device or dtype that this machine does not have.
        """
        self.device = choose_device(device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.dtype = choose_dtype(dtype, self.device)
        self._meter = meter or choose_meter(self.device)
        self._adapters = {adapter.name: adapter for adapter in adapters}
        self._shelf = Shelf(checkpoints, self.device, self.dtype, memory_bytes)
        self._crowd = Crowd()
        self._planner = Planner(max_rows=max_rows, fixed_bucket=fixed_bucket)
        self._compiler = Compiler(compile_with)
        self._runner = Runner(self._compiler)
        self._lanes = Lanes(self._planner, self._runner, self._meter)
        self._conditioner = Conditioner()
        self._guestlist = Guestlist(
            self._crowd,
            self._shelf,
            self._planner.shares,
            max_live=max_live,
            patience_s=patience_s,
        )
        self._stock = Stock(
            self._shelf,
            self._lanes,
            self._conditioner,
            self._compiler,
            self._meter,
            on_loading=on_loading,
            on_loaded=on_loaded,
        )
        self._entrance = Entrance(self._conditioner, self._stock.open_lane, self._fail)
        self._darkroom = Darkroom(self.device, is_exact=fixed_bucket is not None)
        self._pace = Pace(self.device)
        self._outbox = Outbox()
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
        whole = complete(request, checkpoint, self._adapters)
        assert whole.width is not None
        assert whole.height is not None
        rows = rows_of(whole, checkpoint)
        cost = rows * whole.width * whole.height / checkpoint.size_px**2
        live = Live(self._next_id, whole, rows, cost, time.perf_counter())
        self._next_id += 1
        self._crowd.add(live)
        return live.id

    def cancel(self, request_id: int) -> bool:
        """Its rows are free before the next tick. False if it is not (or no longer) here."""
        live = self._crowd.get(request_id)
        if live is None:
            return False
        self._drop(live)
        self._outbox.cancel(live)
        return True

    def watch(self, request_id: int, on: bool = True) -> None:
        """Whether previews of it are made: somebody looks."""
        live = self._crowd.get(request_id)
        if live is not None:
            live.is_watched = on

    def load(self, name: str = "") -> None:
        """Gets a model ready; otherwise the first request for it waits. Raises `ModelError`."""
        self._stock.ready(self._shelf.checkpoint(name).name, self._crowd.is_busy)

    @property
    def compiles(self) -> bool:
        """Whether `compile` does anything."""
        return self._compiler.is_on

    def compile(self, name: str = "") -> None:
        """Compiles a loaded model's own size for every bucket, for minutes; where that fails the
        log and the stats say why, and it is painted with as it is."""
        model = self._stock.ready(self._shelf.checkpoint(name).name, self._crowd.is_busy)
        self._stock.compile(model, self._planner.buckets())

    def rest(self) -> None:
        """Gives freed memory back to the system, for nothing is asked for just now; the next tick
        takes it anew."""
        release(self.device)

    def close(self) -> None:
        """Drops every request and every model; the engine can be used again."""
        for live in self._crowd.all():
            self.cancel(live.id)
        self._stock.clear()

    @property
    def is_idle(self) -> bool:
        """Nothing to do and nothing to tell."""
        return not len(self._crowd) and not len(self._outbox)

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
            num_captured=self._runner.num_captured,
            models=self._shelf.loaded,
            memory_bytes=self._meter.held_bytes(),
            uncompiled=self._compiler.refused,
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
        return self._outbox.fetch()

    def _admit(self) -> bool:
        """Waiting requests of one model get encoded and a slot each."""
        chosen = self._guestlist.next()
        if not chosen:
            return False
        parties = [chosen]
        while parties:
            party = [live for live in parties.pop(0) if live.id in self._crowd]
            error = self._try_to_let_in(party)
            if error is None:
                continue
            if len(party) == 1 or isinstance(error, ModelError):
                for live in party:
                    if live.id in self._crowd:
                        self._fail(live, error)
                continue
            # One of them spoils the encoding, or all at once are too many: each for itself.
            parties = [[live] for live in party]
        return True

    def _try_to_let_in(self, chosen: Sequence[Live]) -> Exception | None:
        """What came of it. A want of memory is translated: its trace would hold on to memory."""
        if not chosen:
            return None
        name, loras = chosen[0].request.model, chosen[0].request.loras
        try:
            model = self._stock.ready(name, self._crowd.is_busy)
            model.use_adapters(loras, self._adapters)
            self._outbox.start(self._entrance.admit(chosen, model, self._shelf.tables(name)))
        except Exception as error:
            if not is_out_of_memory(error):
                return error
        else:
            return None
        log.warning("out of memory letting %d requests in", len(chosen))
        release(self.device)
        return OutOfMemoryError(TOO_BIG)

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
        self._planner.finish(plan)
        if (timed := self._pace.end(plan)) is not None:
            known, seconds = timed
            self._planner.learn(known, seconds)
            self._last_tick = (known.rows, known.bucket, seconds)
        if lane.forward_rows is not None:
            self._planner.limit(plan.key, lane.forward_rows)
        self._ticks += 1
        for live in plan.lives:
            if live.id in broken:
                self._fail(live, broken[live.id])
            else:
                self._advance(live, lane)
        return True

    def _advance(self, live: Live, lane: Lane) -> None:
        live.tick += 1
        self._outbox.progress(live)
        now = time.perf_counter()
        if live.is_denoised:
            live.phase = Phase.DECODING
            live.denoised_at, live.denoised_tick = now, self._ticks
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
        self._outbox.preview(live, picture)

    def _develop(self) -> bool:
        """Finished latents become pictures, a few at a time."""
        now = self._ticks if self._crowd.live_rows else None
        finished = self._crowd.in_phase(Phase.DECODING)
        lives = self._darkroom.choose(finished, self._lanes, now, self._last_tick[2])
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
        self._outbox.finish(live, picture)

    def _fail(self, live: Live, error: Exception) -> None:
        self._drop(live)
        if is_out_of_memory(error):
            error = OutOfMemoryError(TOO_BIG)
        self._outbox.fail(live, error)

    def _drop(self, live: Live) -> None:
        """Forgets a request, whatever phase it is in; its slot and rows are free at once."""
        self._crowd.remove(live)
        self._lanes.leave(live)
