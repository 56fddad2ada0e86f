"""What a pressed card is about, looked up; what is gone by now is refused in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...storage.errors import NoSuchJobError, NoSuchPictureError
from ..ask import Ask
from ..errors import RefusedError

if TYPE_CHECKING:
    from ...storage.records import Job, Picture
    from ..context import Context


async def job_of(context: Context, job_id: int) -> Job:
    """Raises `RefusedError`."""
    try:
        return await context.studio.storage.jobs.get(job_id)
    except NoSuchJobError as error:
        raise RefusedError(
            "I no longer know how this was painted: ask anew with /imagine."
        ) from error


async def picture_of(context: Context, picture_id: int) -> Picture:
    """Raises `RefusedError`."""
    try:
        picture = await context.studio.storage.images.picture(picture_id)
    except NoSuchPictureError as error:
        raise RefusedError("This picture is gone.") from error
    if picture.is_deleted:
        raise RefusedError("This picture was deleted.")
    return picture


def ask_of(job: Job) -> Ask:
    """Raises `RefusedError` where a newer or older version wrote what can't be read."""
    return Ask.from_json(job.new.request_json)
