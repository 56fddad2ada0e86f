"""Slash options as Discord's client fills them in: checked, and resolved into the payload.

What is refused here never reaches the bot: the test itself asked for what Discord does not offer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import message_payloads, payloads
from .command_rules import CHAT_INPUT
from .entities import Channel, ChannelType, Message, Role, User
from .json_parts import Json, listed
from .permissions import IN_DIRECT_MESSAGES, Permission

if TYPE_CHECKING:
    from .world import World

STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)

File = tuple[str, bytes]
Value = str | int | float | bool | User | Role | Channel | File


class NotOffered(AssertionError):  # noqa: N818
    """Discord would not let this person ask for this here."""


@dataclass(slots=True)
class Resolved:
    """The things behind the ids in an interaction's values."""

    world: World
    channel: Channel
    body: Json = field(default_factory=dict[str, Any])

    def id_of(self, value: Value) -> str:
        match value:
            case User():
                self._put("users", value.id, payloads.user(value))
                if self.channel.guild is not None and value.id in self.channel.guild.members:
                    found = self.channel.guild.members[value.id]
                    body = payloads.member(found, with_user=False)
                    del body["deaf"], body["mute"]
                    body["permissions"] = str(int(self.channel.permissions_of(value)))
                    self._put("members", value.id, body)
                return str(value.id)
            case Role():
                self._put("roles", value.id, payloads.role(value))
                return str(value.id)
            case Channel():
                body = payloads.channel(value) | {"permissions": "0"}
                self._put("channels", value.id, body)
                return str(value.id)
            case (str() as name, bytes() as data):
                file = self.world.keep(self.channel, name, data, is_ephemeral=True)
                self._put("attachments", file.id, message_payloads.attachment(file))
                return str(file.id)
            case _:
                raise NotOffered(f"{value!r} is nothing that an id could stand for")

    def put_message(self, message: Message) -> None:
        body = message_payloads.message(message, self.world.bot)
        self._put("messages", message.id, body)

    def _put(self, kind: str, thing_id: int, body: Json) -> None:
        self.body.setdefault(kind, {})[str(thing_id)] = body


def installation_owners(world: World, channel: Channel, user: User, command: Json) -> Json:
    """`authorizing_integration_owners`: by whose installation the command is here."""
    kinds: list[int] = command.get("integration_types") or [0]
    owners: Json = {}
    if 0 in kinds:
        if channel.guild is not None and world.bot.id in channel.guild.members:
            owners["0"] = str(channel.guild.id)
        elif channel.type is ChannelType.DIRECT and world.bot in channel.recipients:
            owners["0"] = "0"
    if 1 in kinds and user.has_installed:
        owners["1"] = str(user.id)
    return owners


def app_permissions(world: World, channel: Channel, user: User) -> Permission:
    if channel.guild is None:
        return IN_DIRECT_MESSAGES
    if world.bot.id in channel.guild.members:
        return channel.permissions_of(world.bot)
    return IN_DIRECT_MESSAGES & channel.permissions_of(user)


def find_command(world: World, channel: Channel, user: User, name: str, kind: int) -> Json:
    """The registered command, if this person is offered it in this channel."""
    guild_id = None if channel.guild is None else channel.guild.id
    candidates = [*world.commands.get(guild_id, []), *world.commands.get(None, [])]
    root = name.split()[0] if kind == CHAT_INPUT else name
    found = next((c for c in candidates if c["name"] == root and c["type"] == kind), None)
    if found is None:
        raise NotOffered(f"no command {root!r} is registered: {[c['name'] for c in candidates]}")
    if not installation_owners(world, channel, user, found):
        raise NotOffered(f"{root!r} is not installed here")
    context = 0 if channel.guild else 1 if world.bot in channel.recipients else 2
    if found.get("contexts") is not None and context not in found["contexts"]:
        raise NotOffered(f"{root!r} is not offered in context {context}")
    if channel.guild is None:
        return found
    held = channel.permissions_of(user)
    if not held & Permission.USE_APPLICATION_COMMANDS:
        raise NotOffered(f"{user.name} may use no commands here")
    wanted = found["default_member_permissions"]
    is_admin = held & Permission.ADMINISTRATOR
    if wanted is not None and not is_admin and (int(wanted) & ~held or wanted == "0"):
        raise NotOffered(f"{user.name} lacks the permissions for {root!r}")
    return found


def filled_options(
    command: Json, name: str, values: dict[str, Value], resolved: Resolved, focused: str | None
) -> list[Json]:
    """The payload's options, nested under the subcommands that `name` goes on with."""
    node, wrap = command, list[Json]()
    for part in name.split()[1:]:
        found = [o for o in listed(node, "options") if o["name"] == part and o["type"] in (1, 2)]
        if not found:
            raise NotOffered(f"{command['name']!r} has no subcommand {part!r}")
        node = found[0]
        wrap.append({"name": part, "type": node["type"]})
    declared: dict[str, Json] = {option["name"]: option for option in listed(node, "options")}
    for key in values:
        if key not in declared or declared[key]["type"] in (1, 2):
            raise NotOffered(f"{name!r} has no option {key!r}: {sorted(declared)}")
    missing = [key for key, o in declared.items() if o.get("required") and key not in values]
    if missing and focused is None:
        raise NotOffered(f"{name!r} requires {missing}")
    filled: list[Json] = []
    for key, value in values.items():
        option: Json = {"name": key, "type": declared[key]["type"]}
        if key == focused:
            option |= {"value": value, "focused": True}
        else:
            option["value"] = _checked(declared[key], value, resolved)
        filled.append(option)
    for part in reversed(wrap):
        filled = [part | {"options": filled}]
    return filled


def _checked(option: Json, value: Value, resolved: Resolved) -> object:
    kind: int = option["type"]
    name: str = option["name"]
    types: dict[int, tuple[type, ...]] = {
        STRING: (str,),
        INTEGER: (int,),
        BOOLEAN: (bool,),
        NUMBER: (int, float),
        USER: (User,),
        CHANNEL: (Channel,),
        ROLE: (Role,),
        MENTIONABLE: (User, Role),
        ATTACHMENT: (tuple,),
    }
    is_odd_bool = isinstance(value, bool) and kind != BOOLEAN
    if not isinstance(value, types[kind]) or is_odd_bool:
        raise NotOffered(f"{name} takes no {type(value).__name__}")
    if kind in (USER, CHANNEL, ROLE, MENTIONABLE, ATTACHMENT):
        return resolved.id_of(value)
    choices: list[Json] = listed(option, "choices")
    if choices and value not in [choice["value"] for choice in choices]:
        raise NotOffered(f"{name} offers no {value!r}")
    measure = len(value) if isinstance(value, str) else value
    assert isinstance(measure, int | float)
    unit = "length" if isinstance(value, str) else "value"
    least, most = option.get(f"min_{unit}"), option.get(f"max_{unit}")
    too_little = least is not None and measure < least
    too_much = measure > (most if most is not None else 6000 if unit == "length" else 2**53)
    if too_little or too_much:
        raise NotOffered(f"{name}: {value!r} is outside {least} to {most}")
    return value
