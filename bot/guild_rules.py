"""What each server's owner set, held in memory, so that judging an ask costs microseconds.

Storage has the truth; whoever changes it does so inside `RuleBook.changing`, so that the next
judgement knows. What the rules mean for somebody who asks is `permits`' and `judging`'s.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ..storage.errors import StorageError
from ..storage.guild_records import GuildSettings
from .blocklist import WordList
from .errors import RefusedError
from .expressions import Expressions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from ..storage.guild_records import Ban, BlockEntry, Permission
    from ..storage.storage import Storage

log = logging.getLogger(__name__)

_MAX_GUILDS = 256
_MAX_ENTRIES = 100_000
"""Of all blocklists in memory together; the server that was asked about longest ago goes first."""


@dataclass(frozen=True, slots=True)
class Rules:
    """One server's, at a moment; by default what holds where nobody set anything."""

    settings: GuildSettings = field(default_factory=GuildSettings)
    permissions: tuple[Permission, ...] = ()
    bans: Mapping[int, Ban] = field(default_factory=dict[int, "Ban"])
    """By the ids under which storage lists them; some may be over by now."""
    words: WordList = field(default_factory=WordList)
    expressions: Expressions = field(default_factory=Expressions)

    @property
    def size(self) -> int:
        return 1 + len(self.words) + 10 * len(self.expressions) + len(self.bans)


@dataclass(frozen=True, slots=True)
class Slowness:
    """How often an expression ran out of time, since the bot's start."""

    num_times: int
    last_at: float


class RuleBook:
    """Reads a server's rules when they are first asked for."""

    def __init__(self, storage: Storage, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._clock = clock
        self._rules: OrderedDict[int, Rules] = OrderedDict()
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        """A server's reading and changing take turns, so that nothing older than a change is kept;
        no server waits for another's disk. Whoever holds or awaits one keeps it."""
        self._slow: OrderedDict[tuple[int, str], Slowness] = OrderedDict()

    async def of(self, guild_id: int) -> Rules:
        """Direct messages, where the server is 0, have none.

        Raises `RefusedError` while they can't be read: an unread rule is not a permission.
        """
        if not guild_id:
            return _NONE
        rules = self._rules.get(guild_id)
        if rules is not None:
            self._rules.move_to_end(guild_id)
            return rules
        async with self._turn_of(guild_id):
            try:
                rules = self._rules.get(guild_id) or await self._read(guild_id)
            except StorageError as error:
                log.warning("the rules of server %d can't be read: %s", guild_id, error)
                raise RefusedError(
                    "This server's rules can't be read at the moment, so nothing is painted; the"
                    " owner's log says why."
                ) from error
            self._keep(guild_id, rules)
            return rules

    def ban_of(self, rules: Rules, user_id: int) -> Ban | None:
        """A ban that holds now."""
        for each in self._storage.moderation.ids_of(user_id) if rules.bans else ():
            ban = rules.bans.get(each)
            if ban is not None and (ban.until is None or ban.until > self._clock()):
                return ban
        return None

    @asynccontextmanager
    async def changing(self, guild_id: int) -> AsyncGenerator[None]:
        """Around every change of a server's settings, permissions, bans and blocklist."""
        async with self._turn_of(guild_id):
            try:
                yield
            finally:
                # Also after a change that failed half-way: reading again is cheap.
                self._rules.pop(guild_id, None)

    def forget(self) -> None:
        """Reads everything anew: somebody had their data deleted, and a ban may name them."""
        self._rules.clear()

    async def blocklist(self, guild_id: int) -> list[BlockEntry]:
        """The entries themselves, with their numbers; from the database."""
        return await self._storage.moderation.blocklist(guild_id)

    async def note_slow(self, guild_id: int, pattern: str) -> None:
        """An expression ran out of time: the log and the server's admins are told which."""
        key = guild_id, pattern
        before = self._slow.get(key)
        count = 1 if before is None else before.num_times + 1
        self._slow[key] = Slowness(count, self._clock())
        self._slow.move_to_end(key)
        if len(self._slow) > _MAX_GUILDS:
            self._slow.popitem(last=False)
        if before is not None:
            return
        log.warning("server %d has a blocklist expression that is too slow: %r", guild_id, pattern)
        await self._storage.audit.record(
            guild_id, "blocklist.slow", actor_id=0, after={"patterns": [pattern]}
        )

    def slow_in(self, guild_id: int) -> dict[str, Slowness]:
        """A server's expressions that ran out of time since the bot's start.

        Those that were removed are forgotten when the rules are next read.
        """
        return {pattern: slow for (owner, pattern), slow in self._slow.items() if owner == guild_id}

    def _turn_of(self, guild_id: int) -> asyncio.Lock:
        turn = self._turns.get(guild_id)
        if turn is None:
            turn = self._turns[guild_id] = asyncio.Lock()
        return turn

    async def _read(self, guild_id: int) -> Rules:
        guilds, moderation = self._storage.guilds, self._storage.moderation
        rules = Rules(
            settings=await guilds.settings(guild_id),
            permissions=tuple(await guilds.permissions(guild_id)),
            bans={ban.user_id: ban for ban in await moderation.bans(guild_id)},
        )
        entries = await moderation.blocklist(guild_id)
        if not entries:
            return rules
        # Some tens of milliseconds for a long list.
        words, expressions = await asyncio.to_thread(_compiled, entries)
        return replace(rules, words=words, expressions=expressions)

    def _keep(self, guild_id: int, rules: Rules) -> None:
        self._rules[guild_id] = rules
        self._rules.move_to_end(guild_id)
        for pattern in self.slow_in(guild_id):
            if pattern not in rules.expressions:
                del self._slow[guild_id, pattern]
        total = sum(each.size for each in self._rules.values())
        while len(self._rules) > _MAX_GUILDS or (total > _MAX_ENTRIES and len(self._rules) > 1):
            _, oldest = self._rules.popitem(last=False)
            total -= oldest.size


def _compiled(entries: list[BlockEntry]) -> tuple[WordList, Expressions]:
    return (
        WordList(entry.pattern for entry in entries if not entry.is_regex),
        Expressions(entry.pattern for entry in entries if entry.is_regex),
    )


_NONE = Rules()
