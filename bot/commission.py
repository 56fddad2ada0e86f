"""From an ask to an accepted job with its card: judged, acknowledged, prepared, submitted, shown.

Every command, button and menu that paints goes through here. What may be painted is `studio`'s
judgement; how the card goes on is `delivery`'s.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import discord
from discord import ui

from ..storage.errors import NoSuchJobError, NoSuchPictureError
from ..storage.records import Origin
from .errors import RefusedError
from .member import Member
from .notes import NO_MENTIONS, UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .ask import Ask
    from .context import Context

log = logging.getLogger(__name__)

ELSEWHERE = "That was painted in an age-restricted channel: use it in one."

Prepare = Callable[["Ask"], Awaitable["Ask"]]
"""What an ask needs that takes time: pictures read and kept. Raises `RefusedError`."""


async def commission(
    interaction: discord.Interaction,
    context: Context,
    ask: Ask,
    *,
    prepare: Prepare | None = None,
) -> None:
    """Answers an interaction that nothing has answered yet, with a painting under way.

    Raises `RefusedError`, before or after the acknowledgement; `notes.answered` tells it.
    """
    await judge(interaction, context, ask)
    message_id = await acknowledge(interaction, is_private=ask.is_private)
    if prepare is not None:
        ask = await prepare(ask)
    await place(interaction, context, ask, message_id)


async def judge(interaction: discord.Interaction, context: Context, ask: Ask) -> Ask:
    """What needs no long waiting: the ask itself, and what the bot may do here.

    Raises `RefusedError`.
    """
    judged = await context.studio.judge(ask, member_of(interaction))
    if not ask.is_private:
        _check_place(interaction)
    return judged


async def acknowledge(interaction: discord.Interaction, *, is_private: bool) -> int:
    """Takes the 3 seconds' pressure off with a placeholder; gives the placeholder's message."""
    response = await interaction.response.defer(ephemeral=is_private, thinking=True)
    if response is not None and response.message_id is not None:
        return response.message_id
    return (await interaction.original_response()).id


async def place(
    interaction: discord.Interaction, context: Context, ask: Ask, message_id: int
) -> None:
    """Submits an acknowledged ask; from here on the message is the job's card.

    Raises `RefusedError`.
    """
    origin = origin_of(interaction, message_id, is_private=ask.is_private)
    if not origin.is_age_restricted and await _is_from_age_restricted(context, ask):
        if not isinstance(interaction.channel, discord.DMChannel):
            raise RefusedError(ELSEWHERE)
        origin = replace(origin, is_age_restricted=True)
    job = await context.studio.submit(ask, origin, member_of(interaction))
    context.delivery.show(job, limit_bytes=interaction.filesize_limit)


async def place_many(
    interaction: discord.Interaction, context: Context, asks: Sequence[Ask]
) -> tuple[int, RefusedError | None]:
    """Submits several asks of one acknowledged interaction, each with a message of its own.

    Stops at the first that is refused; gives how many were taken, and that refusal.
    """
    for num_taken, ask in enumerate(asks):
        view = ui.LayoutView(timeout=None)
        which = f"Prompt {num_taken + 1} of {len(asks)} …" if len(asks) > 1 else "Beginning …"
        view.add_item(ui.TextDisplay(which))
        try:
            message = await interaction.followup.send(
                view=view, ephemeral=ask.is_private, allowed_mentions=NO_MENTIONS, wait=True
            )
        except UNREACHABLE as error:
            log.warning("a follow-up could not be sent: %r", error)
            return num_taken, RefusedError("Discord takes no more messages now: try again later.")
        try:
            await place(interaction, context, ask, message.id)
        except RefusedError as error:
            with suppress(*UNREACHABLE):
                await message.delete()
            return num_taken, error
    return len(asks), None


def member_of(interaction: discord.Interaction) -> Member:
    """Who asks, from the payload alone."""
    user = interaction.user
    roles = user.roles if isinstance(user, discord.Member) else ()
    permissions = interaction.permissions
    return Member(
        user_id=user.id,
        guild_id=interaction.guild_id or 0,
        role_ids=tuple(role.id for role in roles),
        is_admin=bool(interaction.guild_id)
        and (permissions.administrator or permissions.manage_guild),
        channel_id=interaction.channel_id or 0,
        parent_ids=_parents(interaction.channel),
    )


def origin_of(interaction: discord.Interaction, message_id: int, *, is_private: bool) -> Origin:
    """Where the answer belongs, with all that a later life needs to bring it there."""
    return Origin(
        user_id=interaction.user.id,
        guild_id=interaction.guild_id or 0,
        channel_id=interaction.channel_id or 0,
        application_id=interaction.application_id,
        interaction_id=interaction.id,
        interaction_token=interaction.token,
        interaction_at=interaction.created_at.timestamp(),
        message_id=message_id,
        is_private=is_private,
        is_user_install=not interaction.is_guild_integration(),
        is_age_restricted=is_age_restricted(interaction.channel),
    )


async def _is_from_age_restricted(context: Context, ask: Ask) -> bool:
    """What is made in direct messages of such a picture is one too."""
    if ask.parent_picture_id is None:
        return False
    storage = context.studio.storage
    try:
        picture = await storage.images.picture(ask.parent_picture_id)
        parent = await storage.jobs.get(picture.job_id)
    except (NoSuchPictureError, NoSuchJobError):
        return False
    return parent.new.origin.is_age_restricted


def require_own(interaction: discord.Interaction) -> None:
    """Only on a message that is the presser's alone, or answers them, goes a press on that takes
    the message away or writes over it: anybody can send a button's id, on any message of the bot's.

    Raises `RefusedError`.
    """
    message = interaction.message
    asked = None if message is None else message.interaction_metadata
    is_theirs = asked is not None and asked.user.id == interaction.user.id
    if message is None or not (message.flags.ephemeral or is_theirs):
        raise RefusedError("That is not yours to answer.")


def may_moderate(interaction: discord.Interaction) -> bool:
    """Whether this person keeps order in this channel, or runs the server."""
    may = interaction.permissions
    return bool(interaction.guild_id) and (may.manage_messages or may.manage_guild)


def require_admin(interaction: discord.Interaction) -> None:
    """Only who runs the server goes on: Manage Server or Administrator, at every single use.

    A command's default permission is only a default, which a server can lift, and anybody can send
    the id of a button. What Discord computed for this very interaction is signed with it. Raises
    `RefusedError`.
    """
    if not interaction.guild_id:
        raise RefusedError("This belongs to a server: use it in one.")
    if not interaction.is_guild_integration():
        raise RefusedError("This needs the painter itself in the server: add it there first.")
    if not member_of(interaction).is_admin:
        raise RefusedError("Only somebody who may manage this server can do that.")


def _check_place(interaction: discord.Interaction) -> None:
    """Refuses before painting where the card could not be posted after it."""
    if not interaction.guild_id:
        return
    may = interaction.app_permissions
    missing = [] if may.attach_files else ["Attach Files"]
    if interaction.is_guild_integration():
        is_thread = isinstance(interaction.channel, discord.Thread)
        if not may.view_channel:
            missing.append("View Channel")
        if is_thread and not may.send_messages_in_threads:
            missing.append("Send Messages in Threads")
        if not is_thread and not may.send_messages:
            missing.append("Send Messages")
    if missing:
        raise RefusedError(
            f"I may not post pictures here: a moderator can give me {' and '.join(missing)}"
            " in this channel. Private painting works everywhere."
        )


def is_age_restricted(channel: object) -> bool:
    """A thread is what its channel is; direct messages never are."""
    if isinstance(channel, discord.TextChannel | discord.VoiceChannel | discord.Thread):
        return channel.is_nsfw()
    return isinstance(channel, discord.StageChannel | discord.ForumChannel) and channel.is_nsfw()


def _parents(channel: object) -> tuple[int, ...]:
    """A thread's channel, and the category above; as far as the bot can know."""
    found: list[int | None] = []
    if isinstance(channel, discord.Thread):
        found.append(channel.parent_id)
        channel = channel.parent
    if isinstance(channel, discord.abc.GuildChannel):
        found.append(channel.category_id)
    return tuple(each for each in found if each is not None)
