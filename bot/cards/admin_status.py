"""What an admin may know of the painter and of their own server, and what was checked. Pure.

No paths, and nothing of other servers but how busy the painter is. When it is shown is the cog's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord import ui

from ...storage.guild_records import NsfwPolicy
from ..findings import Finding, State
from ..prompts import escape, shorten
from . import text
from .admin_panel import NSFW
from .overview import SAID, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...pipelines.serving.state import PoolState, WorkerState
    from ..guild_rules import Rules, Slowness

_MOST_WORKERS = 8
_MOST_SLOW = 3
_MOST_CHARACTERS = 3500
"""Of the 4,000 that a message takes."""
_GIB = 2**30


def status(
    pool: PoolState, rules: Rules, slow: Mapping[str, Slowness], now: float
) -> ui.LayoutView:
    """Device, memory, ticks, queue, restarts; then how this server stands."""
    parts = [
        ["### Painter", *_workers(pool)],
        ["### Queue", *_queue(pool)],
        ["### This server", *_server(rules, slow, now)],
    ]
    return _card(parts)


def findings(found: Sequence[Finding]) -> ui.LayoutView:
    """What was looked at; what is wrong comes first."""
    marks = {State.WELL: "✅", State.NOTE: "💡", State.WRONG: "❌"}
    order = [State.WRONG, State.NOTE, State.WELL]
    lines = [
        f"{marks[each.state]} **{escape(each.about)}**: {escape(shorten(each.sentence, 250))}"
        for each in sorted(found, key=lambda each: order.index(each.state))
    ]
    return _card([["### Doctor", *_fitting(lines)]])


def _fitting(lines: Sequence[str]) -> Iterator[str]:
    """As many as one message takes."""
    room = _MOST_CHARACTERS
    for index, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            yield text.small(f"and {len(lines) - index} more")
            return
        yield line


def _card(parts: Sequence[Sequence[str]]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    container = ui.Container[ui.LayoutView]()
    for lines in parts:
        container.add_item(ui.TextDisplay("\n".join(lines)))
    view.add_item(container)
    return view


def _workers(pool: PoolState) -> Iterator[str]:
    for worker in pool.workers[:_MOST_WORKERS]:
        yield f"`{worker.device}` {SAID[worker.status]}{load(worker)}"
        yield text.small(" · ".join(_figures(worker)))
    if len(pool.workers) > _MOST_WORKERS:
        yield text.small(f"and {len(pool.workers) - _MOST_WORKERS} more")


def _figures(worker: WorkerState) -> Iterator[str]:
    if worker.device_memory_bytes:
        yield f"{worker.memory_bytes / _GIB:.1f} of {worker.device_memory_bytes / _GIB:.0f} GiB"
    elif worker.memory_bytes:
        yield f"{worker.memory_bytes / _GIB:.1f} GiB"
    yield f"{worker.ticks:,} ticks"
    if worker.ticks:
        yield f"{worker.rows_per_tick:.1f} rows a tick"
    if worker.tick_s is not None:
        yield f"{worker.tick_s * 1000:.0f} ms a tick"
    yield f"restarted {worker.restarts}×" if worker.restarts else "never restarted"


def _queue(pool: PoolState) -> Iterator[str]:
    yield f"{pool.num_waiting} wait, {pool.num_running} are being painted."
    if pool.num_waiting:
        yield f"The oldest has waited {text.duration(pool.oldest_wait_s)}."
    if pool.is_paused:
        yield "**The painter itself is paused.**"
    failed = sum(pool.failures.values())
    yield f"{pool.pictures:,} pictures and {failed:,} failures since the start."


def _server(rules: Rules, slow: Mapping[str, Slowness], now: float) -> Iterator[str]:
    settings = rules.settings
    yield "**Painting is paused.**" if settings.is_paused else "Painting goes on."
    yield f"Unsafe pictures: {NSFW[NsfwPolicy(settings.nsfw_policy)][0].lower()}."
    bans = sum(ban.until is None or ban.until > now for ban in rules.bans.values())
    yield f"{_count(len(rules.permissions), 'rule')} for channels and roles, {_count(bans, 'ban')}."
    words, expressions = len(rules.words), len(rules.expressions)
    shipped = "on" if settings.blocks_shipped_words else "off"
    yield (
        f"Blocklist: {words:,} words, {_count(expressions, 'expression')}; Limner's list is"
        f" {shipped}."
    )
    for pattern, slowness in list(slow.items())[:_MOST_SLOW]:
        said = escape(shorten(pattern, 60))
        yield f"**Too slow:** ||{said}||, {slowness.num_times}×, <t:{int(slowness.last_at)}:R>."


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
