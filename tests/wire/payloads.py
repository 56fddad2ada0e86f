"""How Discord writes people and places as JSON: one function a thing, complete as specified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .clock import timestamp

if TYPE_CHECKING:
    from .entities import Channel, Guild, Member, Role, User
    from .json_parts import Json


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
