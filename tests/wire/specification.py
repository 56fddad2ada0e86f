"""Discord's published HTTP specification, read as strictly as it can be: unknown keys fail too.

What the specification misses is in `message_rules.py`, `component_rules.py`, `command_rules.py`.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .json_parts import Json

LOCATION = Path(__file__).parents[3] / "shared" / "discord" / "openapi.json"
_URI = "urn:discord"

# Keys that clients send and Discord ignores, by the schema's name; anything else unknown is a typo.
_IGNORED_KEYS = {
    # discord.py sends `tts` with every edit and `nsfw` with every command.
    "MessageEditRequestPartial": {"tts", "nonce", "enforce_nonce"},
    "IncomingWebhookRequestPartial": {"enforce_nonce"},
    "IncomingWebhookInteractionRequest": {"enforce_nonce"},
    "IncomingWebhookUpdateRequestPartial": {"tts", "enforce_nonce"},
    "IncomingWebhookUpdateForInteractionCallbackRequestPartial": {"tts", "enforce_nonce"},
    "ApplicationCommandUpdateRequest": {"nsfw"},
    "ApplicationCommandCreateRequest": {"nsfw"},
    "ApplicationCommandPatchRequestPartial": {"nsfw", "type"},
    # An attachment that is kept is sent back as it was received.
    "MessageAttachmentRequest": {
        "url",
        "proxy_url",
        "size",
        "spoiler",
        "width",
        "height",
        "content_type",
        "ephemeral",
        "flags",
    },
    "UnfurledMediaRequest": {
        "proxy_url",
        "width",
        "height",
        "content_type",
        "attachment_id",
        "loading_state",
        "flags",
        "placeholder",
        "id",
        "placeholder_version",
    },
}
_IGNORED_KEYS["UnfurledMediaRequestWithAttachmentReferenceRequired"] = _IGNORED_KEYS[
    "UnfurledMediaRequest"
]


def is_available() -> bool:
    return LOCATION.is_file()


# A test that can't be without it: `@needed`, or among a parametrization's marks.
needed = pytest.mark.skipif(
    not is_available(), reason="Discord's published specification is not beside this checkout"
)


class Specification:
    """The document with its request schemas closed, and a validator for each operation."""

    def __init__(self, document: Json) -> None:
        self._paths: Json = document["paths"]
        schemas: Json = document["components"]["schemas"]
        closed = {name: _closed(schema, name) for name, schema in schemas.items()}
        # Clients send ids as integers too (discord.py its attachments', mentions' and replies').
        closed["SnowflakeType"] = {"anyOf": [schemas["SnowflakeType"], {"type": "integer"}]}
        resource = Resource(contents={"components": {"schemas": closed}}, specification=DRAFT202012)
        registry: Registry[Any] = Registry()
        self._registry = registry.with_resource(_URI, resource)
        self._validators: dict[str, Draft202012Validator] = {}
        self._templates = [(_pattern(path), path) for path in sorted(self._paths, key=_literalness)]

    def operation(self, method: str, path: str) -> str | None:
        """The published path that `path` (without the version) falls under, if there is one."""
        for pattern, template in self._templates:
            if pattern.fullmatch(path) and method.lower() in self._paths[template]:
                return template
        return None

    def problems(self, method: str, template: str, body: Any) -> dict[str, str]:
        """Field (dotted) to what is wrong with it, for a request's body."""
        content = self._paths[template][method.lower()].get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return {} if body is None else {"": "this route takes no body"}
        validator = self._validator(f"{method} {template}", schema)
        return dict(_explained(_errors(validator, body)))

    def query_problems(self, method: str, template: str, query: Iterable[str]) -> dict[str, str]:
        """Names in the query that the route does not know."""
        parameters: list[Json] = self._paths[template][method.lower()].get("parameters") or []
        known = {one["name"] for one in parameters if one["in"] == "query"}
        return {name: "Additional properties in the query" for name in query if name not in known}

    def answer_problems(self, method: str, template: str, status: int, body: Any) -> dict[str, str]:
        """The same for what is answered: the stand-in's own conscience."""
        responses = self._paths[template][method.lower()]["responses"]
        content = responses.get(str(status), {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            return {} if body is None else {"": f"no body is published for {status}"}
        validator = self._validator(f"{method} {template} {status}", schema)
        return dict(_explained(_errors(validator, body)))

    def _validator(self, key: str, schema: Json) -> Draft202012Validator:
        found = self._validators.get(key)
        if found is None:
            found = Draft202012Validator(_closed(schema), registry=self._registry)
            self._validators[key] = found
        return found


@functools.cache
def published() -> Specification | None:
    """The specification beside the checkout, or None where there is none."""
    if not is_available():
        return None
    return Specification(json.loads(LOCATION.read_text()))


def _closed(node: Any, name: str = "") -> Any:
    """The schema without room for unknown keys, its references pointing into our registry.

    `oneOf` becomes `anyOf`: the published unions overlap (an empty list of choices fits three).
    Schemas of answers stay open: the gateway's and our own extra keys do no harm there.
    """
    if isinstance(node, list):
        items = cast("list[Any]", node)
        return [_closed(item) for item in items]
    if not isinstance(node, dict):
        return node
    schema = cast("Json", node)
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#", f"{_URI}#", 1)}
    result: Json = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {prop: _closed(inner) for prop, inner in value.items()}
        else:
            result["anyOf" if key == "oneOf" else key] = _closed(value)
    if "properties" in schema and not name.endswith(("Response", "Metadata")):
        for ignored in _IGNORED_KEYS.get(name, ()):
            # discord.js says `enforce_nonce: false` everywhere; true would mean it counts on it.
            harmless: Json = {"const": False} if ignored == "enforce_nonce" else {}
            result["properties"].setdefault(ignored, harmless)
        result.setdefault("additionalProperties", False)
    if name == "ChannelTypes":
        # GUILD_MEDIA: in Discord's reference, not in the published document.
        result["anyOf"].append({"const": 16})
    return result


def _explained(errors: Iterable[ValidationError]) -> Iterable[tuple[str, str]]:
    """The errors at the deepest place that says something, past the unions' other branches."""
    for error in errors:
        if error.validator == "anyOf" and error.context:
            yield from _explained(_intended_branch(error))
        else:
            path = ".".join(str(part) for part in error.absolute_path)
            yield path, _worded(error)


def _errors(validator: Draft202012Validator, body: Any) -> list[ValidationError]:
    return list(cast("Any", validator).iter_errors(body))


def _worded(error: ValidationError) -> str:
    if error.validator in ("maxItems", "maxLength"):
        return f"{len(cast('Any', error.instance))} are too many, at most {error.validator_value}"
    return error.message[:300]


def _intended_branch(error: ValidationError) -> list[ValidationError]:
    branches: dict[int, list[ValidationError]] = {}
    for inner in error.context or []:
        branches.setdefault(int(inner.schema_path[0]), []).append(inner)

    def distance(branch: list[ValidationError]) -> tuple[bool, bool, int]:
        is_other_type = any(
            list(inner.path)[-1:] == ["type"] and inner.validator in ("enum", "anyOf")
            for inner in branch
        )
        is_other_shape = any(inner.validator == "type" and not inner.path for inner in branch)
        return is_other_type, is_other_shape, len(branch)

    return min(branches.values(), key=distance)


def _literalness(path: str) -> tuple[int, str]:
    """Literal paths before templated ones, so that `@original` is not a message's id."""
    return path.count("{"), path


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]+\}", template)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))
