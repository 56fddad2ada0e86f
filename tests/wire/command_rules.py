"""What Discord demands of application commands beyond its published schemas.

Source: https://discord.com/developers/docs/interactions/application-commands
"""

from __future__ import annotations

import unicodedata
from collections import Counter

from .errors import ApiError, invalid_body
from .json_parts import Json, listed
from .violations import Kind

CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, GROUP = 1, 2
# The published schema still admits 130 in one request; what clients enforce is older and smaller.
MAX_OF_TYPE = {CHAT_INPUT: 100, USER_MENU: 5, MESSAGE_MENU: 5}
MAX_CHARACTERS = 8000


def check_commands(commands: list[Json]) -> None:
    """Raises for a set of commands that Discord would refuse whole."""
    counts = Counter(command.get("type") or CHAT_INPUT for command in commands)
    for kind, most in MAX_OF_TYPE.items():
        if counts[kind] > most:
            message = "Maximum number of application commands reached"
            raise ApiError(400, 30032, f"{message} ({most})", kind=Kind.BAD_BODY)
    named = Counter((command.get("type") or CHAT_INPUT, command["name"]) for command in commands)
    for (_, name), times in named.items():
        if times > 1:
            raise invalid_body("name", f"application command names must be unique: {name!r}")
    for index, command in enumerate(commands):
        check_command(command, f"{index}")


def check_command(command: Json, path: str) -> None:
    if (command.get("type") or CHAT_INPUT) == CHAT_INPUT:
        _check_name(command["name"], path)
        if not command.get("description"):
            raise invalid_body(f"{path}.description", "a slash command needs a description")
        _check_options(listed(command, "options"), path)
        if _num_characters(command) > MAX_CHARACTERS:
            raise invalid_body(path, f"over {MAX_CHARACTERS} characters in all")
        return
    if command.get("description"):
        raise invalid_body(f"{path}.description", "a context menu has no description")
    if command.get("options"):
        raise invalid_body(f"{path}.options", "a context menu has no options")


def _check_name(name: str, path: str) -> None:
    # ^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$ and no capital that has a small letter.
    def is_allowed(character: str) -> bool:
        if character in "-_'ʼ" or unicodedata.category(character)[0] in "LN":
            return True
        return "\u0900" <= character <= "\u097f" or "\u0e00" <= character <= "\u0e7f"

    if not all(map(is_allowed, name)) or name != name.lower():
        raise invalid_body(f"{path}.name", f"{name!r} is no valid name")


def _check_options(options: list[Json], path: str) -> None:
    names = Counter(option["name"] for option in options)
    if any(times > 1 for times in names.values()):
        raise invalid_body(f"{path}.options", "two options of one name")
    is_branch = [option["type"] in (SUBCOMMAND, GROUP) for option in options]
    if any(is_branch) and not all(is_branch):
        raise invalid_body(f"{path}.options", "subcommands beside options")
    optional_seen = False
    for index, option in enumerate(options):
        here = f"{path}.options.{index}"
        _check_name(option["name"], here)
        if option["type"] in (SUBCOMMAND, GROUP):
            _check_options(listed(option, "options"), here)
            continue
        if option.get("required") and optional_seen:
            raise invalid_body(here, "a required option after an optional one")
        optional_seen = optional_seen or not option.get("required")
        _check_values(option, here)


def _check_values(option: Json, path: str) -> None:
    choices: list[Json] = listed(option, "choices")
    if choices and option.get("autocomplete"):
        raise invalid_body(path, "choices beside autocomplete")
    if len({choice["name"] for choice in choices}) != len(choices):
        raise invalid_body(f"{path}.choices", "two choices of one name")
    if len({choice["value"] for choice in choices}) != len(choices):
        raise invalid_body(f"{path}.choices", "two choices of one value")
    for low, high in (("min_value", "max_value"), ("min_length", "max_length")):
        if None not in (option.get(low), option.get(high)) and option[low] > option[high]:
            raise invalid_body(path, f"{low} over {high}")


def _num_characters(node: Json) -> int:
    """Names, descriptions and choices' values, all the way down."""
    count = len(node.get("name") or "") + len(node.get("description") or "")
    if isinstance(node.get("value"), str):
        count += len(node["value"])
    for key in ("options", "choices"):
        count += sum(_num_characters(child) for child in listed(node, key))
    return count
