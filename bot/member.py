"""Who asks, as an interaction's payload tells it. What they may is `judging`'s and storage's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """A user where they ask: in a server, or in direct messages, where the server is 0."""

    user_id: int
    guild_id: int = 0
    role_ids: tuple[int, ...] = ()
    is_admin: bool = False
    channel_id: int = 0
    parent_ids: tuple[int, ...] = ()
    """Of a thread, its channel; and the category that the channel is in."""

    @property
    def channel_ids(self) -> tuple[int, ...]:
        """Every place that a rule about channels may name."""
        return (self.channel_id, *self.parent_ids)

    @property
    def tenant(self) -> str:
        """The user's name for fairness; nothing can be read from it but equality."""
        return str(self.user_id)

    @property
    def group(self) -> str:
        """Where a limit of its own counts: a server, or one's own direct messages."""
        return group_of(self.guild_id, self.user_id)


def group_of(guild_id: int, user_id: int) -> str:
    """`Member.group` of whoever asked there."""
    return f"server {guild_id}" if guild_id else f"user {user_id}"
