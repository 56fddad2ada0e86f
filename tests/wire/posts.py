"""The bot's messages: made and changed from a request's body and files, with every rule applied."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import message_rules
from .attachments import MAX_FILES, served_name
from .entities import (
    COMPONENTS_V2,
    EPHEMERAL,
    LOADING,
    SUPPRESS_EMBEDS,
    SUPPRESS_NOTIFICATIONS,
    Attachment,
    Channel,
    Interaction,
    Message,
)
from .errors import ApiError, empty_message, invalid_body
from .permissions import EVERYTHING
from .unfurl import embeds_unfurled, resolver, unfurled
from .violations import Kind

if TYPE_CHECKING:
    from .json_parts import Json
    from .multipart import Upload
    from .world import World

_CHANGED = ("flags", "content", "embeds", "components", "attachments", "shown_ids")
_SETTABLE = SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2


@dataclass(frozen=True, slots=True)
class Draft:
    """What a request asks a message to be: its body, its files, and the route for reports."""

    body: Json
    uploads: tuple[Upload, ...] = field(default=())
    where: str = ""

    @property
    def flags(self) -> int:
        return self.body.get("flags") or 0


def make(
    world: World,
    channel: Channel,
    draft: Draft,
    *,
    interaction: Interaction | None = None,
    replies_to: Message | None = None,
) -> Message:
    """A new message by the bot. Raises ApiError where Discord would refuse it."""
    settable = _SETTABLE | (EPHEMERAL if interaction is not None else 0)
    if draft.flags & ~settable:
        raise invalid_body("flags", f"{draft.flags & ~settable} can not be set here")
    body = draft.body
    message_rules.check_fields(body, flags=draft.flags)
    says = ("content", "embeds", "components", "sticker_ids", "poll")
    if not draft.uploads and not any(body.get(key) for key in says):
        raise empty_message()
    post = Message(world.ids.next(), channel, world.bot, world.clock.now(), flags=draft.flags)
    post.interaction = interaction
    post.replies_to = replies_to
    post.nonce = body.get("nonce")
    _fill(world, post, draft, keeps=[])
    _ping(world, post, draft)
    _look_for_double(world, post, draft)
    channel.messages[post.id] = post
    world.tell_of_message(post, "MESSAGE_CREATE")
    return post


def placeholder(world: World, interaction: Interaction, flags: int) -> Message:
    """What a deferred answer leaves in the channel: 'limner is thinking...'."""
    channel = interaction.channel
    post = Message(world.ids.next(), channel, world.bot, world.clock.now())
    post.flags = LOADING | (flags & EPHEMERAL)
    post.interaction = interaction
    channel.messages[post.id] = post
    world.tell_of_message(post, "MESSAGE_CREATE")
    return post


def change(world: World, post: Message, draft: Draft) -> Message:
    """An edit. Raises ApiError where Discord would refuse it; the message is untouched then."""
    body = draft.body
    wanted = body.get("flags")
    flags = post.flags
    if wanted is not None:
        if post.is_v2 and not wanted & COMPONENTS_V2:
            raise invalid_body(
                "flags", "IS_COMPONENTS_V2 can not be taken back", Kind.COMPONENTS_V2
            )
        if wanted & EPHEMERAL and not post.is_ephemeral:
            raise invalid_body("flags", "a public message can not become private", Kind.PRIVACY)
        flags = (flags & ~SUPPRESS_EMBEDS) | (wanted & (SUPPRESS_EMBEDS | COMPONENTS_V2))
    held = [name for name, value in (("content", post.content), ("embeds", post.embeds)) if value]
    message_rules.check_fields(body, flags=flags, held=tuple(held))
    keeps = list(post.attachments.values())
    if body.get("attachments") is not None:
        kept_ids = {int(entry["id"]) for entry in body["attachments"]}
        keeps = [file for file in keeps if file.id in kept_ids]
    was_loading = post.is_loading
    before = {name: getattr(post, name) for name in _CHANGED}
    post.flags = flags & ~LOADING
    try:
        _fill(world, post, draft, keeps=keeps)
        if not (post.content or post.embeds or post.components or post.attachments):
            raise empty_message()
    except ApiError:
        for name, value in before.items():
            setattr(post, name, value)
        raise
    post.num_edits += 1
    if was_loading:
        # The first edit of a placeholder is, to people, the message itself: it does ping.
        _ping(world, post, draft)
    else:
        post.edited_at = world.clock.now()
    _look_for_double(world, post, draft)
    world.tell_of_message(post, "MESSAGE_UPDATE")
    return post


def _fill(world: World, post: Message, draft: Draft, *, keeps: list[Attachment]) -> None:
    body = draft.body
    new = _named(draft, kept_ids={file.id for file in keeps})
    if len(keeps) + len(new) > MAX_FILES:
        raise invalid_body("attachments", f"over {MAX_FILES} files", Kind.TOO_LARGE)
    names = Counter([file.filename for file in keeps] + [name for name, _, _ in new])
    uploaded = {name for name, _, _ in new}
    message_rules.check_shown(body, names, uploaded, is_v2=post.is_v2)
    if body.get("components") is None and post.shown_ids - {file.id for file in keeps}:
        raise invalid_body("attachments", "drops a file that is still shown", Kind.ATTACHMENT)
    files = {file.id: file for file in keeps}
    for name, upload, description in new:
        file = world.keep(
            post.channel, name, upload.data, description, is_ephemeral=post.is_ephemeral
        )
        files[file.id] = file
    post.attachments = files
    resolve = resolver(files)
    if "content" in body:
        post.content = body["content"] or ""
    if "embeds" in body:
        post.embeds, shown = embeds_unfurled(body["embeds"] or [], resolve)
        post.shown_ids = shown
    if "components" in body:
        post.components, shown = unfurled(body["components"] or [], resolve)
        post.shown_ids = shown | (post.shown_ids if not post.is_v2 else set())


def _named(draft: Draft, kept_ids: set[int]) -> list[tuple[str, Upload, str | None]]:
    """The uploads with their served names; every id must be a part's number or a kept file's."""
    by_index = {upload.index: upload for upload in draft.uploads}
    entries: list[Json] | None = draft.body.get("attachments")
    if entries is None:
        return [(served_name(upload.filename), upload, None) for upload in draft.uploads]
    named: list[tuple[str, Upload, str | None]] = []
    for position, entry in enumerate(entries):
        number = int(entry["id"])
        if number in kept_ids:
            continue
        upload = by_index.pop(number, None)
        if upload is None:
            raise invalid_body(
                f"attachments.{position}.id",
                f"{number} is neither a part files[{number}] nor a file of the message",
                Kind.ATTACHMENT,
            )
        name = served_name(entry.get("filename") or upload.filename)
        named.append((name, upload, entry.get("description")))
    if by_index:
        problem = f"parts in no entry: {sorted(by_index)}"
        raise invalid_body("attachments", problem, Kind.ATTACHMENT)
    return named


def _ping(world: World, post: Message, draft: Draft) -> None:
    if post.is_ephemeral:
        return
    asked = post.interaction
    permissions = post.channel.permissions_of(world.bot) if asked is None else EVERYTHING
    found = message_rules.pings(draft.body, post.channel, permissions)
    post.pinged_user_ids = list(found.user_ids)
    post.pinged_role_ids = list(found.role_ids)
    post.pinged_everyone = found.everyone
    answers_one = asked is not None and set(found.user_ids) <= {asked.user.id}
    if found and not found.is_meant and not (answers_one and not found.everyone):
        whom = [world.users[i].name for i in found.user_ids] + [f"role {i}" for i in found.role_ids]
        whom += ["everyone"] if found.everyone else []
        world.violations.record(Kind.PING, draft.where, f"pings {', '.join(whom)}")


def _look_for_double(world: World, post: Message, draft: Draft) -> None:
    """The same bytes twice in one channel, unless somebody asked twice."""
    new = {upload.data for upload in draft.uploads}
    for other in post.channel.messages.values():
        if other is post or other.is_deleted or other.author is not world.bot:
            continue
        asked = {id(one.interaction) for one in (other, post) if one.interaction is not None}
        if len(asked) == 2:
            continue
        if new & {file.data for file in other.attachments.values()}:
            problem = f"message {other.id} carries the same file already"
            world.violations.record(Kind.DOUBLED_DELIVERY, draft.where, problem)
            return
