"""The simulated server of the demo: who is in it, its channels, its clock, and what simcord lacks.

How it is seen in a browser is `window`'s; the bot in it is the real one, and `demo` starts it.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import discord
from discord.webhook.async_ import async_context
from simcord.http import FakeWebhookAdapter

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from simcord.actors import MemberActor
    from simcord.backend.state import Backend
    from simcord.builders import ChannelHandle, UserHandle
    from simcord.env import Env

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""People and channels carry ids of this day, the same in every run, so what the database says of
them stays true; messages and interactions carry ids of their own time, so none comes twice."""

FILE_LIMIT_BYTES = 10 * 1024 * 1024
"""simcord says 25 MiB; a server without boosts has 10."""

_MODERATOR = discord.Permissions(
    manage_messages=True, moderate_members=True, kick_members=True, view_audit_log=True
)

_IN_DIRECT_MESSAGES = discord.Permissions(
    view_channel=True,
    send_messages=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
    external_emojis=True,
)


class WallClock:
    """simcord's clock stands still until it is pushed; people at a page expect it to go."""

    def __init__(self) -> None:
        self._began = datetime.now(UTC)
        # Not time.monotonic: simcord makes that one ask this clock.
        self._began_s = perf_counter()
        self._pushed_s = 0.0

    @property
    def elapsed(self) -> float:
        return perf_counter() - self._began_s + self._pushed_s

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.elapsed)

    def advance(self, seconds: float) -> None:
        self._pushed_s += seconds


class _StoppedClock(WallClock):
    """Stands at one minute of the first day, so that what is made then has its ids from there."""

    def __init__(self, minute: int) -> None:
        self._instant = BEGINNING + timedelta(minutes=minute)

    @property
    def elapsed(self) -> float:
        return 0.0

    def now(self) -> datetime:
        return self._instant


@dataclass(frozen=True, slots=True)
class Room:
    """A channel, and who may look at it in the page; the first one does at the beginning."""

    name: str
    topic: str
    channel: ChannelHandle
    viewers: tuple[MemberActor | UserHandle, ...]
    is_age_restricted: bool = False


def furnish(env: Env) -> tuple[Room, ...]:
    """Builds the server in a fresh environment, before its bot starts, and starts its clock.

    The numbers are minutes of the first day: they are the ids, so none may ever change its meaning.
    """
    backend = env.backend

    def at(minute: int) -> None:
        backend.clock = cast("Any", _StoppedClock(minute))

    backend.bot_user.name = "Limner"
    at(1)
    owner = env.create_user("admin", global_name="Admin")
    at(2)
    second = env.create_user("moderator", global_name="Moderator")
    at(3)
    third = env.create_user("member", global_name="Member")
    at(10)
    guild = env.create_guild("The Studio", owner=owner)
    at(11)
    admins = guild.create_role("Admin", permissions=discord.Permissions(administrator=True))
    at(12)
    moderators = guild.create_role("Moderator", permissions=_MODERATOR)
    everybody = (
        guild.add_member(third),
        guild.add_member(second, roles=[moderators]),
        guild.add_member(owner, roles=[admins]),
    )
    at(20)
    topic = "Type /imagine and say what you want to see."
    painting = Room(
        "painting", topic, guild.create_text_channel("painting", topic=topic), everybody
    )
    at(21)
    topic = "Age-restricted: the safety policy may show more here."
    late = guild.create_text_channel("after-dark", topic=topic)
    at(30)
    direct = Room("Limner", "A direct message with the bot.", third.dm_channel, (third,))
    rooms = (painting, Room("after-dark", topic, late, everybody, is_age_restricted=True), direct)

    backend.clock = cast("Any", WallClock())
    restricted = frozenset(str(room.channel.id) for room in rooms if room.is_age_restricted)
    backend.subscribers.insert(0, lambda event, payload: _complete(event, payload, restricted))
    return rooms


def _complete(event: str, payload: Mapping[str, Any], restricted: frozenset[str]) -> None:
    """Adds to a gateway event, before the bot sees it, what Discord sends and simcord does not."""
    channels: list[dict[str, Any]] = []
    if event == "GUILD_CREATE":
        channels = payload.get("channels", [])
    elif event.startswith("CHANNEL_"):
        channels = [cast("dict[str, Any]", payload)]
    elif event == "INTERACTION_CREATE":
        channels = [payload["channel"]]
        guild_id = payload.get("guild_id", "0")
        cast("dict[str, Any]", payload).update(
            attachment_size_limit=FILE_LIMIT_BYTES,
            # The bot was added to the server, not brought along by the user.
            authorizing_integration_owners={"0": guild_id},
        )
        if guild_id == "0":
            cast("dict[str, Any]", payload)["app_permissions"] = str(_IN_DIRECT_MESSAGES.value)
    for channel in channels:
        channel["nsfw"] = channel.get("id") in restricted


@contextmanager
def answers_stay_here(backend: Backend) -> Generator[None]:
    """Keeps answers to interactions inside the simulation, whatever context they are sent from.

    discord.py takes their transport from a context variable, and simcord sets it for what the bot
    starts; what the worker's thread starts has an empty context, where the default is the network.
    """
    default = Context().run(async_context.get)
    vars(default)["request"] = FakeWebhookAdapter(backend).request
    try:
        yield
    finally:
        vars(default).pop("request", None)
