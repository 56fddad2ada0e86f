"""What people do with the bot: commands, buttons, selects, modals, menus and typing ahead."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import offers
from .command_rules import CHAT_INPUT, MESSAGE_MENU, USER_MENU
from .component_rules import BUTTON, LABEL, ROW, SELECTS, STRING_SELECT, UPLOAD
from .entities import Channel, Interaction, Message, User
from .offers import NotOffered, Resolved, Value
from .replies import Modal, Reply

if TYPE_CHECKING:
    from .gateway import Gateway
    from .json_parts import Json
    from .world import World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5


@dataclass(slots=True)
class People:
    """Turns what somebody does into the interaction that Discord would send."""

    world: World
    gateway: Gateway

    def slash(self, user: User, channel: Channel, name: str, values: dict[str, Value]) -> Reply:
        command = offers.find_command(self.world, channel, user, name, CHAT_INPUT)
        resolved = Resolved(self.world, channel)
        options = offers.filled_options(command, name, values, resolved, None)
        data = self._command_data(command, resolved, {"options": options} if options else {})
        return self._ask(COMMAND, user, channel, data, command)

    def autocomplete(
        self, user: User, channel: Channel, name: str, focused: str, values: dict[str, Value]
    ) -> Reply:
        command = offers.find_command(self.world, channel, user, name, CHAT_INPUT)
        resolved = Resolved(self.world, channel)
        options = offers.filled_options(command, name, values, resolved, focused)
        data = self._command_data(command, resolved, {"options": options})
        return self._ask(AUTOCOMPLETE, user, channel, data, command)

    def menu(self, user: User, name: str, target: Message | User, channel: Channel) -> Reply:
        kind = MESSAGE_MENU if isinstance(target, Message) else USER_MENU
        command = offers.find_command(self.world, channel, user, name, kind)
        resolved = Resolved(self.world, channel)
        if isinstance(target, Message):
            # The one way in which a bot without the intent reads what other people wrote.
            resolved.put_message(target)
        else:
            resolved.id_of(target)
        data = self._command_data(command, resolved, {"target_id": str(target.id)})
        return self._ask(COMMAND, user, channel, data, command)

    def click(self, user: User, message: Message, custom_id: str) -> Reply:
        """`custom_id` may also be the button's label."""
        custom_id = message.buttons.get(custom_id, custom_id)
        component = self._component(user, message, custom_id, {BUTTON})
        data: Json = {"custom_id": custom_id, "component_type": BUTTON, "id": component["id"]}
        return self._ask(COMPONENT, user, message.channel, data, source=message)

    def select(self, user: User, message: Message, custom_id: str, values: list[Value]) -> Reply:
        component = self._component(user, message, custom_id, SELECTS)
        resolved = Resolved(self.world, message.channel)
        given = _selected(component, values, resolved)
        data: Json = {
            "custom_id": custom_id,
            "component_type": component["type"],
            "id": component["id"],
            "values": given,
        }
        if resolved.body:
            data["resolved"] = resolved.body
        return self._ask(COMPONENT, user, message.channel, data, source=message)

    def submit(self, user: User, modal: Modal, values: dict[str, object]) -> Reply:
        asked = modal.interaction
        if user is not asked.user:
            raise NotOffered(f"{user.name} does not see {asked.user.name}'s modal")
        resolved = Resolved(self.world, asked.channel)
        left = dict(values)
        components = [_answered(part, left, resolved) for part in modal.form["components"]]
        if left:
            raise NotOffered(f"the modal has no field {sorted(left)}")
        data: Json = {"custom_id": modal.form["custom_id"], "components": components}
        if resolved.body:
            data["resolved"] = resolved.body
        reply = self._ask(MODAL_SUBMIT, user, asked.channel, data, source=asked.source)
        reply.interaction.triggered_by = asked
        return reply

    def _component(self, user: User, message: Message, custom_id: str, kinds: set[int]) -> Json:
        component = message.component(custom_id)
        if message.is_deleted or component is None or component["type"] not in kinds:
            raise NotOffered(f"no {custom_id!r} on that message: {message.buttons}")
        if component.get("disabled"):
            raise NotOffered(f"{custom_id!r} is disabled")
        if message.is_ephemeral and (
            message.interaction is None or message.interaction.user is not user
        ):
            raise NotOffered(f"{user.name} does not see this private message")
        return component

    def _command_data(self, command: Json, resolved: Resolved, more: Json) -> Json:
        data: Json = {"id": command["id"], "name": command["name"], "type": command["type"]} | more
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        if resolved.body:
            data["resolved"] = resolved.body
        return data

    def _ask(
        self,
        kind: int,
        user: User,
        channel: Channel,
        data: Json,
        command: Json | None = None,
        *,
        source: Message | None = None,
    ) -> Reply:
        world = self.world
        if channel.guild is not None and user.id not in channel.guild.members:
            raise NotOffered(f"{user.name} is no member of {channel.guild.name}")
        if command is not None:
            owners = offers.installation_owners(world, channel, user, command)
        elif source is not None and source.interaction is not None:
            owners = source.interaction.owners
        else:
            everywhere: Json = {"integration_types": [0, 1]}
            owners = offers.installation_owners(world, channel, user, everywhere)
        asked = Interaction(
            id=world.ids.next(),
            type=kind,
            token=secrets.token_urlsafe(64),
            user=user,
            channel=channel,
            made_at=world.clock.now(),
            data=data,
            owners=owners,
            app_permissions=offers.app_permissions(world, channel, user),
            source=source,
        )
        world.interactions[asked.id] = asked
        self.gateway.tell_of_interaction(asked)
        return Reply(world, asked)


def _selected(component: Json, values: list[Value], resolved: Resolved) -> list[str]:
    least = component.get("min_values")
    least, most = 1 if least is None else least, component.get("max_values") or 1
    if not least <= len(values) <= most:
        raise NotOffered(f"{len(values)} values, from {least} to {most} are offered")
    if component["type"] != STRING_SELECT:
        return [resolved.id_of(value) for value in values]
    offered = [option["value"] for option in component["options"]]
    for value in values:
        if value not in offered:
            raise NotOffered(f"no option {value!r} among {offered}")
    return [str(value) for value in values]


def _answered(part: Json, left: dict[str, object], resolved: Resolved) -> Json:
    """A modal's part as it is submitted; takes its own values out of `left`."""
    about: Json = {"type": part["type"], "id": part["id"]}
    if part["type"] == LABEL:
        return about | {"component": _field(part["component"], left, resolved)}
    if part["type"] == ROW:
        return about | {"components": [_field(c, left, resolved) for c in part["components"]]}
    return about


def _field(component: Json, left: dict[str, object], resolved: Resolved) -> Json:
    name, kind = component["custom_id"], component["type"]
    about: Json = {"type": kind, "id": component["id"], "custom_id": name}
    is_required = component.get("required") is not False
    given = left.pop(name, None)
    if kind in SELECTS or kind == UPLOAD:
        values: list[Value] = [] if given is None else list(given)  # type: ignore[call-overload]
        if not values and not is_required:
            return about | {"values": []}
        if kind == UPLOAD:
            component = {"min_values": 1, "max_values": 1} | component
        return about | {"values": _selected(component, values, resolved)}
    if kind == 22:
        return about | {"values": list(given or [])}  # type: ignore[call-overload]
    if kind == 23:
        return about | {"value": bool(given)}
    if kind == 21:
        return about | {"value": given}
    text = component.get("value") or "" if given is None else str(given)
    least = component.get("min_length") or (1 if is_required else 0)
    if not least <= len(text) <= (component.get("max_length") or 4000) and (text or is_required):
        raise NotOffered(f"{name}: {len(text)} characters are not taken")
    return about | {"value": text}
