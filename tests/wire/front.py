"""What every REST request passes on its way in and out: faults, limits, rules, then its handler."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from . import rest_application, rest_channels, rest_interactions
from .errors import ApiError, too_large, unauthorized
from .multipart import Body, read_body
from .routing import Answer, Call, Route, Routes
from .violations import Kind

if TYPE_CHECKING:
    from .faults import Fault, Faults
    from .ratelimits import RateLimits, Refusal
    from .specification import Specification
    from .world import World

PREFIX = "/api/v10"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came and was answered, for a test to count and read."""

    method: str
    path: str
    template: str
    body: Any
    filenames: tuple[str, ...]
    headers: dict[str, str]
    status: int
    at: float


@dataclass(slots=True)
class Front:
    """Answers `/api/v10/...`, and remembers what it answered in `seen`."""

    world: World
    faults: Faults
    limits: RateLimits
    specification: Specification | None
    seen: list[Seen] = field(default_factory=list[Seen])
    _routes: Routes = field(init=False)

    def __post_init__(self) -> None:
        self._routes = Routes(
            [*rest_application.ROUTES, *rest_channels.ROUTES, *rest_interactions.ROUTES]
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(PREFIX)
        found = self._routes.find(request.method, path)
        if found is None:
            return await self._unknown(request, path)
        route, params = found
        fault = self.faults.pending(request.method, path, has_uploads=None)
        if fault is not None and not fault.is_done_first:
            if not fault.holds:
                # A reset while the client still sends would be another fault.
                await request.read()
            broken = await self._broken(request, fault)
            if broken is not None:
                return broken
        content, answer, headers = await self._answered(request, path, route, params)
        self._remember(request, path, route, content, answer.status)
        if fault is not None and fault.is_done_first:
            broken = await self._broken(request, fault)
            if broken is not None:
                return broken
        return _response(answer.status, answer.body, headers)

    async def _answered(
        self, request: web.Request, path: str, route: Route, params: dict[str, str]
    ) -> tuple[Body, Answer, dict[str, str]]:
        world, content, headers = self.world, Body(), dict[str, str]()
        where = f"{request.method} {path}"
        try:
            self._authorize(request, route)
            refusal, headers = self.limits.take(
                request.method,
                route.template,
                "/".join(params.get(key, "") for key in _MAJOR_PARAMETERS),
                is_interaction=not route.needs_authorization,
            )
            if refusal is not None:
                await request.read()
                return content, Answer(refusal.body, 429), headers | refusal.headers
            content = await read_body(request)
            self._refuse_ordered_upload(request.method, path, content)
            self._check_published(request, route, content)
            query = dict(request.query)
            call = Call(world, request.method, route.template, path, params, query, content)
            answer = route.handle(call)
            self._check_own(request.method, route, answer, where)
            return content, answer, headers
        except ApiError as error:
            if error.kind is not None:
                notes = "; ".join(getattr(error, "__notes__", ()))
                world.violations.record(error.kind, where, f"{error} {notes}".strip())
            world.changes.notify()
            return content, Answer(error.body(), error.status), headers
        except ConnectionResetError:
            # A bot that stops in the middle of an upload; there is nobody to answer.
            raise
        except Exception as error:
            world.violations.record(Kind.BROKEN_STAND_IN, where, repr(error))
            raise

    def _authorize(self, request: web.Request, route: Route) -> None:
        given = request.headers.get("Authorization")
        wrong = given is not None and given != f"Bot {self.world.token}"
        if wrong or (given is None and route.needs_authorization):
            raise unauthorized()

    def _refuse_ordered_upload(self, method: str, path: str, content: Body) -> None:
        has_uploads = bool(content.uploads)
        if self.faults.pending(method, path, has_uploads=has_uploads) is not None:
            error = too_large()
            error.kind = None
            raise error

    def _check_published(self, request: web.Request, route: Route, content: Body) -> None:
        if self.specification is None:
            return
        about = request.method, route.template
        problems = self.specification.query_problems(*about, request.query)
        problems |= self.specification.problems(*about, content.json)
        if not problems:
            return
        is_unknown_key = all("Additional properties" in what for what in problems.values())
        kind = Kind.UNKNOWN_KEY if is_unknown_key else Kind.BAD_BODY
        fields = {place or "_root": what for place, what in problems.items()}
        raise ApiError(400, 50035, "Invalid Form Body", kind=kind, fields=fields)

    def _check_own(self, method: str, route: Route, answer: Answer, where: str) -> None:
        """What we answer must be what Discord would answer, as far as that is published."""
        if self.specification is None:
            return
        problems = self.specification.answer_problems(
            method, route.template, answer.status, answer.body
        )
        if problems:
            self.world.violations.record(Kind.OUR_ANSWER, where, str(problems))

    async def _broken(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """The fault's answer; None where the request goes on after all."""
        if fault.holds:
            await fault.wait_for_release()
            return None
        if fault.drops:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=499)
        refusal: Refusal | None = fault.refusal
        if refusal is not None:
            return _response(429, refusal.body, refusal.headers)
        assert fault.status is not None
        text = "<html><body>error code: 502</body></html>"
        return web.Response(status=fault.status, text=text, content_type="text/html")

    async def _unknown(self, request: web.Request, path: str) -> web.StreamResponse:
        await request.read()
        published = self.specification and self.specification.operation(request.method, path)
        problem = "no such route at Discord"
        if published:
            problem = "published, but the stand-in does not answer it yet"
        where = f"{request.method} {request.path}"
        self.world.violations.record(Kind.UNKNOWN_ROUTE, where, problem)
        return _response(404, {"message": "404: Not Found", "code": 0}, {})

    async def serve_file(self, request: web.Request) -> web.StreamResponse:
        """The CDN: a stored file's bytes, while its link is valid. Faults meet it as `/cdn/...`."""
        fault = self.faults.pending("GET", request.path, has_uploads=None)
        broken = None if fault is None else await self._broken(request, fault)
        if broken is not None:
            return broken
        file = self.world.files.get(int(request.match_info["file_id"]))
        if file is None or not self.world.links.is_valid(file, dict(request.query)):
            return web.Response(status=404, text="This content is no longer available.")
        kind = file.content_type or "application/octet-stream"
        return web.Response(body=file.data, headers={"Content-Type": kind})

    async def serve_avatar(self, request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(body=_PIXEL, headers={"Content-Type": "image/png"})

    def _remember(
        self, request: web.Request, path: str, route: Route, content: Body, status: int
    ) -> None:
        names = tuple(upload.filename for upload in content.uploads)
        headers = {name.lower(): value for name, value in request.headers.items()}
        now = self.world.clock.now()
        self.seen.append(
            Seen(request.method, path, route.template, content.json, names, headers, status, now)
        )
        self.world.changes.notify()


_MAJOR_PARAMETERS = ("channel_id", "guild_id", "webhook_id", "webhook_token")

_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63606060f80f0001040100b51c0c02"
    "0000000049454e44ae426082"
)


def _response(status: int, body: object, headers: dict[str, str]) -> web.Response:
    if body is None:
        return web.Response(status=status if status != 200 else 204, headers=headers)
    # Exactly this type: a charset behind it makes discord.py take the body for text.
    full = {"Content-Type": "application/json"} | headers
    return web.Response(status=status, body=json.dumps(body).encode(), headers=full)
