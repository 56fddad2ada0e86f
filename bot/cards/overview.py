"""How busy the painter is and what ails it, for whoever asks: no names, no prompts. Pure.

When it is asked for, and by whom, is `cogs.queue`'s.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from discord import ui

from ...pipelines.serving.state import WorkerStatus
from ..prompts import escape, shorten
from . import text
from .layout import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ...pipelines.serving.state import PoolState, WorkerState

_MOST_LISTED = 8
"""Workers, and broken models: with their sentences they stay well below 4,000 characters."""
_SENTENCE_LENGTH = 180
_WELL = (WorkerStatus.READY, WorkerStatus.BUSY)
SAID = {
    WorkerStatus.STARTING: "starting",
    WorkerStatus.LOADING: "loading its models",
    WorkerStatus.READY: "ready",
    WorkerStatus.BUSY: "painting",
    WorkerStatus.RESTARTING: "about to be started again",
    WorkerStatus.BROKEN: "out of order, tried again every few minutes",
    WorkerStatus.STOPPED: "stopped",
}


@dataclass(frozen=True, slots=True)
class Outlook:
    """What somebody may know who asks how things stand."""

    pool: PoolState
    refusal: str = ""
    """Why a new job of theirs would be refused now; empty: it would be taken."""
    wait_s: float | None = None
    """Until a usual picture of theirs would begin; None where nothing was measured yet."""
    broken_models: Mapping[str, str] = field(default_factory=dict[str, str])
    """What was left out at the start, and a sentence each."""
    folders: Sequence[Path] = ()
    """Where models lie: nobody's business but the owner's."""


def overview(outlook: Outlook) -> View:
    """Queue, workers, models that can't be used: a line each, short enough for a phone."""
    view = View(timeout=None)
    container = ui.Container[View](
        ui.TextDisplay("\n".join(["### Queue", *_queue(outlook)])),
        ui.TextDisplay("\n".join(["### Workers", *_workers(outlook)])),
    )
    broken = list(_broken(outlook))
    if broken:
        container.add_item(ui.TextDisplay("\n".join(["### Models that can't be used", *broken])))
    view.add_item(container)
    return view


def _queue(outlook: Outlook) -> Iterator[str]:
    pool = outlook.pool
    if pool.num_waiting:
        waiting = "1 job waits" if pool.num_waiting == 1 else f"{pool.num_waiting} jobs wait"
        yield f"{waiting}, the oldest for {text.duration(pool.oldest_wait_s)}."
    else:
        yield "Nobody waits."
    painted = pool.num_running or "Nothing"
    yield f"{painted} {'are' if pool.num_running > 1 else 'is'} being painted."
    if outlook.refusal:
        yield f"**Nothing new is taken now:** {tidied(outlook.refusal, outlook.folders)}"
    elif pool.is_paused:
        yield "**Painting is paused:** what you ask for waits until it goes on."
    elif not pool.models:
        yield "**Nothing can be painted yet:** what you ask for waits for a worker."
    elif outlook.wait_s is None:
        yield "How long one takes is known once something was painted."
    elif outlook.wait_s < 1:
        yield "**A picture of yours would begin at once.**"
    else:
        yield f"**A picture of yours would begin in about {text.duration(outlook.wait_s)}.**"


def _workers(outlook: Outlook) -> Iterator[str]:
    workers = outlook.pool.workers
    for worker in workers[:_MOST_LISTED]:
        yield f"`{worker.device}` {SAID[worker.status]}{load(worker)}"
        # Of one that is well only its models are to be told, and they stand below.
        if worker.status not in _WELL and worker.reason:
            yield text.small(tidied(worker.reason, outlook.folders))
    if len(workers) > _MOST_LISTED:
        yield text.small(f"and {len(workers) - _MOST_LISTED} more")


def load(worker: WorkerState) -> str:
    if worker.status not in _WELL:
        return ""
    models = ", ".join(escape(name) for name in worker.models) or "no model"
    return f" · {worker.num_rows} of {worker.max_rows} rows · {shorten(models, 100)}"


def _broken(outlook: Outlook) -> Iterator[str]:
    """A model that one worker can use and another can't is named with that worker."""
    pool = outlook.pool
    said = {name: (name, sentence) for name, sentence in outlook.broken_models.items()}
    for worker in pool.workers:
        for name, sentence in worker.broken_models.items():
            key = f"{name} on {worker.device}" if name in pool.models else name
            said.setdefault(key, (key, sentence))
    for name, sentence in list(said.values())[:_MOST_LISTED]:
        yield f"**{escape(name)}**: {tidied(sentence, outlook.folders)}"
    if len(said) > _MOST_LISTED:
        yield text.small(f"and {len(said) - _MOST_LISTED} more")


def tidied(sentence: str, folders: Sequence[Path]) -> str:
    """Short, and without the folders in which the owner keeps models."""
    for folder in folders:
        sentence = sentence.replace(f"{folder}{os.sep}", "")
    return escape(shorten(sentence, _SENTENCE_LENGTH))
