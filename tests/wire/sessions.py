"""Gateway sessions: what each one has been sent, so that it can be resumed, and what it asked for.

Source: https://discord.com/developers/docs/events/gateway
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import WSCloseCode, web

from .json_parts import Json

if TYPE_CHECKING:
    from .compression import Stream
    from .world import Event

DISPATCH, HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME = 0, 1, 2, 3, 4, 6
RECONNECT, REQUEST_MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 8, 9, 10, 11

GUILDS, MEMBERS, PRESENCES = 1 << 0, 1 << 1, 1 << 8
MESSAGES, REACTIONS = 1 << 9, 1 << 10
PRIVATE_MESSAGES, PRIVATE_REACTIONS, CONTENT = 1 << 12, 1 << 13, 1 << 15
PRIVILEGED = MEMBERS | PRESENCES | CONTENT


@dataclass(slots=True, eq=False)
class Connection:
    """One websocket. What is put in `outbox` goes out in order, through one compression stream."""

    socket: web.WebSocketResponse
    request: web.Request
    stream: Stream
    outbox: asyncio.Queue[Json | int] = field(default_factory=lambda: asyncio.Queue[Json | int]())
    session: Session | None = None
    received_at: deque[float] = field(default_factory=deque[float])
    last_beat: int | None = None
    num_beats: int = 0

    def send(self, op: int, data: Any = None) -> None:
        self.outbox.put_nowait({"op": op, "d": data, "s": None, "t": None})

    def close(self, code: int) -> None:
        """Closes after everything before it has gone out."""
        self.outbox.put_nowait(code)

    def drop(self) -> None:
        """The line is cut: no close frame, nothing."""
        if self.request.transport is not None:
            self.request.transport.abort()

    async def write(self) -> None:
        while True:
            item = await self.outbox.get()
            if isinstance(item, int):
                await self.socket.close(code=item)
                return
            packed = self.stream.pack(json.dumps(item))
            try:
                if isinstance(packed, bytes):
                    await self.socket.send_bytes(packed)
                else:
                    await self.socket.send_str(packed)
            except ConnectionError:
                return

    async def go_away(self) -> None:
        await self.socket.close(code=WSCloseCode.GOING_AWAY)


@dataclass(slots=True, eq=False)
class Session:
    """What a client has identified as; it outlives its connections until it is forgotten."""

    id: str
    intents: int
    connection: Connection | None = None
    sequence: int = 0
    sent: list[Json] = field(default_factory=list[Json])

    def dispatch(self, name: str, body: Json) -> None:
        self.sequence += 1
        item: Json = {"op": DISPATCH, "t": name, "s": self.sequence, "d": body}
        self.sent.append(item)
        if self.connection is not None:
            self.connection.outbox.put_nowait(item)

    def replay(self, after: int) -> int:
        """Sends again what came after `after`; how many that were."""
        assert self.connection is not None
        missed = [item for item in self.sent if item["s"] > after]
        for item in missed:
            self.connection.outbox.put_nowait(item)
        return len(missed)

    def tell(self, event: Event) -> None:
        if not self.wants(event):
            return
        is_bare = event.bare is not None and not self.intents & CONTENT
        self.dispatch(event.name, event.bare if is_bare and event.bare is not None else event.body)

    def wants(self, event: Event) -> bool:
        if event.name.startswith("MESSAGE_REACTION"):
            return bool(self.intents & (PRIVATE_REACTIONS if event.is_private else REACTIONS))
        if event.name.startswith("MESSAGE_"):
            return bool(self.intents & (PRIVATE_MESSAGES if event.is_private else MESSAGES))
        if re.match(r"GUILD_|CHANNEL_|THREAD_", event.name):
            return bool(self.intents & GUILDS)
        return True
