"""Routes under channels: messages with their files, reactions, typing, direct channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import message_payloads, payloads, posts
from .clock import OLD_MESSAGE_S
from .errors import closed_to_messages, invalid_body, not_your_message, too_many_old_edits
from .json_parts import nested
from .permissions import Permission
from .routing import Answer, Call, Route

if TYPE_CHECKING:
    from .entities import Channel, Message

# That there is a limit to edits of messages older than an hour is known; its figure is ours.
MAX_OLD_EDITS = 10

_READ = (Permission.VIEW_CHANNEL, Permission.READ_MESSAGE_HISTORY)


def read_channel(call: Call) -> Answer:
    return Answer(payloads.channel(call.channel()))


def create_message(call: Call) -> Answer:
    channel = call.channel()
    writing = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    call.demand(channel, writing)
    if call.content.uploads:
        call.demand(channel, Permission.ATTACH_FILES)
    if call.body.get("embeds"):
        call.demand(channel, Permission.EMBED_LINKS)
    if any(not person.takes_direct_messages for person in channel.recipients):
        raise closed_to_messages()
    nonce = call.body.get("nonce")
    if nonce is not None and call.body.get("enforce_nonce"):
        known = call.world.remembered(channel, nonce)
        if known is not None:
            return Answer(message_payloads.message(known, call.world.bot))
    draft = posts.Draft(call.body, call.content.uploads, call.where)
    made = posts.make(call.world, channel, draft, replies_to=_replied_to(call, channel))
    if nonce is not None:
        call.world.remember(made, nonce)
    return Answer(message_payloads.message(made, call.world.bot))


def _replied_to(call: Call, channel: Channel) -> Message | None:
    reference = nested(call.body, "message_reference")
    if not reference.get("message_id"):
        return None
    call.demand(channel, Permission.READ_MESSAGE_HISTORY)
    message = channel.messages.get(int(reference["message_id"]))
    if message is None or message.is_deleted or message.is_ephemeral:
        if reference.get("fail_if_not_exists") is False:
            return None
        error = invalid_body("message_reference", "Unknown message")
        if message is not None and message.is_deleted:
            error.kind = None
        raise error
    return message


def list_messages(call: Call) -> Answer:
    channel = call.channel(*_READ)
    found = channel.timeline[::-1]
    limit = int(call.query.get("limit", 50))
    if "before" in call.query:
        found = [message for message in found if message.id < int(call.query["before"])]
    if "after" in call.query:
        # The ones next to it, and still the newest first.
        found = [message for message in found if message.id > int(call.query["after"])][-limit:]
    if "around" in call.query:
        middle = int(call.query["around"])
        newer = [message for message in found if message.id > middle][-(limit // 2) :]
        older = [message for message in found if message.id <= middle]
        found = [*newer, *older[: limit - len(newer)]]
    return Answer([_seen(call, message) for message in found[:limit]])


def read_message(call: Call) -> Answer:
    channel = call.channel(*_READ)
    return Answer(_seen(call, call.world.find_message(channel, call.id("message_id"))))


def _seen(call: Call, message: Message) -> object:
    """Read back by id, other people's messages are bare without the message content intent."""
    is_hidden = call.world.hides_content(message)
    return message_payloads.message(message, call.world.bot, content_is_hidden=is_hidden)


def edit_message(call: Call) -> Answer:
    channel = call.channel()
    message = call.world.find_message(channel, call.id("message_id"))
    if message.author is not call.world.bot:
        raise not_your_message()
    if call.content.uploads:
        call.demand(channel, Permission.ATTACH_FILES)
    now = call.world.clock.now()
    if now - message.made_at > OLD_MESSAGE_S:
        message.old_edits_at = [at for at in message.old_edits_at if now - at < OLD_MESSAGE_S]
        if len(message.old_edits_at) >= MAX_OLD_EDITS:
            raise too_many_old_edits()
        message.old_edits_at.append(now)
    draft = posts.Draft(call.body, call.content.uploads, call.where)
    return Answer(
        message_payloads.message(posts.change(call.world, message, draft), call.world.bot)
    )


def delete_message(call: Call) -> Answer:
    channel = call.channel()
    message = call.world.find_message(channel, call.id("message_id"))
    if message.author is not call.world.bot:
        call.demand(channel, Permission.MANAGE_MESSAGES)
    call.world.delete_message(message)
    return Answer(status=204)


def add_reaction(call: Call) -> Answer:
    channel = call.channel(Permission.READ_MESSAGE_HISTORY)
    message = call.world.find_message(channel, call.id("message_id"))
    emoji = call.params["emoji_name"]
    if emoji not in message.reactions:
        call.demand(channel, Permission.ADD_REACTIONS)
    call.world.react(message, call.world.bot, emoji)
    return Answer(status=204)


def remove_reaction(call: Call) -> Answer:
    channel = call.channel()
    message = call.world.find_message(channel, call.id("message_id"))
    emoji = call.params["emoji_name"]
    call.world.react(message, call.world.bot, emoji, adds=False)
    return Answer(status=204)


def clear_reactions(call: Call) -> Answer:
    channel = call.channel(Permission.MANAGE_MESSAGES)
    message = call.world.find_message(channel, call.id("message_id"))
    message.reactions.clear()
    call.world.changes.notify()
    return Answer(status=204)


def typing(call: Call) -> Answer:
    channel = call.channel(Permission.SEND_MESSAGES)
    call.world.typing_in.append(channel.id)
    return Answer(status=204)


def open_direct_channel(call: Call) -> Answer:
    if call.body.get("recipient_id") is None:
        raise invalid_body("recipient_id", "This field is required")
    person = call.world.find_user(int(call.body["recipient_id"]))
    channel = call.world.direct(person)
    body = payloads.channel(channel)
    # Discord lists the other side only.
    return Answer(body | {"recipients": [payloads.user(person)]})


_MESSAGE = "/channels/{channel_id}/messages/{message_id}"

ROUTES = [
    Route("GET", "/channels/{channel_id}", read_channel),
    Route("POST", "/channels/{channel_id}/typing", typing),
    Route("GET", "/channels/{channel_id}/messages", list_messages),
    Route("POST", "/channels/{channel_id}/messages", create_message),
    Route("GET", _MESSAGE, read_message),
    Route("PATCH", _MESSAGE, edit_message),
    Route("DELETE", _MESSAGE, delete_message),
    Route("DELETE", _MESSAGE + "/reactions", clear_reactions),
    Route("PUT", _MESSAGE + "/reactions/{emoji_name}/@me", add_reaction),
    Route("DELETE", _MESSAGE + "/reactions/{emoji_name}/@me", remove_reaction),
    Route("POST", "/users/@me/channels", open_direct_channel),
]
