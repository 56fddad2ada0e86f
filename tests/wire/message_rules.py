"""What Discord demands of a message beyond its published schemas, and whom a message pings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import component_rules
from .entities import COMPONENTS_V2, Channel
from .errors import invalid_body
from .json_parts import Json, listed, nested, walk
from .permissions import Permission
from .violations import Kind

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

MAX_CONTENT = 2000
MAX_EMBED_CHARACTERS = 6000
LEGACY_FIELDS = ("content", "embeds", "sticker_ids", "poll")


def check_fields(body: Json, *, flags: int, held: tuple[str, ...] = ()) -> None:
    """Raises for fields that do not go together.

    `flags` are the message's after the change, `held` the legacy fields it has before it.
    """
    content: str = body.get("content") or ""
    if len(content) > MAX_CONTENT:
        raise invalid_body("content", f"{len(content)} characters, at most {MAX_CONTENT}")
    is_v2 = bool(flags & COMPONENTS_V2)
    if is_v2:
        for name in LEGACY_FIELDS:
            if body.get(name):
                raise invalid_body(name, "not with IS_COMPONENTS_V2", Kind.COMPONENTS_V2)
        for name in held:
            if name not in body:
                problem = f"IS_COMPONENTS_V2 beside {name}"
                raise invalid_body("flags", problem, Kind.COMPONENTS_V2)
    component_rules.check_message_components(listed(body, "components"), is_v2=is_v2)
    _check_embeds(listed(body, "embeds"))
    _check_mentions(nested(body, "allowed_mentions"))


def _check_embeds(embeds: list[Json]) -> None:
    total = 0
    for embed in embeds:
        texts = [embed.get("title"), embed.get("description")]
        texts += [nested(embed, "footer").get("text"), nested(embed, "author").get("name")]
        for field in listed(embed, "fields"):
            texts += [field.get("name"), field.get("value")]
        total += sum(len(text) for text in texts if text)
    if total > MAX_EMBED_CHARACTERS:
        raise invalid_body("embeds", f"{total} characters, at most {MAX_EMBED_CHARACTERS}")


def _check_mentions(mentions: Json) -> None:
    parsed: list[str] = mentions.get("parse") or []
    for name in ("users", "roles"):
        if name in parsed and mentions.get(name):
            raise invalid_body("allowed_mentions", f"{name} both parsed and listed")


def check_shown(body: Json, names: Counter[str], uploaded: set[str], *, is_v2: bool) -> None:
    """Raises unless every `attachment://` names one file, and every new file of a v2 is shown."""
    shown: set[str] = set()
    for url in _urls(body):
        if not url.startswith("attachment://"):
            if not re.match(r"https?://", url):
                raise invalid_body("components", f"no address: {url!r}")
            continue
        name = url.removeprefix("attachment://")
        if names[name] != 1:
            problem = "is not among the files" if not names[name] else "names several files"
            raise invalid_body("components", f"{url} {problem}", Kind.ATTACHMENT)
        shown.add(name)
    if is_v2 and uploaded - shown:
        problem = f"files that no component shows: {sorted(uploaded - shown)}"
        raise invalid_body("attachments", problem, Kind.ATTACHMENT)


def _urls(body: Json) -> Iterator[str]:
    yield from component_rules.media_urls(listed(body, "components"))
    for embed in listed(body, "embeds"):
        for key in ("image", "thumbnail"):
            if nested(embed, key).get("url"):
                yield embed[key]["url"]


@dataclass(frozen=True, slots=True)
class Pings:
    """Who is notified. `is_meant` where the bot named each of them in `allowed_mentions`."""

    user_ids: tuple[int, ...]
    role_ids: tuple[int, ...]
    everyone: bool
    is_meant: bool

    def __bool__(self) -> bool:
        return bool(self.user_ids or self.role_ids or self.everyone)


def pings(body: Json, channel: Channel, sender_permissions: Permission) -> Pings:
    """Reads the mentions in content and text displays as Discord does."""
    texts = [body.get("content") or ""]
    texts += [c["content"] for c in walk(listed(body, "components")) if c["type"] == 10]
    text = "\n".join(texts)
    allowed: Json | None = body.get("allowed_mentions")
    parsed: list[str] = ["users", "roles", "everyone"]
    if allowed is not None:
        parsed = allowed.get("parse") or []
    named: Json = {} if allowed is None else allowed
    people = {int(found) for found in re.findall(r"<@!?(\d+)>", text)}
    roles = {int(found) for found in re.findall(r"<@&(\d+)>", text)}
    listed_people = _ids(named, "users")
    listed_roles = _ids(named, "roles")
    if channel.guild is not None:
        people &= set(channel.guild.members)
        roles &= set(channel.guild.roles)
    else:
        people &= {person.id for person in channel.recipients}
        roles = set[int]()
    user_ids = people if "users" in parsed else people & listed_people
    role_ids = roles if "roles" in parsed else roles & listed_roles
    if not sender_permissions & Permission.MENTION_EVERYONE:
        role_ids = set[int]()
    everyone = (
        "everyone" in parsed
        and re.search(r"@(everyone|here)\b", text) is not None
        and bool(sender_permissions & Permission.MENTION_EVERYONE)
        and channel.guild is not None
    )
    is_meant = user_ids <= listed_people and role_ids <= listed_roles and not everyone
    return Pings(tuple(sorted(user_ids)), tuple(sorted(role_ids)), everyone, is_meant)


def _ids(mentions: Json, key: str) -> set[int]:
    given: list[str | int] = mentions.get(key) or []
    return {int(one) for one in given}
