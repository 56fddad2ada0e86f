"""What a REST handler gets and gives, and which handler a path belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import ApiError, missing_access, missing_permissions
from .permissions import Permission, names

if TYPE_CHECKING:
    from .entities import Channel
    from .json_parts import Json
    from .multipart import Body
    from .world import World


@dataclass(frozen=True, slots=True)
class Answer:
    """A success. `body` None is 204."""

    body: object = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One request that has passed authorization, rate limits and the published specification."""

    world: World
    method: str
    template: str
    path: str
    params: dict[str, str]
    query: dict[str, str]
    content: Body

    @property
    def body(self) -> Json:
        return self.content.json or {}

    @property
    def where(self) -> str:
        return f"{self.method} {self.path}"

    def id(self, name: str) -> int:
        return int(self.params[name])

    def is_set(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")

    def channel(self, *permissions: Permission) -> Channel:
        """The channel of the path, which the bot must see and have these permissions in."""
        channel = self.world.find_channel(self.id("channel_id"))
        self.demand(channel, *permissions)
        return channel

    def demand(self, channel: Channel, *permissions: Permission) -> None:
        held = channel.permissions_of(self.world.bot)
        wanted = Permission(0)
        for permission in permissions:
            wanted |= permission
        error: ApiError | None = None
        if not held & Permission.VIEW_CHANNEL:
            error = missing_access()
        elif wanted & ~held:
            error = missing_permissions(*names(wanted & ~held))
        if error is not None:
            if channel.has_lost_permissions:
                error.kind = None
            raise error


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    template: str
    handle: Handler

    @property
    def needs_authorization(self) -> bool:
        """Webhooks and interactions carry their token in the path instead."""
        return not self.template.startswith(("/webhooks/{webhook_id}/", "/interactions/"))


class Routes:
    """The routes that the stand-in answers, literal parts before variable ones."""

    def __init__(self, routes: Iterable[Route]) -> None:
        ordered = sorted(routes, key=lambda route: route.template.count("{"))
        self._routes = [(_pattern(route.template), route) for route in ordered]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for pattern, route in self._routes:
            found = pattern.fullmatch(path)
            if found is not None and route.method == method:
                return route, found.groupdict()
        return None


def _pattern(template: str) -> re.Pattern[str]:
    def group(found: re.Match[str]) -> str:
        name = found[1]
        kind = r"\d+" if name.endswith("_id") else "[^/]+"
        return f"(?P<{name}>{kind})"

    return re.compile(re.sub(r"\{(\w+)\}", group, template))
