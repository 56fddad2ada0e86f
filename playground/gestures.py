"""What people do on Discord that simcord's page has no control for: post a picture, open a menu.

The control itself is in page/demo.js; what the bot does then is the bot's.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from simcord.actors import MemberActor
from simcord.backend.errors import SetupError
from simcord.enums import AppCommandType
from simcord.interactions import command_leaves
from simcord.results import ResponseMessage

if TYPE_CHECKING:
    from simcord.builders import UserHandle
    from simcord.env import Env
    from simcord.preview import Preview

    from .world import Room


def viewer_of(room: Room, viewer_id: str) -> MemberActor | UserHandle:
    for viewer in room.viewers:
        if str(viewer.id) == viewer_id:
            return viewer
    raise SetupError("nobody of this id is in this channel")


def command_names(env: Env, room: Room) -> list[str]:
    """What anybody here may type behind a slash, the longest first."""
    names = {
        " ".join(path)
        for viewer in room.viewers
        for command in env.backend.visible_commands(user_id=viewer.id, channel_id=room.channel.id)
        for path, _ in command_leaves(command)
    }
    return sorted(names, key=len, reverse=True)


def message_menus(env: Env, room: Room) -> list[str]:
    """The names under "Apps" of a message in this channel."""
    if room.channel.guild is None:
        return []  # simcord opens menus for members only
    visible = env.backend.visible_commands(
        user_id=room.viewers[0].id, channel_id=room.channel.id, type=AppCommandType.MESSAGE
    )
    return [str(command["name"]) for command in visible]


async def post_picture(
    env: Env, room: Room, viewer: MemberActor | UserHandle, filename: str, content: bytes
) -> None:
    if isinstance(viewer, MemberActor):
        await viewer.send(room.channel, attachments=[(filename, content)])
    else:
        stored = env.backend.store_attachments(room.channel.id, [(filename, content)])
        await viewer.send_dm(attachments=stored)


async def open_menu(
    env: Env,
    room: Room,
    preview: Preview,
    *,
    context_id: str,
    viewer: MemberActor | UserHandle,
    name: str,
    message_id: int,
) -> None:
    """Apps > `name` on a message; a dialog that the bot opens is shown in the page that asked."""
    if not isinstance(viewer, MemberActor):
        raise SetupError("menus are not simulated in direct messages")
    message = ResponseMessage(env, env.backend.get_message(room.channel.id, message_id))
    result = await viewer.context_menu(room.channel, name, message)
    if result.modal is not None:
        page = preview._get_page(context_id)  # pyright: ignore[reportPrivateUsage]
        page.modal = result
        page.modal_handle = f"m_{secrets.token_urlsafe(12)}"
