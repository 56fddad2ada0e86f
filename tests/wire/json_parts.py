"""Reading Discord's JSON: parts that may be absent or null, and components within components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]


def listed(body: Json, key: str) -> list[Json]:
    """The list under `key`, where absent and null mean none."""
    return body.get(key) or []


def nested(body: Json, key: str) -> Json:
    """The object under `key`, where absent and null mean an empty one."""
    return body.get(key) or {}


def walk(components: list[Json]) -> Iterator[Json]:
    for component in components:
        yield component
        yield from walk(listed(component, "components"))
        for key in ("component", "accessory"):
            if component.get(key):
                yield from walk([component[key]])
