"""Discord's refusals: an HTTP status, a JSON code and, where a body is at fault, the fields.

Source: https://discord.com/developers/docs/topics/opcodes-and-status-codes#json
"""

from __future__ import annotations

from typing import Any

from .violations import Kind


class ApiError(Exception):
    """A refusal as Discord words it. `kind`: what to record it as; None, no fault of the bot."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        kind: Kind | None,
        fields: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} ({code}) {message} {fields or ''}".rstrip())
        self.status = status
        self.code = code
        self.message = message
        self.kind = kind
        self.fields = fields or {}

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.fields:
            errors: dict[str, Any] = {}
            body["errors"] = errors
            for path, problem in self.fields.items():
                node = errors
                for part in path.split("."):
                    node = node.setdefault(part, {})
                node["_errors"] = [{"code": "BASE_TYPE_BAD", "message": problem}]
        return body


def invalid_body(path: str, problem: str, kind: Kind = Kind.BAD_BODY) -> ApiError:
    return ApiError(400, 50035, "Invalid Form Body", kind=kind, fields={path or "_root": problem})


def unknown(what: str, code: int, kind: Kind = Kind.UNKNOWN_OBJECT) -> ApiError:
    return ApiError(404, code, f"Unknown {what}", kind=kind)


def unknown_channel() -> ApiError:
    return unknown("Channel", 10003)


def unknown_guild() -> ApiError:
    return unknown("Guild", 10004)


def unknown_message() -> ApiError:
    return unknown("Message", 10008)


def unknown_user() -> ApiError:
    return unknown("User", 10013)


def unknown_webhook() -> ApiError:
    return unknown("Webhook", 10015)


def unknown_interaction() -> ApiError:
    return unknown("interaction", 10062, Kind.UNKNOWN_INTERACTION)


def already_acknowledged() -> ApiError:
    return ApiError(
        400,
        40060,
        "Interaction has already been acknowledged.",
        kind=Kind.DOUBLE_ACKNOWLEDGEMENT,
    )


def expired_token() -> ApiError:
    return ApiError(401, 50027, "Invalid Webhook Token", kind=Kind.EXPIRED_TOKEN)


def missing_access() -> ApiError:
    return ApiError(403, 50001, "Missing Access", kind=Kind.PERMISSION)


def missing_permissions(*names: str) -> ApiError:
    error = ApiError(403, 50013, "Missing Permissions", kind=Kind.PERMISSION)
    error.add_note(f"missing: {', '.join(names)}")
    return error


def not_your_message() -> ApiError:
    return ApiError(
        403, 50005, "Cannot edit a message authored by another user", kind=Kind.PERMISSION
    )


def empty_message() -> ApiError:
    return ApiError(400, 50006, "Cannot send an empty message", kind=Kind.BAD_BODY)


def too_many_old_edits() -> ApiError:
    message = "Maximum number of edits to messages older than 1 hour reached. Try again later."
    return ApiError(400, 30046, message, kind=Kind.TOO_MANY_OLD_EDITS)


def closed_to_messages() -> ApiError:
    """A user who takes no direct messages: the bot can't know before, so it is no violation."""
    return ApiError(403, 50007, "Cannot send messages to this user", kind=None)


def too_large() -> ApiError:
    return ApiError(413, 40005, "Request entity too large", kind=Kind.TOO_LARGE)


def unauthorized() -> ApiError:
    return ApiError(401, 0, "401: Unauthorized", kind=Kind.UNAUTHORIZED)
