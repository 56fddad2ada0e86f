"""The stand-in's Discord in memory: who and what exists, and what people change in it.

It knows nothing of sockets: it emits events, and `gateway.py` carries them to the bot. How the
bot's own messages are made is in `posts.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from . import message_payloads, payloads
from .attachments import Links, store
from .changes import Changes
from .clock import NONCE_REMEMBERED_S, Clock, Snowflakes
from .entities import (
    Attachment,
    Channel,
    ChannelType,
    Guild,
    Interaction,
    Member,
    Message,
    Overwrite,
    Role,
    User,
)
from .errors import ApiError, unknown_channel, unknown_guild, unknown_message, unknown_user
from .json_parts import Json
from .permissions import ORDINARY, Permission, parse
from .violations import Violations

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Event:
    """A gateway dispatch. `bare` is what a session without the message content intent gets."""

    name: str
    body: Json
    bare: Json | None = None
    is_private: bool = False


@dataclass(slots=True, repr=False)
class World:
    """Everything that exists. Public for reading; a test changes it through the methods."""

    clock: Clock
    violations: Violations = field(default_factory=Violations)
    changes: Changes = field(default_factory=Changes)
    token: str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.Gtoken.of-the-stand-in"
    gateway_url: str = ""
    users: dict[int, User] = field(default_factory=dict[int, User])
    guilds: dict[int, Guild] = field(default_factory=dict[int, Guild])
    channels: dict[int, Channel] = field(default_factory=dict[int, Channel])
    files: dict[int, Attachment] = field(default_factory=dict[int, Attachment])
    interactions: dict[int, Interaction] = field(default_factory=dict[int, Interaction])
    # Application commands by guild; None holds the global ones.
    commands: dict[int | None, list[Json]] = field(default_factory=dict[int | None, list[Json]])
    listeners: list[Callable[[Event], None]] = field(default_factory=list[Callable[[Event], None]])
    deleted_ids: set[int] = field(default_factory=set[int])
    typing_in: list[int] = field(default_factory=list[int])
    ids: Snowflakes = field(init=False)
    links: Links = field(init=False)
    bot: User = field(init=False)
    owner: User = field(init=False)
    _nonces: dict[tuple[int, str], tuple[float, Message]] = field(
        default_factory=dict[tuple[int, str], tuple[float, Message]]
    )

    def __post_init__(self) -> None:
        self.ids = Snowflakes(self.clock)
        self.links = Links(self.clock)
        self.bot = self.user("limner", is_bot=True)
        self.owner = self.user("owner")

    # People and places

    def user(
        self, name: str, *, is_bot: bool = False, has_installed: bool = False, is_open: bool = True
    ) -> User:
        """Somebody. `has_installed`: the app, for themselves; `is_open`: to direct messages."""
        made = User(self.ids.next(), name, is_bot, is_open, has_installed)
        self.users[made.id] = made
        return made

    def guild(self, name: str = "the studio", *, has_bot: bool = True) -> Guild:
        made = Guild(self, self.ids.next(), name, self.owner.id, self.clock.now())
        self.guilds[made.id] = made
        made.roles[made.id] = Role(made.id, "@everyone", ORDINARY, 0)
        made.members[self.owner.id] = Member(self.owner, made)
        if has_bot:
            made.members[self.bot.id] = Member(self.bot, made)
            self._tell("GUILD_CREATE", payloads.guild(made, self.bot))
        return made

    def make_channel(self, guild: Guild, name: str, *, is_nsfw: bool) -> Channel:
        made = Channel(self, self.ids.next(), ChannelType.TEXT, name, guild, is_nsfw=is_nsfw)
        return self._add(made, "CHANNEL_CREATE")

    def make_thread(self, parent: Channel, name: str, *, is_private: bool = False) -> Channel:
        kind = ChannelType.PRIVATE_THREAD if is_private else ChannelType.PUBLIC_THREAD
        made = Channel(self, self.ids.next(), kind, name, parent.guild, parent)
        return self._add(made, "THREAD_CREATE")

    def _add(self, made: Channel, event: str) -> Channel:
        assert made.guild is not None
        self.channels[made.id] = made
        made.guild.channels[made.id] = made
        if self.can_see(made):
            self._tell(event, payloads.channel(made))
        return made

    def make_role(self, guild: Guild, name: str, *permissions: str) -> Role:
        made = Role(self.ids.next(), name, parse(*permissions), len(guild.roles))
        guild.roles[made.id] = made
        if self.bot.id in guild.members:
            body = {"guild_id": str(guild.id), "role": payloads.role(made)}
            self._tell("GUILD_ROLE_CREATE", body)
        return made

    def make_member(
        self, guild: Guild, who: str | User, *permissions: str, roles: list[Role]
    ) -> User:
        person = self.user(who) if isinstance(who, str) else who
        joined = Member(person, guild, list(roles))
        if permissions:
            joined.roles.append(self.make_role(guild, f"{person.name}'s", *permissions))
        guild.members[person.id] = joined
        return person

    def direct(self, person: User, other: User | None = None) -> Channel:
        """The direct channel of a person with the bot, or with another person."""
        partner = other or self.bot
        for channel in self.channels.values():
            if channel.type is ChannelType.DIRECT and set(channel.recipients) == {person, partner}:
                return channel
        made = Channel(self, self.ids.next(), ChannelType.DIRECT, "", recipients=[person, partner])
        self.channels[made.id] = made
        return made

    # What people do to the world

    def post_as_person(
        self,
        channel: Channel,
        author: User,
        content: str,
        files: Iterable[tuple[str, bytes]],
        replies_to: Message | None = None,
    ) -> Message:
        made = Message(self.ids.next(), channel, author, self.clock.now(), content)
        made.replies_to = replies_to
        for name, data in files:
            file = self.keep(channel, name, data)
            made.attachments[file.id] = file
        if f"<@{self.bot.id}>" in content:
            made.pinged_user_ids = [self.bot.id]
        channel.messages[made.id] = made
        self.tell_of_message(made, "MESSAGE_CREATE")
        return made

    def keep(
        self,
        channel: Channel,
        name: str,
        data: bytes,
        description: str | None = None,
        *,
        is_ephemeral: bool = False,
    ) -> Attachment:
        file = store(
            self.ids.next(),
            channel.id,
            name,
            data,
            self.links,
            description=description,
            is_ephemeral=is_ephemeral,
        )
        self.files[file.id] = file
        return file

    def deny(self, channel: Channel, whom: User | Role, *permissions: str) -> None:
        overwrite = channel.overwrites.setdefault(
            whom.id, Overwrite(whom.id, is_member=isinstance(whom, User))
        )
        could_see = self.can_see(channel)
        overwrite.deny |= parse(*permissions)
        channel.has_lost_permissions = True
        if could_see:
            self._tell("CHANNEL_UPDATE", payloads.channel(channel))

    def delete_channel(self, channel: Channel) -> None:
        assert channel.guild is not None
        could_see = self.can_see(channel)
        body = payloads.channel(channel)
        for message in channel.messages.values():
            message.is_deleted = True
            self.deleted_ids.add(message.id)
        self.deleted_ids.add(channel.id)
        del self.channels[channel.id], channel.guild.channels[channel.id]
        if could_see:
            self._tell("THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE", body)

    def delete_message(self, message: Message) -> None:
        message.is_deleted = True
        self.deleted_ids.add(message.id)
        body = {"id": str(message.id), "channel_id": str(message.channel.id)}
        if message.channel.guild is not None:
            body["guild_id"] = str(message.channel.guild.id)
        if self.can_see(message.channel) and not message.is_ephemeral:
            self._tell("MESSAGE_DELETE", body, is_private=message.channel.is_private)
        else:
            self.changes.notify()

    def remove_bot(self, guild: Guild) -> None:
        del guild.members[self.bot.id]
        for channel in guild.channels.values():
            channel.has_lost_permissions = True
        self._tell("GUILD_DELETE", {"id": str(guild.id)})

    def react(self, message: Message, who: User, emoji: str, *, adds: bool = True) -> None:
        people = message.reactions.setdefault(emoji, set())
        if (who.id in people) is adds:
            return
        (people.add if adds else people.discard)(who.id)
        if not people:
            del message.reactions[emoji]
        body: Json = {
            "user_id": str(who.id),
            "channel_id": str(message.channel.id),
            "message_id": str(message.id),
            "message_author_id": str(message.author.id),
            "emoji": {"id": None, "name": emoji, "animated": False},
            "burst": False,
            "type": 0,
        }
        if message.channel.guild is not None:
            body["guild_id"] = str(message.channel.guild.id)
        if self.can_see(message.channel):
            name = f"MESSAGE_REACTION_{'ADD' if adds else 'REMOVE'}"
            self._tell(name, body, is_private=message.channel.is_private)

    # What the bot may see, and what it is told

    def can_see(self, channel: Channel) -> bool:
        return bool(channel.permissions_of(self.bot) & Permission.VIEW_CHANNEL)

    def tell_of_message(self, message: Message, name: str) -> None:
        """Everything is shown of the bot's own messages, of those to it and in direct messages."""
        self.changes.notify()
        if message.is_ephemeral or not self.can_see(message.channel):
            return
        body = message_payloads.message_event(message, self.bot)
        bare = None
        if self.hides_content(message):
            bare = message_payloads.message_event(message, self.bot, content_is_hidden=True)
        self._tell(name, body, bare=bare, is_private=message.channel.is_private)

    def hides_content(self, message: Message) -> bool:
        """Whether the content is kept from a bot that has not the message content intent."""
        if message.author is self.bot or message.channel.is_private:
            return False
        return self.bot.id not in message.pinged_user_ids

    def tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)
        self.changes.notify()

    def _tell(
        self, name: str, body: Json, *, bare: Json | None = None, is_private: bool = False
    ) -> None:
        self.tell(Event(name, body, bare, is_private))

    # Looking things up, as a request does: what a test deleted is no fault of the bot

    def find_channel(self, channel_id: int) -> Channel:
        return self._found(self.channels.get(channel_id), unknown_channel(), channel_id)

    def find_guild(self, guild_id: int) -> Guild:
        guild = self.guilds.get(guild_id)
        if guild is not None and self.bot.id not in guild.members:
            guild = None
        return self._found(guild, unknown_guild(), guild_id)

    def find_user(self, user_id: int) -> User:
        return self._found(self.users.get(user_id), unknown_user(), user_id)

    def find_message(self, channel: Channel, message_id: int, *, hidden: bool = False) -> Message:
        """`hidden`: ephemeral messages too, which only an interaction's token reaches."""
        message = channel.messages.get(message_id)
        if message is not None and (message.is_deleted or (message.is_ephemeral and not hidden)):
            message = None
        return self._found(message, unknown_message(), message_id)

    def _found(self, thing: T | None, error: ApiError, thing_id: int) -> T:
        if thing is not None:
            return thing
        if thing_id in self.deleted_ids:
            error.kind = None
        raise error

    def remembered(self, channel: Channel, nonce: str | int) -> Message | None:
        """The message that this nonce made, for the three minutes that Discord remembers it."""
        made_at, message = self._nonces.get((channel.id, str(nonce)), (0.0, None))
        return message if self.clock.now() - made_at < NONCE_REMEMBERED_S else None

    def remember(self, message: Message, nonce: str | int) -> None:
        self._nonces[(message.channel.id, str(nonce))] = (self.clock.now(), message)
