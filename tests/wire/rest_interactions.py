"""Routes that answer interactions: the callback, and the messages that its token gives access to.

Source: https://discord.com/developers/docs/interactions/receiving-and-responding
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import component_rules, message_payloads, posts
from .clock import ACKNOWLEDGE_WITHIN_S, TOKEN_VALID_S
from .entities import EPHEMERAL, Acknowledgement, Interaction, Message
from .errors import (
    already_acknowledged,
    expired_token,
    invalid_body,
    unknown_interaction,
    unknown_message,
    unknown_webhook,
)
from .json_parts import Json, listed, nested
from .routing import Answer, Call, Route
from .violations import Kind

if TYPE_CHECKING:
    from .world import World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5

# Which interaction may be answered how: callback type to what it is, and for which interactions.
_CALLBACKS = {
    4: (Acknowledgement.MESSAGE, {COMMAND, COMPONENT, MODAL_SUBMIT}),
    5: (Acknowledgement.DEFERRED_MESSAGE, {COMMAND, COMPONENT, MODAL_SUBMIT}),
    6: (Acknowledgement.DEFERRED_UPDATE, {COMPONENT, MODAL_SUBMIT}),
    7: (Acknowledgement.UPDATE, {COMPONENT, MODAL_SUBMIT}),
    8: (Acknowledgement.CHOICES, {AUTOCOMPLETE}),
    9: (Acknowledgement.MODAL, {COMMAND, COMPONENT}),
}


def callback(call: Call) -> Answer:
    asked = call.world.interactions.get(call.id("interaction_id"))
    if asked is None or asked.token != call.params["interaction_token"]:
        raise unknown_interaction()
    if asked.acknowledged is not None:
        raise already_acknowledged()
    if call.world.clock.now() - asked.made_at > ACKNOWLEDGE_WITHIN_S:
        raise unknown_interaction()
    kind, answers = _CALLBACKS.get(call.body["type"], (None, set[int]()))
    needs_source = call.body["type"] in (6, 7)
    if kind is None or asked.type not in answers or (needs_source and asked.source is None):
        raise invalid_body(
            "type",
            f"callback {call.body['type']} can not answer an interaction of type {asked.type}",
            Kind.WRONG_CALLBACK,
        )
    message = _carry_out(call, asked, kind)
    asked.acknowledged = kind
    asked.acknowledged_at = call.world.clock.now()
    call.world.changes.notify()
    if not call.is_set("with_response"):
        return Answer(status=204)
    return Answer(_response(call, asked, kind, message))


def _carry_out(call: Call, asked: Interaction, kind: Acknowledgement) -> Message | None:
    world = call.world
    data: Json = nested(call.body, "data")
    draft = posts.Draft(data, call.content.uploads, call.where)
    match kind:
        case Acknowledgement.MESSAGE:
            asked.original = posts.make(world, asked.channel, draft, interaction=asked)
            return asked.original
        case Acknowledgement.DEFERRED_MESSAGE:
            # The flag for components v2 is taken here too, and means nothing yet.
            asked.original = posts.placeholder(world, asked, draft.flags)
        case Acknowledgement.DEFERRED_UPDATE:
            asked.original = asked.source
        case Acknowledgement.UPDATE:
            assert asked.source is not None
            if asked.source.is_deleted:
                error = unknown_message()
                error.kind = None
                raise error
            asked.original = posts.change(world, asked.source, draft)
            return asked.original
        case Acknowledgement.MODAL:
            component_rules.check_modal(data)
            asked.modal = data | {"components": component_rules.numbered(data["components"])}
        case Acknowledgement.CHOICES:
            asked.choices = listed(data, "choices")
        case Acknowledgement.PONG:
            raise AssertionError("pings are not sent over the gateway")
    return None


def _response(
    call: Call, asked: Interaction, kind: Acknowledgement, message: Message | None
) -> Json:
    about: Json = {"id": str(asked.id), "type": asked.type}
    if asked.original is not None:
        about |= {
            "response_message_id": str(asked.original.id),
            "response_message_loading": asked.original.is_loading,
            "response_message_ephemeral": asked.original.is_ephemeral,
        }
    body: Json = {"interaction": about}
    if message is not None:
        resource = {
            "type": call.body["type"],
            "message": message_payloads.message(message, call.world.bot),
        }
        body["resource"] = resource
    return body


def follow_up(call: Call) -> Answer:
    world, asked = call.world, _by_token(call)
    flags = call.body.get("flags") or 0
    original = asked.original
    if original is not None and original.is_loading and not original.is_deleted:
        # The first follow-up becomes the answer, with the privacy that the acknowledgement had.
        if flags & EPHEMERAL and not original.is_ephemeral:
            problem = "a private follow-up to a public acknowledgement is shown to everybody"
            world.violations.record(Kind.PRIVACY, call.where, problem)
        body = call.body | {"flags": flags & ~EPHEMERAL}
        draft = posts.Draft(body, call.content.uploads, call.where)
        return _given(call, posts.change(world, original, draft))
    draft = posts.Draft(call.body, call.content.uploads, call.where)
    made = posts.make(world, asked.channel, draft, interaction=asked)
    asked.followups.append(made)
    world.changes.notify()
    return _given(call, made)


def read_original(call: Call) -> Answer:
    return Answer(message_payloads.message(_original(call), call.world.bot))


def edit_original(call: Call) -> Answer:
    return _edited(call, _original(call))


def delete_original(call: Call) -> Answer:
    call.world.delete_message(_original(call))
    return Answer(status=204)


def read_message(call: Call) -> Answer:
    return Answer(message_payloads.message(_by_id(call), call.world.bot))


def edit_message(call: Call) -> Answer:
    return _edited(call, _by_id(call))


def delete_message(call: Call) -> Answer:
    call.world.delete_message(_by_id(call))
    return Answer(status=204)


def _edited(call: Call, message: Message) -> Answer:
    draft = posts.Draft(call.body, call.content.uploads, call.where)
    return Answer(
        message_payloads.message(posts.change(call.world, message, draft), call.world.bot)
    )


def _given(call: Call, message: Message) -> Answer:
    # For interactions Discord answers with the message, asked to wait or not.
    return Answer(message_payloads.message(message, call.world.bot))


def _by_token(call: Call) -> Interaction:
    """The interaction whose token it is, while that is valid and has been acknowledged."""
    world, token = call.world, call.params["webhook_token"]
    asked = next((one for one in world.interactions.values() if one.token == token), None)
    if asked is None or call.id("webhook_id") != world.bot.id:
        raise unknown_webhook()
    if world.clock.now() - asked.made_at > TOKEN_VALID_S:
        error = expired_token()
        if not asked.is_token_known_expired:
            # That time is up can be learned in no other way; to try again is the fault.
            asked.is_token_known_expired = True
            error.kind = None
        raise error
    if asked.acknowledged is None:
        raise unknown_webhook()
    return asked


def _original(call: Call) -> Message:
    asked = _by_token(call)
    if asked.original is None:
        raise unknown_message()
    return call.world.find_message(asked.original.channel, asked.original.id, hidden=True)


def _by_id(call: Call) -> Message:
    asked = _by_token(call)
    message_id = call.id("message_id")
    ours = [asked.original, asked.source, *asked.followups]
    if message_id not in {message.id for message in ours if message is not None}:
        raise unknown_message()
    return call.world.find_message(asked.channel, message_id, hidden=True)


def report_unanswered(world: World, *, at_end: bool = False) -> None:
    """Records each interaction to which the bot has said nothing in its three seconds.

    `at_end`: also those whose time is not up, since nobody is left to answer them.
    """
    for asked in world.interactions.values():
        is_late = world.clock.now() - asked.made_at > ACKNOWLEDGE_WITHIN_S
        if asked.acknowledged is not None or asked.is_reported_unanswered:
            continue
        if is_late or at_end:
            asked.is_reported_unanswered = True
            problem = f"no acknowledgement within {ACKNOWLEDGE_WITHIN_S:g} s"
            world.violations.record(Kind.UNANSWERED, asked.what(), problem)
    world.changes.notify()


_HOOK = "/webhooks/{webhook_id}/{webhook_token}"

ROUTES = [
    Route("POST", "/interactions/{interaction_id}/{interaction_token}/callback", callback),
    Route("POST", _HOOK, follow_up),
    Route("GET", _HOOK + "/messages/@original", read_original),
    Route("PATCH", _HOOK + "/messages/@original", edit_original),
    Route("DELETE", _HOOK + "/messages/@original", delete_original),
    Route("GET", _HOOK + "/messages/{message_id}", read_message),
    Route("PATCH", _HOOK + "/messages/{message_id}", edit_message),
    Route("DELETE", _HOOK + "/messages/{message_id}", delete_message),
]
