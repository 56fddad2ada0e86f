"""The words on a card: prompt, settings that differ, progress, time. Pure.

Where they stand is `layout`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..ask import Kind
from ..pricing import credits_text
from ..prompts import Flags, Line, escape, shorten, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...pipelines.checkpoint import Checkpoint
    from ...pipelines.request import Lora
    from ...storage.records import Job
    from ..ask import Ask

PROMPT_LENGTH = 600
"""Characters of a prompt that a card shows; the whole of a longer one is in a file under it."""

_BAR_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a card need not say."""

    model: str
    """The first configured one."""
    checkpoint: Checkpoint | None
    """The ask's own; None where it is no longer configured, and everything is said."""


def prompt(ask: Ask) -> str:
    """The prompt in bold, letter for letter."""
    return f"**{escape(shorten(ask.prompt, PROMPT_LENGTH))}**" if ask.prompt else "*(no words)*"


def is_long(ask: Ask) -> bool:
    return len(ask.prompt) > PROMPT_LENGTH or len(ask.negative_prompt) > _NEGATIVE_LENGTH


_NEGATIVE_LENGTH = 200


def differing(ask: Ask, defaults: Defaults) -> list[str]:
    """Each setting that is not the model's default, ready to be shown."""
    usual = defaults.checkpoint
    said: list[str] = []
    if ask.model and ask.model != defaults.model:
        said.append(f"model {escape(ask.model)}")
    if ask.style:
        said.append(f"style {escape(ask.style)}")
    said += [f"adapter {escape(lora.name)}{_weight(lora)}" for lora in ask.loras]
    if ask.width and ask.height and (not usual or {ask.width, ask.height} != {usual.size_px}):
        said.append(f"{ask.width}×{ask.height}")
    if ask.steps is not None and (not usual or ask.steps != usual.steps):
        said.append(f"{ask.steps} steps")
    if ask.guidance_scale is not None and (not usual or ask.guidance_scale != usual.guidance_scale):
        said.append(f"guidance {ask.guidance_scale:g}")
    if ask.sampler and (not usual or ask.sampler != usual.sampler):
        said.append(escape(ask.sampler))
    if ask.init_image and ask.strength is not None:
        said.append(f"strength {ask.strength:g}")
    if ask.negative_prompt:
        said.append(f"without {escape(shorten(ask.negative_prompt, _NEGATIVE_LENGTH))}")
    said += [escape(note) for note in ask.notes]
    return said


def kind(ask: Ask) -> str:
    """What a card is about, where it is not simply a painting."""
    match ask.kind:
        case Kind.VARIATION:
            return "Variation"
        case Kind.INPAINT:
            return "Inpainting"
        case Kind.IMAGINE:
            return "Over a picture" if ask.init_image else ""


def seeds(seeds: Sequence[int]) -> str:
    """Each picture's seed, in their order."""
    if not seeds:
        return "The pictures are not in the store any more."
    label = "Seed" if len(seeds) == 1 else "Seeds"
    return f"{label} {', '.join(map(str, seeds))}"


def place(place: int, wait_s: float | None) -> str:
    """Where a job stands in the queue, with an estimate only where something was measured."""
    where = "Next in the queue" if place <= 1 else f"Place {place} in the queue"
    return where if wait_s is None else f"{where} · begins in {duration(wait_s)}"


def starting(place: int) -> str:
    """While nobody can be painted for yet; how long that takes was never measured."""
    where = f"Place {place} in the queue · the" if place > 1 else "The"
    return f"{where} painter is starting …"


def progress(step: int, steps: int, left_s: float | None) -> str:
    share = min(1.0, step / steps) if steps else 0.0
    filled = int(share * _BAR_LENGTH)
    bar = "▰" * filled + "▱" * (_BAR_LENGTH - filled)
    left = "" if left_s is None else f" · {duration(left_s)} left"
    return f"{bar} {share:.0%}{left}"


def duration(seconds: float) -> str:
    """As exact as a person wants it: `4 s`, `40 s`, `3 min`, `2 h`."""
    if seconds < 9.5:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{round(seconds / 5) * 5} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def blocked(num_blocked: int, num_pictures: int) -> str:
    """Why a card shows fewer pictures than were asked for."""
    which = "it" if num_blocked == 1 else "them"
    return f"{num_blocked} of {num_pictures} not shown: the safety checker finds {which} unsafe."


def footer(job: Job, cost: int | None = None) -> str:
    """Who asked, how long it took, what it cost, and the number to name it by."""
    parts = [f"<@{job.new.origin.user_id}>"]
    if job.started_at is not None and job.stored_at is not None:
        parts.append(f"painted in {duration(job.stored_at - job.started_at)}")
    parts.append(credits_text(job.new.cost if cost is None else cost))
    parts.append(f"#{job.id}")
    return small(" · ".join(parts))


def small(text: str) -> str:
    return f"-# {text}"


def typed(ask: Ask, *, defaults: Defaults | None = None) -> str:
    """The ask as one could type it after /imagine; with `defaults`, only what differs from them."""
    usual = defaults.checkpoint if defaults else None
    is_usual_size = usual is not None and {ask.width, ask.height} == {usual.size_px}
    flags = Flags(
        width=None if is_usual_size else ask.width,
        height=None if is_usual_size else ask.height,
        seed=ask.seed,
        negative=ask.negative_prompt,
        steps=None if usual and ask.steps == usual.steps else ask.steps,
        guidance_scale=(
            None if usual and ask.guidance_scale == usual.guidance_scale else ask.guidance_scale
        ),
        strength=ask.strength if ask.init_image else None,
        count=ask.count if ask.count != 1 else None,
        sampler="" if usual and ask.sampler == usual.sampler else ask.sampler or "",
        model="" if defaults and ask.model == defaults.model else ask.model,
        style=ask.style,
    )
    return write(Line(ask.prompt, flags, ask.loras))


def parameters(ask: Ask, seed: int, width: int, height: int) -> str:
    """Every setting of one picture, a line each, in the words of this bot."""
    lines = [
        f"prompt: {ask.prompt}",
        f"negative: {ask.negative_prompt}" if ask.negative_prompt else "",
        f"seed: {seed}",
        f"size: {width}x{height}",
        f"steps: {ask.steps}",
        f"guidance: {ask.guidance_scale:g}" if ask.guidance_scale is not None else "",
        f"sampler: {ask.sampler}",
        f"model: {ask.model}",
        f"style: {ask.style}" if ask.style else "",
        *(f"adapter: {lora.name}{_weight(lora)}" for lora in ask.loras),
        f"strength: {ask.strength:g}" if ask.init_image and ask.strength is not None else "",
    ]
    return "\n".join(line for line in lines if line)


def _weight(lora: Lora) -> str:
    return "" if lora.weight is None else f" {lora.weight:g}"
