"""Which picture somebody means: one of Limner's own by number or link, or a message's.

Who may see what is judged here: pictures of other servers, of channels that one can't see, and of
somebody else's private jobs are not found, as if they did not exist. Opening one is `ground`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import discord

from ..storage.errors import NoSuchJobError, NoSuchPictureError
from .attachments import Found, find_pictures
from .commission import ELSEWHERE, is_age_restricted
from .errors import RefusedError
from .exposure import shows_unsafe

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..storage.records import Job, Picture
    from .ask import Ask
    from .context import Context

_NUMBER = re.compile(r"#?\s*(?P<job>[0-9]{1,18})(?:\s*[-.:/]\s*(?P<place>[0-9]{1,2}))?")
_LINK = re.compile(
    r"<?https://(?:(?:ptb|canary)\.)?discord(?:app)?\.com/channels/"
    r"(?:[0-9]{1,20}|@me)/(?P<channel>[0-9]{1,20})/(?P<message>[0-9]{1,20})>?"
)
_FILE = re.compile(
    r"(?:.*/)?(?:SPOILER_)?limner-(?P<job>[0-9]{1,18})-(?P<place>[0-9]{1,2})-seed[0-9]+\.\w+"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One of Limner's own pictures."""

    job: Job
    picture: Picture


async def find_stored(interaction: discord.Interaction, context: Context, text: str) -> Stored:
    """By number (`12`, `12-3`), file name or message link. Raises `RefusedError`."""
    jobs = context.studio.storage.jobs
    typed = text.strip()
    place: int | None = None
    if match := _LINK.fullmatch(typed):
        job = await jobs.by_message(int(match["message"]))
        if job is None:
            raise RefusedError(
                "By link I can only read my own cards: on other messages, use Apps > Vary or"
                " Apps > Inpaint."
            )
    elif match := _NUMBER.fullmatch(typed) or _FILE.fullmatch(typed):
        place = int(match["place"]) if match["place"] else None
        try:
            job = await jobs.get(int(match["job"]))
        except NoSuchJobError as error:
            raise _not_found() from error
    else:
        raise RefusedError(
            "Say one of my pictures by the number on its card, such as `12` or `12-3`, or by a link"
            " to its message."
        )
    require_use(interaction, job, or_else=_not_found)
    return _chosen(job, await pictures_of(context, job), place)


async def shown_by(context: Context, message: discord.Message) -> list[Stored]:
    """The stored pictures of one of Limner's own cards; none for every other message."""
    job = await context.studio.storage.jobs.by_message(message.id)
    if job is None:
        return []
    return [Stored(job, picture) for picture in await pictures_of(context, job)]


async def find_shown(
    interaction: discord.Interaction, context: Context, job_id: int, place: int
) -> Stored:
    """A picture of a card that somebody saw, by its place on it. Raises `RefusedError`."""
    try:
        job = await context.studio.storage.jobs.get(job_id)
    except NoSuchJobError as error:
        raise _not_found() from error
    require_use(interaction, job, or_else=_not_found)
    pictures = await pictures_of(context, job)
    if not 1 <= place <= len(pictures):
        raise _not_found()
    return Stored(job, pictures[place - 1])


def stored_label(stored: Stored) -> str:
    """For a menu."""
    picture = stored.picture
    return f"Picture {picture.index + 1} · seed {picture.seed} · {picture.width}×{picture.height}"


def uploaded_in(message: discord.Message) -> tuple[Found, ...]:
    """Every picture that a message shows. Raises `RefusedError` where there is none."""
    found = find_pictures(message)
    if not found:
        hint = " That message shows a link: upload the picture itself." if message.embeds else ""
        raise RefusedError("There is no uploaded picture in that message." + hint)
    return found


async def pictures_of(context: Context, job: Job) -> list[Picture]:
    pictures = await context.studio.storage.images.of_job(job.id)
    return [picture for picture in pictures if not picture.is_deleted]


def may_see(interaction: discord.Interaction, job: Job) -> bool:
    """Whether a job's pictures exist for this person, whatever id or link they come with."""
    origin = job.new.origin
    if origin.user_id == interaction.user.id:
        return True
    if origin.is_private:
        return False
    if origin.channel_id == interaction.channel_id:
        # The same place, be it a group's private channel.
        return True
    if not origin.guild_id or origin.guild_id != interaction.guild_id:
        return False
    guild, member = interaction.guild, interaction.user
    if guild is None or not isinstance(member, discord.Member):
        return False
    channel = guild.get_channel_or_thread(origin.channel_id)
    if channel is None:
        return False
    if isinstance(channel, discord.Thread) and channel.is_private():
        # Its permissions are its parent's, which says nothing of who was let in.
        return False
    may = channel.permissions_for(member)
    return may.view_channel and may.read_message_history


def require_use(
    interaction: discord.Interaction, job: Job, *, or_else: Callable[[], RefusedError]
) -> None:
    """Raises what `or_else` makes where a job does not exist for this person; and where its
    pictures come from an age-restricted channel and this is none: they are not carried out of it.

    Their owner may still have them in their own direct messages, where nobody else is.
    """
    if not may_see(interaction, job):
        raise or_else()
    origin = job.new.origin
    is_theirs = origin.user_id == interaction.user.id
    if is_age_restricted(interaction.channel) or (
        is_theirs and isinstance(interaction.channel, discord.DMChannel)
    ):
        return
    channel = interaction.client.get_channel(origin.channel_id)
    if origin.is_age_restricted or is_age_restricted(channel):
        raise RefusedError(ELSEWHERE)


async def stored_picture(
    interaction: discord.Interaction, context: Context, picture_id: int
) -> Stored:
    """By the number in a custom id. Raises `RefusedError`."""
    storage = context.studio.storage
    try:
        picture = await storage.images.picture(picture_id)
        job = await storage.jobs.get(picture.job_id)
    except (NoSuchPictureError, NoSuchJobError) as error:
        raise _not_found() from error
    require_use(interaction, job, or_else=_not_found)
    if picture.is_deleted:
        raise RefusedError("This picture was deleted.")
    return Stored(job, picture)


async def parent_of(interaction: discord.Interaction, context: Context, ask: Ask) -> Picture | None:
    """The picture of ours that an ask starts from, if there still is one.

    Raises `RefusedError` where it may not be used here, or not be shown any more.
    """
    if ask.parent_picture_id is None:
        return None
    storage = context.studio.storage
    try:
        picture = await storage.images.picture(ask.parent_picture_id)
        job = await storage.jobs.get(picture.job_id)
    except (NoSuchPictureError, NoSuchJobError):
        return None
    require_use(interaction, job, or_else=_not_found)
    await require_shown(context, Stored(job, picture))
    return picture


async def require_shown(context: Context, stored: Stored) -> None:
    """Raises `RefusedError` for an unsafe picture where such are kept back by now."""
    if stored.picture.is_unsafe and not await shows_unsafe(
        context.studio.storage, stored.job.new.origin
    ):
        raise RefusedError("The safety checker finds this picture unsafe: it is not shown here.")


def _chosen(job: Job, pictures: list[Picture], place: int | None) -> Stored:
    if not pictures:
        raise _not_found()
    if place is not None:
        for picture in pictures:
            if picture.index == place - 1:
                return Stored(job, picture)
        raise RefusedError(f"Card {job.id} has no picture {place}.")
    if len(pictures) > 1:
        examples = ", ".join(f"`{job.id}-{picture.index + 1}`" for picture in pictures)
        raise RefusedError(f"That card shows {len(pictures)} pictures, say which: {examples}.")
    return Stored(job, pictures[0])


def _not_found() -> RefusedError:
    return RefusedError("There is no such picture here.")
