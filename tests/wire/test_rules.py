"""The rules themselves, on bodies that a client might send: what passes and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from . import command_rules, component_rules, message_rules, specification
from .clock import Clock
from .entities import COMPONENTS_V2, Channel, ChannelType, User
from .errors import ApiError
from .permissions import EVERYTHING, Permission
from .violations import Kind
from .world import World

CALLBACK = ("POST", "/interactions/{interaction_id}/{interaction_token}/callback")
MESSAGES = ("POST", "/channels/{channel_id}/messages")
COMMANDS = ("PUT", "/applications/{application_id}/commands")

Json = dict[str, Any]


def button(**changes: Any) -> Json:
    return {"type": 2, "style": 1, "label": "x", "custom_id": "x"} | changes


def row(*parts: Json) -> Json:
    return {"type": 1, "components": list(parts)}


def select(num_options: int, **changes: Any) -> Json:
    options = [{"label": str(n), "value": str(n)} for n in range(num_options)]
    return {"type": 3, "custom_id": "s", "options": options} | changes


def text(content: str) -> Json:
    return {"type": 10, "content": content}


@specification.needed
@pytest.mark.parametrize(
    ("route", "body", "place"),
    [
        (MESSAGES, {"contents": "x"}, ""),
        (MESSAGES, {"content": "x" * 4001}, "content"),
        (MESSAGES, {"embeds": [{"title": "x"}] * 11}, "embeds"),
        (MESSAGES, {"embeds": [{"titel": "x"}]}, "embeds.0"),
        (MESSAGES, {"components": [row(select(26))]}, "components.0.components.0.options"),
        (
            MESSAGES,
            {"components": [row(button(custom_id="x" * 101))]},
            "components.0.components.0.custom_id",
        ),
        (MESSAGES, {"nonce": "x" * 26}, "nonce"),
        (MESSAGES, {"attachments": [{"filename": "x"}]}, "attachments.0"),
        (
            MESSAGES,
            {"components": [{"type": 12, "items": [{"media": {"url": "x"}}] * 11}]},
            "components.0.items",
        ),
        (CALLBACK, {"type": 99}, "type"),
        (CALLBACK, {"type": 8, "data": {"choices": [{"name": "x", "value": "x"}] * 26}}, None),
        (CALLBACK, {"type": 9, "data": {"custom_id": "x", "title": "x" * 46}}, None),
        (COMMANDS, [{"name": "x" * 33, "description": "x"}], "0.name"),
        (COMMANDS, [{"name": "x", "description": "x" * 101}], "0.description"),
        (
            COMMANDS,
            [{"name": "x", "options": [{"type": 3, "name": "n"}]}],
            "0.options.0",
        ),
    ],
)
def test_the_published_specification_refuses(
    route: tuple[str, str], body: Any, place: str | None
) -> None:
    published = specification.published()
    assert published is not None
    problems = published.problems(*route, body)
    assert problems
    if place is not None:
        assert place in problems


@specification.needed
@pytest.mark.parametrize(
    ("route", "body"),
    [
        (MESSAGES, {"content": "x", "nonce": "n", "enforce_nonce": True, "tts": False}),
        (MESSAGES, {"content": "x", "attachments": [{"id": 0, "filename": "x.png"}]}),
        (MESSAGES, {"content": "x", "message_reference": {"message_id": 5, "channel_id": 6}}),
        (CALLBACK, {"type": 8, "data": {"choices": []}}),
        (CALLBACK, {"type": 5}),
        (COMMANDS, [{"name": "x", "description": "x", "nsfw": False, "type": 1}]),
    ],
)
def test_the_published_specification_takes_what_clients_send(
    route: tuple[str, str], body: Any
) -> None:
    published = specification.published()
    assert published is not None
    assert published.problems(*route, body) == {}


@specification.needed
def test_every_published_operation_can_be_found_by_a_path() -> None:
    published = specification.published()
    assert published is not None
    path = "/webhooks/1/token/messages/@original"
    assert published.operation("PATCH", path) == (
        "/webhooks/{webhook_id}/{webhook_token}/messages/@original"
    )
    assert published.operation("PATCH", "/webhooks/1/token/messages/2") == (
        "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}"
    )
    assert published.operation("PATCH", "/nothing") is None


@pytest.mark.parametrize(
    ("components", "is_v2"),
    [
        ([text("x")], False),
        ([text("x" * 2000), text("y" * 2001)], True),
        ([text("x")] * 41, True),
        ([text(" ")], True),
        ([row(button(custom_id=None))], True),
        ([row(button(style=5))], True),
        ([row(button(style=5, url="https://x.y"))], True),
        ([row(button(label=None))], True),
        ([row(button()), row(button())], True),
        ([row(select(2, max_values=3))], True),
        ([row(select(2, min_values=2))], True),
        ([row(select(2), button())], True),
        ([row(select(2) | {"options": [{"label": "a", "value": "a"}] * 2})], True),
        ([button()], False),
        (
            [
                row(
                    select(2)
                    | {"options": [{"label": n, "value": n, "default": True} for n in "ab"]}
                )
            ],
            True,
        ),
        ([row(button(custom_id=str(n))) for n in range(6)], False),
        ([text("x") | {"id": 3}, text("y") | {"id": 3}], True),
    ],
)
def test_components_that_are_refused(components: list[Json], is_v2: bool) -> None:
    with pytest.raises(ApiError) as refused:
        component_rules.check_message_components(components, is_v2=is_v2)
    assert refused.value.code == 50035


def test_newer_components_need_their_flag() -> None:
    with pytest.raises(ApiError) as refused:
        component_rules.check_message_components([text("x")], is_v2=False)
    assert refused.value.kind is Kind.COMPONENTS_V2


def test_components_at_their_limits_pass() -> None:
    box = {"type": 17, "components": [text("x" * 100)] * 39}
    component_rules.check_message_components([box], is_v2=True)
    component_rules.check_message_components([text("x" * 2000), text("y" * 2000)], is_v2=True)
    component_rules.check_message_components([row(select(25, max_values=25))], is_v2=False)


def label(component: Json) -> Json:
    return {"type": 18, "label": "x", "component": component}


@pytest.mark.parametrize(
    "parts",
    [
        [label({"type": 4, "custom_id": str(n), "style": 1}) for n in range(6)],
        [row({"type": 4, "custom_id": "x", "style": 1})],
        [label({"type": 4, "custom_id": "x", "style": 1, "label": "x"})],
        [label({"type": 4, "custom_id": "x", "style": 1, "min_length": 9, "max_length": 8})],
        [label({"type": 4, "custom_id": "x", "style": 1}) for _ in range(2)],
        [text("nothing to fill in")],
    ],
)
def test_modals_that_are_refused(parts: list[Json]) -> None:
    with pytest.raises(ApiError):
        component_rules.check_modal({"custom_id": "x", "title": "x", "components": parts})


def test_a_modal_of_every_kind_of_field_passes() -> None:
    fields = [
        {"type": 4, "custom_id": "a", "style": 2},
        select(3, custom_id="b"),
        {"type": 19, "custom_id": "c"},
        {"type": 21, "custom_id": "d", "options": [{"label": "a", "value": "a"}]},
        {"type": 23, "custom_id": "e"},
    ]
    parts = [label(field) for field in fields]
    component_rules.check_modal({"custom_id": "x", "title": "x", "components": parts})


def option(**changes: Any) -> Json:
    return {"type": 3, "name": "n", "description": "d"} | changes


@pytest.mark.parametrize(
    "command",
    [
        {"name": "Imagine", "description": "d"},
        {"name": "two words", "description": "d"},
        {"name": "imagine"},
        {"name": "vary", "type": 3, "description": "d"},
        {"name": "vary", "type": 3, "options": [option()]},
        {
            "name": "x",
            "description": "d",
            "options": [option(choices=[{"name": n, "value": "v"} for n in "ab"])],
        },
        {"name": "x", "description": "d", "options": [option(), option(name="m", required=True)]},
        {"name": "x", "description": "d", "options": [option(), option()]},
        {"name": "x", "description": "d", "options": [option(type=1, name="s"), option()]},
        {
            "name": "x",
            "description": "d",
            "options": [option(autocomplete=True, choices=[{"name": "a", "value": "a"}])],
        },
        {
            "name": "x",
            "description": "d",
            "options": [option(choices=[{"name": "a", "value": v} for v in "ab"])],
        },
        {"name": "x", "description": "d", "options": [option(type=4, min_value=2, max_value=1)]},
        {
            "name": "x",
            "description": "d",
            "options": [
                option(
                    name=f"n{n}",
                    choices=[{"name": f"{i}", "value": f"{i:099}"} for i in range(25)],
                )
                for n in range(4)
            ],
        },
    ],
)
def test_commands_that_are_refused(command: Json) -> None:
    with pytest.raises(ApiError):
        command_rules.check_commands([command])


def test_too_many_commands_and_two_of_a_name_are_refused() -> None:
    many = [{"name": f"c{n}", "description": "d"} for n in range(101)]
    command_rules.check_commands(many[:100])
    with pytest.raises(ApiError):
        command_rules.check_commands(many)
    with pytest.raises(ApiError):
        command_rules.check_commands([many[0], many[0]])
    menus = [{"name": f"Menu {n}", "type": 3} for n in range(6)]
    command_rules.check_commands(menus[:5])
    with pytest.raises(ApiError):
        command_rules.check_commands(menus)


@pytest.mark.parametrize(
    ("body", "flags", "held"),
    [
        ({"content": "x" * 2001}, 0, ()),
        ({"content": "x"}, COMPONENTS_V2, ()),
        ({"embeds": [{"title": "x"}]}, COMPONENTS_V2, ()),
        ({"components": [text("x")]}, COMPONENTS_V2, ("content",)),
        ({"embeds": [{"description": "x" * 3001}] * 2}, 0, ()),
        ({"allowed_mentions": {"parse": ["users"], "users": ["1"]}}, 0, ()),
    ],
)
def test_fields_that_do_not_go_together(body: Json, flags: int, held: tuple[str, ...]) -> None:
    with pytest.raises(ApiError):
        message_rules.check_fields(body, flags=flags, held=held)


@pytest.mark.parametrize(
    ("body", "user_ids", "everyone", "is_meant"),
    [
        ({"content": "<@7> and <@8>"}, (7,), False, False),
        ({"content": "<@7>", "allowed_mentions": {"parse": []}}, (), False, True),
        ({"content": "<@!7>", "allowed_mentions": {"users": ["7"]}}, (7,), False, True),
        ({"content": "@everyone"}, (), True, False),
        ({"content": "@everyone", "allowed_mentions": {"parse": ["users"]}}, (), False, True),
        ({"components": [text("@here")]}, (), True, False),
    ],
)
def test_who_is_pinged(
    body: Json, user_ids: tuple[int, ...], everyone: bool, is_meant: bool
) -> None:
    world = World(Clock())
    guild = world.guild()
    guild.members[7] = guild.members[world.owner.id]
    channel = Channel(world, 1, ChannelType.TEXT, "x", guild)
    pings = message_rules.pings(body, channel, EVERYTHING)
    assert (pings.user_ids, pings.everyone, pings.is_meant) == (user_ids, everyone, is_meant)
    weak = message_rules.pings(body, channel, Permission.SEND_MESSAGES)
    assert not weak.everyone


def test_permissions_add_up_as_discord_adds_them() -> None:
    world = World(Clock())
    guild = world.guild()
    channel = guild.channel()
    painter = guild.role("painter", "manage_messages")
    ann = guild.member("ann", roles=[painter])
    chief = guild.member("chief", "administrator")
    assert channel.permissions_of(ann) & Permission.MANAGE_MESSAGES
    channel.deny(painter, "send_messages")
    assert not channel.permissions_of(ann) & Permission.SEND_MESSAGES
    channel.deny(guild.everyone, "view_channel")
    assert channel.permissions_of(ann) == Permission(0)
    assert channel.permissions_of(chief) == EVERYTHING
    assert channel.permissions_of(world.owner) == EVERYTHING
    assert channel.thread().permissions_of(ann) == Permission(0)
    assert channel.permissions_of(User(1, "a stranger")) == Permission(0)
