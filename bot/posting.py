"""How a card reaches Discord: an edit while that works, else a new message, else a direct message.

An interaction's token lives 15 minutes; paintings may take longer, messages get deleted, bots lose
permissions. What the card says, and when it is sent, is `delivery`'s.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import discord

from .cards.identity import names_job
from .cards.layout import addressed
from .notes import NO_MENTIONS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from discord.ext import commands

    from ..storage.records import Job, Origin
    from .cards.layout import Sheet

log = logging.getLogger(__name__)

_TOKEN_LIVES_S: Final = 15 * 60 - 30
"""Half a minute less than Discord says: an upload takes time."""
_TOKEN_GONE: Final = frozenset({50027, 10015})
"""Invalid webhook token, unknown webhook: both mean that the interaction's token has expired."""
_CLOSED: Final = frozenset({50083, 160005, 50024})
"""The thread is archived or locked, the channel takes no such message: as good as forbidden."""
_TOO_LARGE: Final = 40005
_LOOKED_THROUGH: Final = 100


class PostingError(Exception):
    """A card could not be brought to its owner."""


class NowhereError(PostingError):
    """No way is left: the message is gone, the channel is closed, direct messages are refused."""


class TooLargeError(PostingError):
    """The files are larger than Discord takes here."""


@dataclass(frozen=True, slots=True)
class Posted:
    """The message that shows the card now."""

    channel_id: int
    message_id: int


class Poster:
    """Knows the ways. A failed connection is the caller's to try again."""

    def __init__(self, bot: commands.Bot) -> None:
        self._bot = bot
        self._expired: deque[int] = deque(maxlen=1024)
        """Interactions whose token Discord refused: asking again only costs requests."""

    async def edit(self, origin: Origin, sheet: Sheet) -> Posted | None:
        """Edits the message that the origin names. None: it can't be edited any more.

        Raises `TooLargeError`, and what a failing connection raises.
        """
        if self._bot.user is None:
            # A host may load the extension before it logs in; telling is tried again later.
            raise discord.ClientException("The bot has not logged in yet.")
        if not origin.message_id:
            return None
        with _naming_size():
            if await self._edit_by_token(origin, sheet) or await self._edit_in_channel(
                origin, sheet
            ):
                return Posted(origin.channel_id, origin.message_id)
        return None

    async def deliver(self, job: Job, sheet: Sheet) -> Posted:
        """By the best way that works; what was delivered before is found again, not sent twice.

        Raises `NowhereError`, `TooLargeError`, and what a failing connection raises.
        """
        origin = job.new.origin
        posted = await self.edit(origin, sheet)
        if posted is not None:
            return posted
        with _naming_size():
            if _has_channel(origin):
                try:
                    return await self._send(
                        self._channel(origin), job, addressed(sheet, origin.user_id)
                    )
                except discord.HTTPException as error:
                    if not _is_closed(error):
                        raise
                    log.info("job %d can't be told in its channel: %s", job.id, error)
            try:
                direct = await self._bot.create_dm(discord.Object(origin.user_id))
                return await self._send(direct, job, sheet)
            except discord.HTTPException as error:
                if not _is_closed(error):
                    raise
                raise NowhereError(
                    "The message is gone and direct messages are refused."
                ) from error

    async def _edit_by_token(self, origin: Origin, sheet: Sheet) -> bool:
        age_s = discord.utils.utcnow().timestamp() - origin.interaction_at
        if not origin.interaction_token or age_s > _TOKEN_LIVES_S:
            return False
        if origin.interaction_id in self._expired:
            return False
        webhook = discord.Webhook.partial(
            origin.application_id, origin.interaction_token, client=self._bot
        )
        try:
            await webhook.edit_message(
                origin.message_id,
                view=sheet.view,
                attachments=[file.file() for file in sheet.files],
                allowed_mentions=NO_MENTIONS,
            )
        except discord.HTTPException as error:
            if error.code in _TOKEN_GONE or error.status == 401:
                self._expired.append(origin.interaction_id)
            elif not _is_closed(error):
                raise
            return False
        return True

    async def _edit_in_channel(self, origin: Origin, sheet: Sheet) -> bool:
        if not _has_channel(origin):
            return False
        message = self._channel(origin).get_partial_message(origin.message_id)
        try:
            await message.edit(
                view=sheet.view,
                attachments=[file.file() for file in sheet.files],
                allowed_mentions=NO_MENTIONS,
            )
        except discord.HTTPException as error:
            if not _is_closed(error):
                raise
            return False
        return True

    async def _send(self, channel: discord.abc.Messageable, job: Job, sheet: Sheet) -> Posted:
        """A new message that mentions its owner alone, unless ours is there already."""
        found = await self._find(channel, job)
        if found is not None:
            return found
        message = await channel.send(
            view=sheet.view,
            files=[file.file() for file in sheet.files],
            allowed_mentions=discord.AllowedMentions(
                everyone=False,
                roles=False,
                users=[discord.Object(job.new.origin.user_id)],
                replied_user=False,
            ),
            # Within some minutes Discord itself takes the same message only once.
            nonce=f"limner-{job.id}",
        )
        return Posted(message.channel.id, message.id)

    async def _find(self, channel: discord.abc.Messageable, job: Job) -> Posted | None:
        """Our finished card of this job, where an earlier attempt was cut off after sending it."""
        me = self._bot.user
        after = discord.Object(job.new.origin.interaction_id)
        try:
            async for message in channel.history(
                limit=_LOOKED_THROUGH, after=after, oldest_first=False
            ):
                if me is None or message.author.id != me.id:
                    continue
                if names_job(_custom_ids(message.components), job.id):
                    return Posted(message.channel.id, message.id)
        except discord.Forbidden:
            log.debug("the history of job %d's channel can't be read", job.id)
        return None

    def _channel(self, origin: Origin) -> discord.PartialMessageable:
        return self._bot.get_partial_messageable(
            origin.channel_id, guild_id=origin.guild_id or None
        )


def _is_closed(error: discord.HTTPException) -> bool:
    """Whether this way is closed for good, and another one may be open."""
    return error.status in (403, 404) or error.code in _CLOSED


def _has_channel(origin: Origin) -> bool:
    """Whether the card may appear in the channel by the bot's own hand.

    Never what was asked for in private; nor where the user brought the bot along: it is not there.
    """
    is_guest = origin.is_user_install and origin.guild_id != 0
    return bool(origin.channel_id) and not origin.is_private and not is_guest


def _custom_ids(components: Sequence[Any]) -> Iterator[str]:
    for component in components:
        if isinstance(component, discord.Button | discord.SelectMenu):
            if component.custom_id:
                yield component.custom_id
        elif isinstance(component, discord.ActionRow | discord.components.Container):
            yield from _custom_ids(component.children)


@contextmanager
def _naming_size() -> Generator[None]:
    """Discord's answers to too many bytes, as one error."""
    try:
        yield
    except discord.HTTPException as error:
        if error.status == 413 or error.code == _TOO_LARGE:
            raise TooLargeError("Discord takes smaller files here.") from error
        raise
