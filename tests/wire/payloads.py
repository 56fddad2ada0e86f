"""How Discord writes its things as JSON: one function a thing, complete as specified."""

from __future__ import annotations

from .clock import timestamp
from .entities import (
    Attachment,
    Channel,
    ChannelType,
    Guild,
    Interaction,
    Json,
    Member,
    Message,
    Role,
    User,
)


def user(person: User) -> Json:
    return {
        "id": str(person.id),
        "username": person.name,
        "discriminator": "0000" if person.is_bot else "0",
        "global_name": None if person.is_bot else person.name.title(),
        "avatar": None,
        "bot": person.is_bot,
        "system": False,
        "banner": None,
        "accent_color": None,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
        "avatar_decoration_data": None,
        "collectibles": None,
    }


def own_user(person: User) -> Json:
    return user(person) | {
        "mfa_enabled": False,
        "locale": "en-US",
        "verified": True,
        "email": None,
    }


def role(given: Role) -> Json:
    return {
        "id": str(given.id),
        "name": given.name,
        "permissions": str(int(given.permissions)),
        "position": given.position,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "icon": None,
        "unicode_emoji": None,
        "flags": 0,
    }


def member(someone: Member, *, with_user: bool = True) -> Json:
    body: Json = {
        "avatar": None,
        "banner": None,
        "communication_disabled_until": None,
        "flags": 0,
        "joined_at": timestamp(someone.guild.made_at),
        "nick": someone.nick,
        "pending": False,
        "premium_since": None,
        "roles": [str(given.id) for given in someone.roles],
        "mute": False,
        "deaf": False,
    }
    if with_user:
        body["user"] = user(someone.user)
    return body


def channel(place: Channel) -> Json:
    last = max(place.messages, default=None)
    body: Json = {
        "id": str(place.id),
        "type": int(place.type),
        "flags": 0,
        "last_message_id": None if last is None else str(last),
    }
    if place.is_private:
        return body | {"recipients": [user(person) for person in place.recipients]}
    assert place.guild is not None
    body |= {
        "guild_id": str(place.guild.id),
        "name": place.name,
        "rate_limit_per_user": 0,
        "parent_id": None if place.parent is None else str(place.parent.id),
    }
    if place.is_thread:
        return body | {
            "owner_id": str(place.guild.owner_id),
            "message_count": len(place.messages),
            "member_count": 1,
            "total_message_sent": len(place.messages),
            "thread_metadata": {
                "archived": False,
                "archive_timestamp": timestamp(place.guild.made_at),
                "auto_archive_duration": 1440,
                "locked": False,
                "create_timestamp": timestamp(place.guild.made_at),
            },
        }
    return body | {
        "position": 0,
        "topic": None,
        "nsfw": place.is_nsfw,
        "permission_overwrites": [
            {
                "id": str(overwrite.target_id),
                "type": int(overwrite.is_member),
                "allow": str(int(overwrite.allow)),
                "deny": str(int(overwrite.deny)),
            }
            for overwrite in place.overwrites.values()
        ],
    }


def guild(place: Guild, bot: User) -> Json:
    """GUILD_CREATE's body; without the members intent it lists the bot alone."""
    channels = [channel(c) for c in place.channels.values() if not c.is_thread]
    threads = [channel(c) for c in place.channels.values() if c.is_thread]
    return partial_guild(place) | {
        "joined_at": timestamp(place.made_at),
        "large": False,
        "unavailable": False,
        "member_count": len(place.members),
        "members": [member(place.members[bot.id])] if bot.id in place.members else [],
        "channels": channels,
        "threads": threads,
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def partial_guild(place: Guild) -> Json:
    """GET /guilds/{id}'s body."""
    nothing = (
        "icon",
        "icon_hash",
        "splash",
        "discovery_splash",
        "banner",
        "description",
        "home_header",
        "application_id",
        "system_channel_id",
        "rules_channel_id",
        "public_updates_channel_id",
        "safety_alerts_channel_id",
        "vanity_url_code",
        "afk_channel_id",
        "widget_channel_id",
        "latest_onboarding_question_id",
    )
    body: Json = dict.fromkeys(nothing)
    return body | {
        "id": str(place.id),
        "name": place.name,
        "owner_id": str(place.owner_id),
        "region": "deprecated",
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw": False,
        "nsfw_level": 0,
        "afk_timeout": 300,
        "system_channel_flags": 0,
        "preferred_locale": "en-GB",
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": False,
        "premium_progress_bar_enabled_user_updated_at": None,
        "widget_enabled": False,
        "max_presences": None,
        "max_members": 500_000,
        "max_stage_video_channel_users": 50,
        "max_video_channel_users": 25,
        "features": [],
        "roles": [role(given) for given in place.roles.values()],
        "emojis": [],
        "stickers": [],
        "incidents_data": None,
        "inventory_settings": None,
    }


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


def application(bot: User, owner: User, *, num_guilds: int) -> Json:
    return {
        "id": str(bot.id),
        "name": bot.name,
        "icon": None,
        "description": "",
        "summary": "",
        "type": None,
        "verify_key": "0" * 64,
        "flags": 1 << 23,
        "flags_new": str(1 << 23),
        "bot": user(bot),
        "bot_public": True,
        "bot_require_code_grant": False,
        "redirect_uris": [],
        "interactions_endpoint_url": None,
        "role_connections_verification_url": None,
        "owner": user(owner),
        "approximate_guild_count": num_guilds,
        "approximate_user_install_count": 1,
        "approximate_user_authorization_count": 1,
        "explicit_content_filter": 0,
        "team": None,
        "eligible_oauth2_scopes": [],
        "integration_types_config": {"0": {}, "1": {}},
        "event_webhooks_status": 1,
    }


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
