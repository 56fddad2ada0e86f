"""How a job looks in the chat, from the queue to the end: components v2 from the first edit.

What is said is `text`'s; how it reaches Discord is `delivery`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from ..fitting import Named
from ..pricing import credits_text
from ..prompts import shorten
from . import text
from .buttons import Again, Cancel, Delete, Remix
from .menu import PictureMenu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...storage.records import Job, Picture
    from ..ask import Ask
    from ..context import PictureActions
    from .text import Defaults

_RED = discord.Colour(0xB3261E)
_ALT_LENGTH = 300
_ERROR_LENGTH = 600
_GALLERY_SIZE = 10

View = ui.LayoutView


@dataclass(frozen=True, slots=True)
class Sheet:
    """A message as it is sent or edited: its layout, and the files that the layout shows."""

    view: View
    files: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a job that has not ended stands."""

    place: int = 0
    """In the queue, from 1; 0: about to begin."""
    wait_s: float | None = None
    is_starting: bool = False
    """No worker can paint yet: the model is being loaded."""
    has_begun: bool = False
    step: int = 0
    steps: int = 0
    left_s: float | None = None
    preview: bytes | None = None
    """A small WebP file."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored picture with the file that shows it."""

    picture: Picture
    file: Named


def waiting(job: Job, ask: Ask, defaults: Defaults, stage: Stage) -> Sheet:
    """A job that waits or is being painted."""
    if stage.is_starting:
        state = text.starting(stage.place)
    elif not stage.has_begun:
        state = text.place(stage.place, stage.wait_s) if stage.place else "Beginning …"
    elif stage.steps:
        state = text.progress(stage.step, stage.steps, stage.left_s)
    else:
        state = "Painting …"
    container = ui.Container[View](ui.TextDisplay(_heading(ask)), ui.TextDisplay(state))
    files: tuple[Named, ...] = ()
    if stage.preview is not None:
        preview = Named(f"preview-{job.id}-{stage.step}.webp", stage.preview)
        container.add_item(_gallery([(preview, "How it looks so far")]))
        files = (preview,)
    container.add_item(ui.TextDisplay(_small_print(job, ask, defaults)))
    container.add_item(ui.ActionRow[Any](Cancel(job.id, job.new.origin.user_id)))
    return Sheet(_view(container), files)


def done(
    job: Job,
    ask: Ask,
    defaults: Defaults,
    shown: Sequence[Shown],
    actions: PictureActions,
    *,
    parent_url: str = "",
    cost: int | None = None,
    num_blocked: int = 0,
) -> Sheet:
    """The pictures, how they came to be, and everything that can be done with them.

    `cost` in milli-credits, where it was not what was asked.
    """
    is_private = job.new.origin.is_private
    alt = shorten(ask.prompt, _ALT_LENGTH)
    files = [each.file for each in shown]
    container = ui.Container[View](ui.TextDisplay(_heading(ask, parent_url)))
    if shown:
        container.add_item(
            _gallery(
                [(each.file, f"Seed {each.picture.seed}: {alt}") for each in shown[:_GALLERY_SIZE]]
            )
        )
    seeds = text.seeds([each.picture.seed for each in shown])
    lines = [seeds, _small_print(job, ask, defaults, cost)]
    if num_blocked:
        lines.insert(0, text.blocked(num_blocked, job.new.num_pictures))
        if num_blocked == job.new.num_pictures:
            lines.remove(seeds)
    container.add_item(ui.TextDisplay("\n".join(lines)))
    if text.is_long(ask):
        whole = Named(f"prompt-{job.id}.txt", text.typed(ask).encode())
        files.append(whole)
        container.add_item(ui.File(f"attachment://{whole.name}"))
    for each in shown[:4]:
        container.add_item(
            ui.ActionRow[Any](PictureMenu.under(each.picture, actions, is_private=is_private))
        )
    container.add_item(
        ui.ActionRow[Any](
            Again(job.id, is_private=is_private),
            Remix(job.id, is_private=is_private),
            Delete(job.id, job.new.origin.user_id),
        )
    )
    return Sheet(_view(container), tuple(files))


def failed(job: Job, ask: Ask | None, defaults: Defaults, *, cost: int = 0) -> Sheet:
    """What went wrong, in the words that are fit for a user, and a way to try again."""
    said = text.escape(shorten(job.error, _ERROR_LENGTH)) or "It could not be painted."
    container = ui.Container[View](accent_colour=_RED)
    if ask is not None:
        container.add_item(ui.TextDisplay(_heading(ask)))
    container.add_item(ui.TextDisplay(said))
    container.add_item(ui.TextDisplay(_ended_print(job, ask, defaults, cost)))
    owner_id, is_private = job.new.origin.user_id, job.new.origin.is_private
    container.add_item(
        ui.ActionRow[Any](
            Again(job.id, is_private=is_private, label="Try again"),
            Remix(job.id, is_private=is_private),
            Delete(job.id, owner_id),
        )
    )
    return Sheet(_view(container))


def cancelled(job: Job, ask: Ask | None, defaults: Defaults, *, cost: int = 0) -> Sheet:
    container = ui.Container[View]()
    if ask is not None:
        container.add_item(ui.TextDisplay(_heading(ask)))
    container.add_item(ui.TextDisplay("Cancelled."))
    container.add_item(ui.TextDisplay(_ended_print(job, ask, defaults, cost)))
    owner_id, is_private = job.new.origin.user_id, job.new.origin.is_private
    container.add_item(
        ui.ActionRow[Any](
            Again(job.id, is_private=is_private),
            Remix(job.id, is_private=is_private),
            Delete(job.id, owner_id),
        )
    )
    return Sheet(_view(container))


def addressed(sheet: Sheet, user_id: int) -> Sheet:
    """The sheet with its owner's mention before it, for a new message that has to find them."""
    view = View(timeout=None)
    view.add_item(ui.TextDisplay(f"<@{user_id}>"))
    for item in list(sheet.view.children):
        view.add_item(item)
    return Sheet(view, sheet.files)


def _heading(ask: Ask, parent_url: str = "") -> str:
    kind = text.kind(ask)
    if kind and parent_url:
        kind = f"[{kind}]({parent_url})"
    return f"{text.prompt(ask)}\n{text.small(kind)}" if kind else text.prompt(ask)


def _small_print(job: Job, ask: Ask, defaults: Defaults, cost: int | None = None) -> str:
    said = text.differing(ask, defaults)
    lines = [text.small(" · ".join(said))] if said else []
    return "\n".join([*lines, text.footer(job, cost)])


def _ended_print(job: Job, ask: Ask | None, defaults: Defaults, cost: int) -> str:
    """Like the small print; with a price only where its server has it charged all the same."""
    said = text.differing(ask, defaults) if ask is not None else []
    charged = [credits_text(cost)] if cost else []
    who = f"<@{job.new.origin.user_id}>"
    return text.small(" · ".join([*said, who, *charged, f"#{job.id}"]))


def _gallery(items: Sequence[tuple[Named, str]]) -> ui.MediaGallery[View]:
    gallery = ui.MediaGallery[View]()
    for file, description in items:
        gallery.add_item(
            media=f"attachment://{file.name}",
            description=description,
            spoiler=file.is_spoiler,
        )
    return gallery


def _view(container: ui.Container[View]) -> View:
    view = View(timeout=None)
    view.add_item(container)
    return view
