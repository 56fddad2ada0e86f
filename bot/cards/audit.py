"""The audit log in words: who did what to whom, and how it was before. Pure.

Reading it is storage's, turning its pages `audit_page`'s. A kind of line that is not known here is
told plainly, with what differs between before and after.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter, ValidationError

from ...storage.quota_records import Rule
from ...storage.quota_rules import Scope
from ..pricing import credits_text
from ..prompts import escape, shorten
from . import quota_words as words
from .text import small

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...storage.guild_records import AuditEntry

_RULE = TypeAdapter(Rule)
_LINE_LENGTH = 500
_REASON_LENGTH = 120
_VALUE_LENGTH = 60
_NUM_NAMED = 3

_NAMES = {
    "is_paused": "paused",
    "nsfw_policy": "unsafe pictures",
    "settles_cancelled": "cancelled jobs cost",
    "settles_blocked": "blocked pictures cost",
    "pictures_days": "days that pictures are kept",
}
"""What a field of the settings is called; the others by their own names."""

Values = dict[str, Any]


def line(entry: AuditEntry, guild_id: int) -> str:
    """When and who, then what; a third line for the reason. Mentions ping nobody."""
    deed = _DEEDS.get(entry.action, _plain)(entry, guild_id)
    said = [
        f"<t:{int(entry.at)}:f> · {_actor(entry.actor_id)}",
        shorten(deed, _LINE_LENGTH),
    ]
    if entry.reason:
        said.append(small(f"“{escape(shorten(_flat(entry.reason), _REASON_LENGTH))}”"))
    return "\n".join(said)


def subject(entry: AuditEntry, guild_id: int) -> str:
    """Whom or what an entry is about."""
    match entry.subject:
        case "user":
            return words.person(entry.subject_id)
        case "role":
            return words.role(entry.subject_id, guild_id)
        case "channel":
            return f"<#{entry.subject_id}>"
        case Scope.DEFAULT | Scope.BUDGET:
            return words.whom(Scope(entry.subject), 0)
        case _:
            return "the server"


def _actor(actor_id: int) -> str:
    return words.person(actor_id) if actor_id else "Limner itself"


def _set_rule(entry: AuditEntry, guild_id: int) -> str:
    about = f"set the quota of {subject(entry, guild_id)}"
    if not entry.before_json and not entry.after_json:
        # Emptied when the person it was about had their data deleted.
        return about
    try:
        change = words.change(_rule(entry.before_json), _rule(entry.after_json))
    except ValidationError:
        return about
    return f"{about}: {change}"


def _drop_rule(entry: AuditEntry, guild_id: int) -> str:
    about = f"removed the quota rule of {subject(entry, guild_id)}"
    try:
        before = _rule(entry.before_json)
    except ValidationError:
        return about
    return about if before is None else f"{about}: {words.rule(before)} → {words.NO_RULE}"


def _grant(entry: AuditEntry, guild_id: int) -> str:
    values = _values(entry.after_json)
    to = subject(entry, guild_id)
    if not isinstance(values.get("amount"), int):
        return f"granted credits to {to}"
    return f"granted {to} {credits_text(values['amount'])}, {_until(values.get('expires_at'))}"


def _reset(entry: AuditEntry, guild_id: int) -> str:
    whose = "everybody" if entry.subject == "guild" else subject(entry, guild_id)
    return f"reset the quota of {whose}: what was used no longer counts"


def _change_settings(entry: AuditEntry, guild_id: int) -> str:
    del guild_id
    differing = _differing(entry)
    return f"changed the settings: {differing}" if differing else "saved the settings unchanged"


def _permit(entry: AuditEntry, guild_id: int) -> str:
    values = _values(entry.after_json)
    deed = "allowed" if values.get("is_allowed") else "denied"
    return f"{deed} painting{_model(values)} for {subject(entry, guild_id)}"


def _drop_permission(entry: AuditEntry, guild_id: int) -> str:
    values = _values(entry.before_json)
    was = "allowance" if values.get("is_allowed") else "denial"
    return f"removed the {was} of painting{_model(values)} for {subject(entry, guild_id)}"


def _ban(entry: AuditEntry, guild_id: int) -> str:
    who = f"banned {subject(entry, guild_id)} from painting"
    if not entry.after_json:
        return who
    return f"{who}, {_until(_values(entry.after_json).get('until'))}"


def _unban(entry: AuditEntry, guild_id: int) -> str:
    return f"lifted the ban of {subject(entry, guild_id)}"


def _block(entry: AuditEntry, guild_id: int) -> str:
    del guild_id
    return f"added to the blocklist: {_patterns(entry)}"


def _patterns(entry: AuditEntry) -> str:
    values = _values(entry.after_json)
    found: object = values.get("patterns")
    patterns = cast("list[object]", found) if isinstance(found, list) else []
    # Words that a server blocks are not to be read in passing.
    named = ", ".join(f"||{_value(pattern)}||" for pattern in patterns[:_NUM_NAMED])
    more = f" and {len(patterns) - _NUM_NAMED} more" if len(patterns) > _NUM_NAMED else ""
    return f"{named}{more}"


def _slow(entry: AuditEntry, guild_id: int) -> str:
    del guild_id
    return f"found too slow for a prompt: {_patterns(entry)}"


def _unblock(entry: AuditEntry, guild_id: int) -> str:
    del guild_id
    pattern = _values(entry.before_json).get("pattern", "")
    return f"took from the blocklist: ||{_value(pattern)}||"


def _plain(entry: AuditEntry, guild_id: int) -> str:
    deed = escape(entry.action.replace(".", " ").replace("_", " "))
    differing = _differing(entry)
    about = f"{deed}, {subject(entry, guild_id)}"
    return f"{about}: {differing}" if differing else about


_DEEDS: Mapping[str, Callable[[AuditEntry, int], str]] = {
    "quota.set": _set_rule,
    "quota.drop": _drop_rule,
    "quota.grant": _grant,
    "quota.reset": _reset,
    "settings.change": _change_settings,
    "permission.set": _permit,
    "permission.drop": _drop_permission,
    "ban.set": _ban,
    "ban.drop": _unban,
    "blocklist.add": _block,
    "blocklist.drop": _unblock,
    "blocklist.slow": _slow,
}


def _rule(text: str) -> Rule | None:
    return _RULE.validate_json(text) if text else None


def _values(text: str) -> Values:
    """An entry's before or after as an object; empty where it is something else."""
    try:
        found: object = json.loads(text) if text else {}
    except ValueError:
        return {}
    return cast("Values", found) if isinstance(found, dict) else {}


def _differing(entry: AuditEntry) -> str:
    before, after = _values(entry.before_json), _values(entry.after_json)
    said: list[str] = []
    for key in dict.fromkeys([*before, *after]):
        was, now = before.get(key), after.get(key)
        if was != now:
            name = _NAMES.get(key, key.replace("_", " "))
            told = _value(now) if not before else f"{_value(was)} → {_value(now)}"
            said.append(f"{escape(name)}: {told}")
    return ", ".join(said)


def _value(value: object) -> str:
    match value:
        case None | "":
            return "none"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return escape(shorten(_flat(str(value)), _VALUE_LENGTH))


def _model(values: Values) -> str:
    return f" with {_value(values['model'])}" if values.get("model") else ""


def _until(moment: object) -> str:
    return f"until <t:{int(moment)}:f>" if isinstance(moment, int | float) else "for good"


def _flat(text: str) -> str:
    return " ".join(text.split())
