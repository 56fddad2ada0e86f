"""What a pressed card is about, looked up; what is gone by now is refused in one sentence.

So is what is not this person's to see, in the same words: an id alone opens nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...storage.errors import NoSuchJobError, NoSuchPictureError
from ..ask import Ask
from ..errors import RefusedError
from ..sources import require_use

if TYPE_CHECKING:
    import discord

    from ...storage.records import Job, Picture
    from ..context import Context


_FORGOTTEN = "I no longer know how this was painted: ask anew with /imagine."
_GONE = "This picture is gone."


async def job_of(interaction: discord.Interaction, context: Context, job_id: int) -> Job:
    """Raises `RefusedError`."""
    try:
        job = await context.studio.storage.jobs.get(job_id)
    except NoSuchJobError as error:
        raise RefusedError(_FORGOTTEN) from error
    require_use(interaction, job, or_else=lambda: RefusedError(_FORGOTTEN))
    return job


async def picture_of(
    interaction: discord.Interaction, context: Context, picture_id: int
) -> tuple[Job, Picture]:
    """With the job that it came from. Raises `RefusedError`."""
    storage = context.studio.storage
    try:
        picture = await storage.images.picture(picture_id)
        job = await storage.jobs.get(picture.job_id)
    except (NoSuchPictureError, NoSuchJobError) as error:
        raise RefusedError(_GONE) from error
    require_use(interaction, job, or_else=lambda: RefusedError(_GONE))
    if picture.is_deleted:
        raise RefusedError("This picture was deleted.")
    return job, picture


def ask_of(job: Job) -> Ask:
    """Raises `RefusedError` where a newer or older version wrote what can't be read."""
    return Ask.from_json(job.new.request_json)
