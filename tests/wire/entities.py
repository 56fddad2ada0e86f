"""What lives in the stand-in's Discord: users, guilds, channels, messages, files, interactions.

The objects hold state and answer questions about it; `world.py` makes and changes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from .json_parts import Json, walk
from .permissions import EVERYTHING, IN_DIRECT_MESSAGES, NOTHING, Permission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .world import World


EPHEMERAL = 1 << 6
LOADING = 1 << 7
SUPPRESS_EMBEDS = 1 << 2
SUPPRESS_NOTIFICATIONS = 1 << 12
COMPONENTS_V2 = 1 << 15


class ChannelType(IntEnum):
    TEXT = 0
    DIRECT = 1
    GROUP = 3
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12


@dataclass(slots=True, eq=False)
class User:
    id: int
    name: str
    is_bot: bool = False
    takes_direct_messages: bool = True
    has_installed: bool = False
    locale: str = "en-GB"


@dataclass(slots=True, eq=False)
class Role:
    id: int
    name: str
    permissions: Permission
    position: int


@dataclass(slots=True, eq=False)
class Overwrite:
    """What a channel allows or denies to a role (type 0) or a member (type 1)."""

    target_id: int
    is_member: bool
    allow: Permission = NOTHING
    deny: Permission = NOTHING


@dataclass(slots=True, eq=False, repr=False)
class Member:
    user: User
    guild: Guild
    roles: list[Role] = field(default_factory=list["Role"])
    nick: str | None = None


@dataclass(slots=True, eq=False, repr=False)
class Guild:
    world: World
    id: int
    name: str
    owner_id: int
    made_at: float
    roles: dict[int, Role] = field(default_factory=dict[int, "Role"])
    members: dict[int, Member] = field(default_factory=dict[int, "Member"])
    channels: dict[int, Channel] = field(default_factory=dict[int, "Channel"])

    def __repr__(self) -> str:
        return f"<guild {self.name!r}>"

    @property
    def everyone(self) -> Role:
        return self.roles[self.id]

    def channel(self, name: str = "paintings", *, is_nsfw: bool = False) -> Channel:
        """A new text channel."""
        return self.world.make_channel(self, name, is_nsfw=is_nsfw)

    def role(self, name: str, *permissions: str) -> Role:
        return self.world.make_role(self, name, *permissions)

    def member(self, who: str | User, *permissions: str, roles: list[Role] | None = None) -> User:
        """Somebody joins: a new user by name or one who exists, perhaps with permissions."""
        return self.world.make_member(self, who, *permissions, roles=roles or [])

    def remove_bot(self) -> None:
        self.world.remove_bot(self)


@dataclass(slots=True, eq=False, repr=False)
class Channel:
    world: World
    id: int
    type: ChannelType
    name: str
    guild: Guild | None = None
    parent: Channel | None = None
    recipients: list[User] = field(default_factory=list["User"])
    overwrites: dict[int, Overwrite] = field(default_factory=dict[int, "Overwrite"])
    messages: dict[int, Message] = field(default_factory=dict[int, "Message"])
    is_nsfw: bool = False
    # A test took something away: a refusal that follows from it is news to the bot, not its fault.
    has_lost_permissions: bool = False

    def __repr__(self) -> str:
        return f"<channel {self.name!r}>"

    @property
    def is_thread(self) -> bool:
        return self.type in (ChannelType.PUBLIC_THREAD, ChannelType.PRIVATE_THREAD)

    @property
    def is_private(self) -> bool:
        return self.type in (ChannelType.DIRECT, ChannelType.GROUP)

    def permissions_of(self, user: User) -> Permission:
        if self.guild is None:
            return IN_DIRECT_MESSAGES if user in self.recipients else NOTHING
        if self.parent is not None:
            return self.parent.permissions_of(user)
        member = self.guild.members.get(user.id)
        if member is None:
            return NOTHING
        allowed = self.guild.everyone.permissions
        for role in member.roles:
            allowed |= role.permissions
        if user.id == self.guild.owner_id or allowed & Permission.ADMINISTRATOR:
            return EVERYTHING
        tiers = ([self.guild.id], [role.id for role in member.roles], [user.id])
        for tier in tiers:
            overwrites = [self.overwrites[target] for target in tier if target in self.overwrites]
            for overwrite in overwrites:
                allowed &= ~overwrite.deny
            for overwrite in overwrites:
                allowed |= overwrite.allow
        return allowed if allowed & Permission.VIEW_CHANNEL else NOTHING

    def thread(self, name: str = "a thread", *, is_private: bool = False) -> Channel:
        return self.world.make_thread(self, name, is_private=is_private)

    def deny(self, whom: User | Role, *permissions: str) -> None:
        """Takes permissions away here, e.g. `channel.deny(world.bot, "send_messages")`."""
        self.world.deny(self, whom, *permissions)

    def post(
        self,
        author: User,
        content: str = "",
        *files: tuple[str, bytes],
        replies_to: Message | None = None,
    ) -> Message:
        """A person's message."""
        return self.world.post_as_person(self, author, content, files, replies_to)

    def delete(self) -> None:
        self.world.delete_channel(self)

    @property
    def timeline(self) -> list[Message]:
        """The messages that stand in the channel for everybody, oldest first."""
        return [m for m in self.messages.values() if not m.is_ephemeral and not m.is_deleted]


@dataclass(slots=True, eq=False)
class Attachment:
    """A stored file. `data` is what was uploaded, byte for byte."""

    id: int
    channel_id: int
    filename: str
    data: bytes = field(repr=False)
    sign: Callable[[Attachment], str] = field(repr=False)
    content_type: str | None
    width: int | None = None
    height: int | None = None
    description: str | None = None
    is_ephemeral: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def url(self) -> str:
        """A fresh link, valid for a day from now, as every payload carries."""
        return self.sign(self)


@dataclass(slots=True, eq=False, repr=False)
class Message:
    id: int
    channel: Channel
    author: User
    made_at: float
    content: str = ""
    embeds: list[Json] = field(default_factory=list[Json])
    components: list[Json] = field(default_factory=list[Json])
    attachments: dict[int, Attachment] = field(default_factory=dict[int, Attachment])
    shown_ids: set[int] = field(default_factory=set[int])
    flags: int = 0
    nonce: str | int | None = None
    edited_at: float | None = None
    interaction: Interaction | None = None
    replies_to: Message | None = None
    pinged_user_ids: list[int] = field(default_factory=list[int])
    pinged_role_ids: list[int] = field(default_factory=list[int])
    pinged_everyone: bool = False
    reactions: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    num_edits: int = 0
    old_edits_at: list[float] = field(default_factory=list[float])
    is_deleted: bool = False

    def __repr__(self) -> str:
        files = [file.filename for file in self.files]
        return f"<message {self.id}: {self.text!r}, files {files}, flags {self.flags:#x}>"

    @property
    def is_ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def is_loading(self) -> bool:
        return bool(self.flags & LOADING)

    @property
    def is_v2(self) -> bool:
        return bool(self.flags & COMPONENTS_V2)

    def walk(self) -> Iterator[Json]:
        """Every component of the message, containers before what they contain."""
        return walk(self.components)

    @property
    def text(self) -> str:
        """All that a reader reads, content and text displays, one to a line."""
        texts = [self.content] if self.content else []
        texts += [c["content"] for c in self.walk() if c["type"] == 10]
        return "\n".join(texts)

    @property
    def files(self) -> list[Attachment]:
        """The stored files, whether listed as attachments or shown by a component."""
        return list(self.attachments.values())

    @property
    def gallery(self) -> list[Attachment]:
        """The files that the media galleries show, in their order."""
        items = [item for c in self.walk() if c["type"] == 12 for item in c["items"]]
        ids = [int(item["media"].get("attachment_id", 0)) for item in items]
        return [self.attachments[key] for key in ids if key in self.attachments]

    @property
    def buttons(self) -> dict[str, str]:
        """The buttons one can press: label (or emoji's name) to custom id."""
        found: dict[str, str] = {}
        for c in self.walk():
            if c["type"] == 2 and c.get("custom_id") and not c.get("disabled"):
                found[c.get("label") or c["emoji"]["name"]] = c["custom_id"]
        return found

    def delete(self) -> None:
        """Somebody with the right to it deletes the message."""
        self.channel.world.delete_message(self)

    def component(self, custom_id: str) -> Json | None:
        return next((c for c in self.walk() if c.get("custom_id") == custom_id), None)


class Acknowledgement(StrEnum):
    """How an interaction was first answered: Discord's callback types by name."""

    PONG = "pong"
    MESSAGE = "message"
    DEFERRED_MESSAGE = "deferred message"
    DEFERRED_UPDATE = "deferred update"
    UPDATE = "update"
    CHOICES = "choices"
    MODAL = "modal"


@dataclass(slots=True, eq=False, repr=False)
class Interaction:
    id: int
    type: int
    token: str
    user: User
    channel: Channel
    made_at: float
    data: Json
    owners: dict[str, str]
    app_permissions: Permission
    source: Message | None = None
    acknowledged: Acknowledgement | None = None
    acknowledged_at: float | None = None
    original: Message | None = None
    followups: list[Message] = field(default_factory=list[Message])
    modal: Json | None = None
    choices: list[Json] | None = None
    triggered_by: Interaction | None = None
    is_token_known_expired: bool = False
    is_reported_unanswered: bool = False
    is_from_modal_on_message: bool = False

    def __repr__(self) -> str:
        return f"<{self.what()}, {self.acknowledged or 'unanswered'}>"

    def what(self) -> str:
        """The interaction in a few words, for a report."""
        name = self.data.get("name") or self.data.get("custom_id") or "?"
        return f"{self.user.name}'s {name!r} (interaction {self.id})"


__all__ = [
    "COMPONENTS_V2",
    "EPHEMERAL",
    "LOADING",
    "SUPPRESS_EMBEDS",
    "SUPPRESS_NOTIFICATIONS",
    "Acknowledgement",
    "Attachment",
    "Channel",
    "ChannelType",
    "Guild",
    "Interaction",
    "Json",
    "Member",
    "Message",
    "Overwrite",
    "Role",
    "User",
]
