"""The gateway, version 10: hello, identify, heartbeats, dispatches, resuming, and its failures."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from . import message_payloads, payloads
from .compression import stream_for
from .sessions import (
    HEARTBEAT,
    HEARTBEAT_ACK,
    HELLO,
    IDENTIFY,
    INVALID_SESSION,
    PRESENCE,
    PRIVILEGED,
    RECONNECT,
    REQUEST_MEMBERS,
    RESUME,
    Connection,
    Session,
)
from .violations import Kind
from .world import Event, World

if TYPE_CHECKING:
    from .clock import Clock
    from .entities import Interaction
    from .json_parts import Json

HEARTBEAT_INTERVAL_MS = 41_250
MAX_PAYLOAD_BYTES = 4096
MAX_SENDS_PER_MINUTE = 120
ATTACHMENT_SIZE_LIMIT = 10 * 1024 * 1024


@dataclass(slots=True)
class Gateway:
    """Carries the world's events to the bot; a test breaks it with the methods below."""

    world: World
    clock: Clock
    granted_intents: int = 0
    sessions: dict[str, Session] = field(default_factory=dict[str, Session])
    connections: list[Connection] = field(default_factory=list[Connection])
    num_identified: int = 0
    num_resumed: int = 0
    num_refused_resumes: int = 0

    def __post_init__(self) -> None:
        self.world.listeners.append(self._tell)

    # What a test orders

    def drop(self) -> None:
        """Cuts every connection, as a network does. Sessions can still be resumed."""
        for connection in list(self.connections):
            connection.drop()

    def ask_to_reconnect(self) -> None:
        for connection in self.connections:
            connection.send(RECONNECT)

    def invalidate(self, *, is_resumable: bool = False) -> None:
        for connection in self.connections:
            connection.send(INVALID_SESSION, is_resumable)
        if not is_resumable:
            self.forget_sessions()

    def forget_sessions(self) -> None:
        """Nobody can resume any more: who comes back has to identify anew."""
        for session in self.sessions.values():
            if session.connection is not None:
                session.connection.session = None
        self.sessions.clear()

    def close(self, code: int) -> None:
        for connection in self.connections:
            connection.close(code)

    # What a test waits for

    @property
    def is_connected(self) -> bool:
        return any(session.connection is not None for session in self.sessions.values())

    async def connected(self) -> Session:
        """The newest session that has a connection."""

        def newest() -> Session | None:
            live = [s for s in self.sessions.values() if s.connection is not None]
            return live[-1] if live else None

        return await self.world.changes.until(newest, "a gateway session")

    async def settled(self) -> None:
        """Until the bot has read all that it was sent: its heartbeat names the last event."""
        session = await self.connected()
        connection, sequence = session.connection, session.sequence
        assert connection is not None
        num_beats = connection.num_beats
        connection.send(HEARTBEAT)

        def has_read() -> bool:
            return connection.num_beats > num_beats and (connection.last_beat or 0) >= sequence

        await self.world.changes.until(has_read, f"a heartbeat with sequence {sequence}")

    # Events out

    def _tell(self, event: Event) -> None:
        for session in self.sessions.values():
            session.tell(event)

    def tell_of_interaction(self, asked: Interaction) -> None:
        """To one session alone, the newest: two processes never get the same interaction."""
        body = message_payloads.interaction_event(
            asked, application_id=self.world.bot.id, attachment_size_limit=ATTACHMENT_SIZE_LIMIT
        )
        sessions = list(self.sessions.values())
        live = [session for session in sessions if session.connection is not None]
        for session in (live or sessions)[-1:]:
            session.dispatch("INTERACTION_CREATE", body)

    # The connection

    async def handle(self, request: web.Request) -> web.StreamResponse:
        stream = stream_for(request.query.get("compress"))
        is_known = request.query.get("v") == "10" and request.query.get("encoding") == "json"
        if stream is None or not is_known:
            self._complain(f"unknown query {dict(request.query)}")
            return web.Response(status=400)
        socket = web.WebSocketResponse(autoping=True, max_msg_size=1 << 20)
        await socket.prepare(request)
        connection = Connection(socket, request, stream)
        self.connections.append(connection)
        writer = asyncio.create_task(connection.write(), name="the stand-in's gateway writer")
        connection.send(HELLO, {"heartbeat_interval": HEARTBEAT_INTERVAL_MS, "_trace": []})
        try:
            async for frame in socket:
                # hikari sends its JSON in binary frames, discord.py in text frames.
                if frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    self._receive(connection, frame.data)
        finally:
            self.connections.remove(connection)
            self._part(connection)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            self.world.changes.notify()
        return socket

    def _part(self, connection: Connection) -> None:
        session = connection.session
        if session is None or session.connection is not connection:
            return
        session.connection = None
        # A client that says goodbye with 1000 or 1001 gives its session up.
        if connection.socket.close_code in (1000, 1001):
            self.sessions.pop(session.id, None)

    def _receive(self, connection: Connection, sent: str | bytes) -> None:
        now, received_at = self.clock.now(), connection.received_at
        received_at.append(now)
        while received_at[0] <= now - 60:
            received_at.popleft()
        text = sent if isinstance(sent, str) else sent.decode(errors="replace")
        if len(text.encode()) > MAX_PAYLOAD_BYTES:
            self._refuse(connection, 4002, f"a payload over {MAX_PAYLOAD_BYTES} bytes")
            return
        if len(received_at) > MAX_SENDS_PER_MINUTE:
            self._refuse(connection, 4008, f"over {MAX_SENDS_PER_MINUTE} payloads a minute")
            return
        try:
            message: Json = json.loads(text)
            op: int = message["op"]
            data: Any = message.get("d")
        except (ValueError, KeyError, TypeError):
            self._refuse(connection, 4002, f"no gateway payload: {text[:80]!r}")
            return
        # Heartbeats come before IDENTIFY too: discord.py beats as soon as it has read HELLO.
        if op == HEARTBEAT:
            connection.last_beat = data
            connection.num_beats += 1
            connection.send(HEARTBEAT_ACK)
            self.world.changes.notify()
        elif op == IDENTIFY:
            self._identify(connection, data)
        elif op == RESUME:
            self._resume(connection, data)
        elif connection.session is None:
            self._refuse(connection, 4003, f"op {op} before IDENTIFY")
        elif op == REQUEST_MEMBERS:
            self._list_members(connection.session, data)
        elif op != PRESENCE:
            self._refuse(connection, 4001, f"op {op}, which no painting bot sends")

    def _identify(self, connection: Connection, data: Json) -> None:
        if connection.session is not None:
            self._refuse(connection, 4005, "IDENTIFY twice on one connection")
            return
        if data.get("token") != self.world.token:
            self._refuse(connection, 4004, "wrong token in IDENTIFY")
            return
        missing = {"token", "properties", "intents"} - set(data)
        if missing:
            self._refuse(connection, 4002, f"IDENTIFY without {sorted(missing)}")
            return
        intents: int = data["intents"]
        if intents & PRIVILEGED & ~self.granted_intents:
            self._refuse(connection, 4014, "a privileged intent that is not granted")
            return
        session = Session(secrets.token_hex(16), intents, connection)
        connection.session = session
        self.sessions[session.id] = session
        self.num_identified += 1
        world = self.world
        guilds = [guild for guild in world.guilds.values() if world.bot.id in guild.members]
        ready: Json = {
            "v": 10,
            "user": payloads.own_user(world.bot),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": world.gateway_url,
            "application": {"id": str(world.bot.id), "flags": 1 << 23},
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "user_settings": {},
            "_trace": [],
        }
        if "shard" in data:
            ready["shard"] = data["shard"]
        session.dispatch("READY", ready)
        for guild in guilds:
            session.tell(Event("GUILD_CREATE", payloads.guild(guild, world.bot)))
        self.world.changes.notify()

    def _resume(self, connection: Connection, data: Json) -> None:
        if data.get("token") != self.world.token:
            self._refuse(connection, 4004, "wrong token in RESUME")
            return
        session = self.sessions.get(data.get("session_id") or "")
        if session is None:
            self.num_refused_resumes += 1
            connection.send(INVALID_SESSION, False)
            self.world.changes.notify()
            return
        if data["seq"] is None or data["seq"] > session.sequence:
            self._refuse(connection, 4007, f"RESUME from sequence {data['seq']}")
            return
        session.connection = connection
        connection.session = session
        session.replay(data["seq"])
        session.dispatch("RESUMED", {"_trace": []})
        self.num_resumed += 1
        self.world.changes.notify()

    def _list_members(self, session: Session, data: Json) -> None:
        guild = self.world.guilds.get(int(data["guild_id"]))
        if guild is None:
            return
        listed_ids: list[str] = data.get("user_ids") or []
        wanted = {int(one) for one in listed_ids}
        query: str = data.get("query") or ""
        found = [
            payloads.member(member)
            for key, member in guild.members.items()
            if (key in wanted if wanted else member.user.name.startswith(query))
        ]
        body: Json = {
            "guild_id": str(guild.id),
            "members": found,
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": [str(key) for key in wanted - set(guild.members)],
        }
        if "nonce" in data:
            body["nonce"] = data["nonce"]
        session.dispatch("GUILD_MEMBERS_CHUNK", body)

    def _refuse(self, connection: Connection, code: int, problem: str) -> None:
        self._complain(f"{problem} (closed with {code})")
        connection.close(code)

    def _complain(self, problem: str) -> None:
        self.world.violations.record(Kind.GATEWAY, "gateway", problem)

    async def stop(self) -> None:
        for connection in list(self.connections):
            await connection.go_away()
