"""How Discord writes messages, files and interactions as JSON, complete as specified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .clock import timestamp
from .entities import Attachment, ChannelType, Interaction, Message, User
from .payloads import channel, member, user

if TYPE_CHECKING:
    from .json_parts import Json


def attachment(file: Attachment) -> Json:
    body: Json = {
        "id": str(file.id),
        "filename": file.filename,
        "size": file.size,
        "url": file.url,
        "proxy_url": file.url,
    }
    if file.content_type is not None:
        body["content_type"] = file.content_type
    if file.width is not None and file.height is not None:
        body |= {"width": file.width, "height": file.height}
    if file.description is not None:
        body["description"] = file.description
    if file.is_ephemeral:
        body["ephemeral"] = True
    return body


def media(file: Attachment) -> Json:
    """The file as a component that shows it carries it."""
    return {
        "id": str(file.id),
        "url": file.url,
        "proxy_url": file.url,
        "width": file.width,
        "height": file.height,
        "content_type": file.content_type,
        "attachment_id": str(file.id),
    }


def interaction_metadata(made_from: Interaction) -> Json:
    body: Json = {
        "id": str(made_from.id),
        "type": made_from.type,
        "user": user(made_from.user),
        "authorizing_integration_owners": made_from.owners,
    }
    if made_from.type == 2 and "target_id" in made_from.data:
        body["target_message_id"] = made_from.data["target_id"]
    if made_from.type == 3 and made_from.source is not None:
        body["interacted_message_id"] = str(made_from.source.id)
    if made_from.type == 5 and made_from.triggered_by is not None:
        body["triggering_interaction_metadata"] = interaction_metadata(made_from.triggered_by)
    return body


def message(post: Message, viewer: User, *, content_is_hidden: bool = False) -> Json:
    """A message as `viewer` gets it; hidden content is what a bot without its intent sees."""
    listed = [file for file in post.attachments.values() if file.id not in post.shown_ids]
    body: Json = {
        "id": str(post.id),
        "channel_id": str(post.channel.id),
        "type": 0,
        "author": user(post.author),
        "content": "" if content_is_hidden else post.content,
        "embeds": [] if content_is_hidden else post.embeds,
        "attachments": [] if content_is_hidden else [attachment(file) for file in listed],
        "components": [] if content_is_hidden else post.components,
        "timestamp": timestamp(post.made_at),
        "edited_timestamp": None if post.edited_at is None else timestamp(post.edited_at),
        "flags": post.flags,
        "pinned": False,
        "tts": False,
        "mention_everyone": post.pinged_everyone,
        "mentions": [],
        "mention_roles": [str(role_id) for role_id in post.pinged_role_ids],
    }
    if post.channel.guild is not None:
        members = post.channel.guild.members
        people = [members[key].user for key in post.pinged_user_ids if key in members]
    else:
        people = [u for u in post.channel.recipients if u.id in post.pinged_user_ids]
    body["mentions"] = [user(person) for person in people]
    if post.nonce is not None:
        body["nonce"] = post.nonce
    if post.interaction is not None:
        body |= {
            "type": 20 if post.interaction.type == 2 else 0,
            "application_id": str(post.author.id),
            "webhook_id": str(post.author.id),
            "interaction_metadata": interaction_metadata(post.interaction),
        }
        if "target_id" in post.interaction.data:
            body["type"] = 23
    if post.reactions:
        body["reactions"] = [
            {
                "emoji": {"id": None, "name": name},
                "count": len(people_ids),
                "count_details": {"burst": 0, "normal": len(people_ids)},
                "burst_colors": [],
                "me_burst": False,
                "me": viewer.id in people_ids,
            }
            for name, people_ids in post.reactions.items()
        ]
    if post.replies_to is not None:
        body |= {"type": 19, "message_reference": reference(post.replies_to)}
        gone = post.replies_to.is_deleted
        body["referenced_message"] = None if gone else message(post.replies_to, viewer)
    return body


def reference(post: Message) -> Json:
    body: Json = {"type": 0, "message_id": str(post.id), "channel_id": str(post.channel.id)}
    if post.channel.guild is not None:
        body["guild_id"] = str(post.channel.guild.id)
    return body


def message_event(post: Message, viewer: User, *, content_is_hidden: bool = False) -> Json:
    """MESSAGE_CREATE and MESSAGE_UPDATE add where the message stands and who wrote it."""
    body = message(post, viewer, content_is_hidden=content_is_hidden)
    body["channel_type"] = int(post.channel.type)
    if post.channel.guild is not None:
        body["guild_id"] = str(post.channel.guild.id)
        author = post.channel.guild.members.get(post.author.id)
        if author is not None:
            body["member"] = member(author, with_user=False)
    return body


def interaction_event(
    asked: Interaction, *, application_id: int, attachment_size_limit: int
) -> Json:
    """INTERACTION_CREATE's body."""
    place = asked.channel
    body: Json = {
        "id": str(asked.id),
        "application_id": str(application_id),
        "type": asked.type,
        "data": asked.data,
        "token": asked.token,
        "version": 1,
        "channel_id": str(place.id),
        "channel": channel(place),
        "app_permissions": str(int(asked.app_permissions)),
        "locale": asked.user.locale,
        "entitlements": [],
        "entitlement_sku_ids": [],
        "authorizing_integration_owners": asked.owners,
        "attachment_size_limit": attachment_size_limit,
        "context": 0 if place.guild is not None else 1 if is_with_bot(asked) else 2,
    }
    body["channel"].pop("recipients", None)
    if place.guild is not None:
        permissions = str(int(place.permissions_of(asked.user)))
        body["channel"] |= {"permissions": permissions}
        body |= {
            "guild_id": str(place.guild.id),
            "guild": {"id": str(place.guild.id), "locale": "en-GB", "features": []},
            "guild_locale": "en-GB",
            "member": member(place.guild.members[asked.user.id]) | {"permissions": permissions},
        }
    else:
        body["user"] = user(asked.user)
    if asked.source is not None and asked.type in (3, 5):
        body["message"] = message(asked.source, asked.user)
    return body


def is_with_bot(asked: Interaction) -> bool:
    return asked.channel.type is ChannelType.DIRECT and any(
        person.is_bot for person in asked.channel.recipients
    )
