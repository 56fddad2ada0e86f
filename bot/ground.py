"""The picture that a painting starts from: chosen and judged now, opened after the acknowledgement.

Which stored picture is meant, and who may use it, is `sources`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..pipelines.limits import SAMPLERS
from ..storage.errors import StorageError
from .ask import Ask
from .decoding import decode
from .errors import RefusedError
from .sources import find_stored
from .underlay import plain

if TYPE_CHECKING:
    import discord
    from PIL.Image import Image

    from ..pipelines.finish.parameters import Parameters
    from .attachments import Uploaded
    from .context import Context
    from .sources import Stored
    from .studio import Studio


@dataclass(frozen=True, slots=True)
class Ground:
    """A picture to start from, and how it was asked for where that is known."""

    image: Image
    """RGB or RGBA."""
    base: Ask
    """Prompt and settings to go on from; without a prompt where nothing is known."""
    picture_id: int | None = None
    notes: tuple[str, ...] = ()


Open = Callable[[], Awaitable[Ground]]
"""Reads what was chosen. Raises `RefusedError`."""


def of_upload(interaction: discord.Interaction, context: Context, item: Uploaded) -> Open:
    """Raises `RefusedError` for what need not even be downloaded."""
    context.reader.judge(item)

    async def open_it() -> Ground:
        opened = await context.reader.read(item, interaction.client)
        made_with = opened.made_with
        base = Ask("") if made_with is None else understood(context.studio, made_with)
        return Ground(opened.image, base, notes=opened.notes)

    return open_it


def of_stored(context: Context, stored: Stored) -> Open:
    async def open_it() -> Ground:
        return await open_stored(context, stored)

    return open_it


async def of_options(
    interaction: discord.Interaction,
    context: Context,
    picture: discord.Attachment | None,
    source: str | None,
) -> Open:
    """What a command was given, one of the two. Raises `RefusedError`."""
    if picture is not None:
        return of_upload(interaction, context, picture)
    return of_stored(context, await find_stored(interaction, context, source or ""))


async def open_stored(context: Context, stored: Stored) -> Ground:
    """Raises `RefusedError` where its file is gone."""
    try:
        png = await context.studio.storage.images.read(stored.picture.sha256)
    except StorageError as error:
        raise RefusedError("This picture is gone.") from error
    opened = await asyncio.to_thread(decode, png)
    base = plain(Ask.from_json(stored.job.new.request_json))
    return Ground(opened.image, base, picture_id=stored.picture.id, notes=opened.notes)


def understood(studio: Studio, made_with: Parameters) -> Ask:
    """What a foreign file says of its making, as far as it can be done here."""
    limits = studio.settings.limits
    steps = made_with.steps
    if steps is not None and steps > limits.max_steps:
        steps = None
    guidance_scale = made_with.guidance_scale
    if guidance_scale is not None and guidance_scale > 30:
        guidance_scale = None
    return Ask(
        made_with.prompt[: limits.prompt_length],
        negative_prompt=made_with.negative_prompt[: limits.prompt_length],
        steps=steps,
        guidance_scale=guidance_scale,
        sampler=made_with.sampler if made_with.sampler in SAMPLERS else None,
        model=made_with.model if made_with.model in studio.checkpoints else "",
        loras=tuple(lora for lora in made_with.loras if lora.name in studio.settings.loras),
    )
