"""Routes about the bot itself: login, application, gateway, users, guilds, commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import payloads
from .command_rules import check_command, check_commands
from .errors import unknown
from .routing import Answer, Call, Route

if TYPE_CHECKING:
    from .json_parts import Json
    from .world import World


def own_user(call: Call) -> Answer:
    return Answer(payloads.own_user(call.world.bot))


def application(call: Call) -> Answer:
    world = call.world
    num_guilds = sum(world.bot.id in guild.members for guild in world.guilds.values())
    return Answer(payloads.application(world.bot, world.owner, num_guilds=num_guilds))


def gateway(call: Call) -> Answer:
    return Answer({"url": call.world.gateway_url})


def gateway_for_bot(call: Call) -> Answer:
    start = {"total": 1000, "remaining": 999, "reset_after": 14_400_000, "max_concurrency": 1}
    body: Json = {"url": call.world.gateway_url, "session_start_limit": start, "shards": 1}
    return Answer(body)


def user(call: Call) -> Answer:
    return Answer(payloads.user(call.world.find_user(call.id("user_id"))))


def guild(call: Call) -> Answer:
    return Answer(payloads.partial_guild(call.world.find_guild(call.id("guild_id"))))


def guild_channels(call: Call) -> Answer:
    place = call.world.find_guild(call.id("guild_id"))
    return Answer([payloads.channel(c) for c in place.channels.values() if not c.is_thread])


def guild_member(call: Call) -> Answer:
    place = call.world.find_guild(call.id("guild_id"))
    found = place.members.get(call.id("user_id"))
    if found is None:
        raise unknown("Member", 10007)
    return Answer(payloads.member(found))


def guild_roles(call: Call) -> Answer:
    place = call.world.find_guild(call.id("guild_id"))
    return Answer([payloads.role(role) for role in place.roles.values()])


def list_commands(call: Call) -> Answer:
    return Answer(call.world.commands.get(_guild_id(call), []))


def replace_commands(call: Call) -> Answer:
    given: list[Json] = call.content.json or []
    check_commands(given)
    known = {_key(command): command for command in call.world.commands.get(_guild_id(call), [])}
    made = [_registered(call, command, known.get(_key(command))) for command in given]
    call.world.commands[_guild_id(call)] = made
    call.world.changes.notify()
    return Answer(made)


def create_command(call: Call) -> Answer:
    check_command(call.body, "")
    commands = call.world.commands.setdefault(_guild_id(call), [])
    known = next((command for command in commands if _key(command) == _key(call.body)), None)
    made = _registered(call, call.body, known)
    others = [command for command in commands if command is not known]
    check_commands([*others, made])
    call.world.commands[_guild_id(call)] = [*others, made]
    call.world.changes.notify()
    return Answer(made, status=201 if known is None else 200)


def read_command(call: Call) -> Answer:
    return Answer(_find(call))


def edit_command(call: Call) -> Answer:
    command = _find(call)
    merged = command | call.body
    check_command(merged, "")
    command.update(merged, version=str(call.world.ids.next()))
    return Answer(command)


def delete_command(call: Call) -> Answer:
    command = _find(call)
    call.world.commands[_guild_id(call)].remove(command)
    return Answer(status=204)


def no_emojis(call: Call) -> Answer:
    del call
    return Answer({"items": []})


def _guild_id(call: Call) -> int | None:
    if "guild_id" not in call.params:
        return None
    return call.world.find_guild(call.id("guild_id")).id


def _key(command: Json) -> tuple[int, str]:
    return command.get("type") or 1, command["name"]


def _find(call: Call) -> Json:
    for command in call.world.commands.get(_guild_id(call), []):
        if command["id"] == call.params["command_id"]:
            return command
    raise unknown("application command", 10063)


def _registered(call: Call, command: Json, known: Json | None) -> Json:
    """The command as Discord keeps it: with its id, which a change of its content leaves alone."""
    world: World = call.world
    guild_id = _guild_id(call)
    permissions = command.get("default_member_permissions")
    kept: Json = {
        "id": str(world.ids.next()) if known is None else known["id"],
        "application_id": str(world.bot.id),
        "version": str(world.ids.next()),
        "type": command.get("type") or 1,
        "name": command["name"],
        "name_localizations": command.get("name_localizations"),
        "description": command.get("description") or "",
        "description_localizations": command.get("description_localizations"),
        "default_member_permissions": None if permissions is None else str(permissions),
        "nsfw": bool(command.get("nsfw")),
        "integration_types": command.get("integration_types") or [0],
    }
    if command.get("options"):
        kept["options"] = command["options"]
    if guild_id is None:
        contexts = command.get("contexts")
        kept["contexts"] = contexts
        kept["dm_permission"] = contexts is None or 1 in contexts
    else:
        kept["guild_id"] = str(guild_id)
    return kept


_COMMANDS = "/applications/{application_id}/commands"
_GUILD_COMMANDS = "/applications/{application_id}/guilds/{guild_id}/commands"

ROUTES = [
    Route("GET", "/users/@me", own_user),
    Route("GET", "/users/{user_id}", user),
    Route("GET", "/oauth2/applications/@me", application),
    Route("GET", "/applications/@me", application),
    Route("GET", "/applications/{application_id}/emojis", no_emojis),
    Route("GET", "/gateway", gateway),
    Route("GET", "/gateway/bot", gateway_for_bot),
    Route("GET", "/guilds/{guild_id}", guild),
    Route("GET", "/guilds/{guild_id}/channels", guild_channels),
    Route("GET", "/guilds/{guild_id}/roles", guild_roles),
    Route("GET", "/guilds/{guild_id}/members/{user_id}", guild_member),
    *(
        Route(method, base + path, handle)
        for base in (_COMMANDS, _GUILD_COMMANDS)
        for method, path, handle in (
            ("GET", "", list_commands),
            ("PUT", "", replace_commands),
            ("POST", "", create_command),
            ("GET", "/{command_id}", read_command),
            ("PATCH", "/{command_id}", edit_command),
            ("DELETE", "/{command_id}", delete_command),
        )
    ),
]
