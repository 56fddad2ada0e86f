"""Whether somebody may paint, where they ask and with which model, as their server's owner set it.

Pure; one sentence for each refusal. The rules themselves are `guild_rules`', what they mean
together `storage.guild_records.may_paint` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..storage.guild_records import Subject, may_paint
from .errors import RefusedError
from .prompts import escape, shorten

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ..storage.guild_records import Ban, Permission
    from .guild_rules import Rules
    from .member import Member

_MAX_NAMED = 5
_MESSAGE_LENGTH = 500


def require_welcome(member: Member, rules: Rules, *, ban: Ban | None) -> None:
    """Whether they may paint here at all. Raises `RefusedError`."""
    if ban is not None:
        raise RefusedError(_banned(ban))
    if rules.settings.is_paused and not member.is_admin:
        # An admin paints on, to see whether all is well before the others may.
        said = shorten(rules.settings.pause_message, _MESSAGE_LENGTH)
        raise RefusedError(
            f"Painting is paused in this server: {said}"
            if said
            else "Painting is paused in this server; ask again later."
        )
    if not rules.permissions or _may(member, rules.permissions, ""):
        return
    raise RefusedError(_not_here(member, rules.permissions, ""))


def allowed_models(member: Member, rules: Rules, models: Iterable[str]) -> list[str]:
    """Those of the models that they may use here, in the same order."""
    if not rules.permissions:
        return list(models)
    return [model for model in models if _may(member, rules.permissions, model)]


def require_model(member: Member, rules: Rules, model: str, models: Collection[str]) -> None:
    """Whether they may paint here with a model that is one of those there are.

    Raises `RefusedError`.
    """
    allowed = allowed_models(member, rules, models)
    if model in allowed:
        return
    if not allowed:
        raise RefusedError("No model may be used by you here: ask this server's admins.")
    others = ", ".join(escape(name) for name in allowed[:_MAX_NAMED])
    sentence = _not_here(member, rules.permissions, model)
    raise RefusedError(f"{sentence} Here you may use {others}.")


def _may(member: Member, permissions: Iterable[Permission], model: str) -> bool:
    return may_paint(
        permissions, channel_ids=member.channel_ids, role_ids=member.role_ids, model=model
    )


def _not_here(member: Member, permissions: Collection[Permission], model: str) -> str:
    """Why not, and where or by whom it may be done."""
    what = f"The model {escape(model)} may not be used" if model else "Painting is not allowed"
    of_channels = [each for each in permissions if each.subject is Subject.CHANNEL]
    is_place = not _may(member, of_channels, model)
    subject = Subject.CHANNEL if is_place else Subject.ROLE
    mine = member.channel_ids if is_place else member.role_ids
    allowed = [
        each.subject_id
        for each in permissions
        if each.subject is subject and each.is_allowed and each.model in ("", model)
    ]
    elsewhere = [each for each in dict.fromkeys(allowed) if each not in mine][:_MAX_NAMED]
    if is_place:
        places = ", ".join(f"<#{each}>" for each in elsewhere)
        return f"{what} in this channel" + (f"; it is in {places}." if places else ".")
    roles = ", ".join(f"<@&{each}>" for each in elsewhere)
    return f"{what} with your roles" + (f"; it is with {roles}." if roles else ".")


def _banned(ban: Ban) -> str:
    until = "" if ban.until is None else f" until <t:{int(ban.until)}:f>"
    reason = shorten(" ".join(ban.reason.split()), _MESSAGE_LENGTH)
    return f"You may not paint in this server{until}" + (f": {reason}" if reason else ".")
