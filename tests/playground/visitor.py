"""What the page's script does, without a browser: opens a page, acts in it, asks for news."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import ClientSession, FormData

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60


@dataclass
class Visitor:
    session: ClientSession
    url: str
    page: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def origin(self) -> str:
        return self.url.partition("/#")[0]

    @property
    def headers(self) -> dict[str, str]:
        headers = {"X-Simcord-Capability": self.url.partition("#")[2], "Origin": self.origin}
        if self.page:
            headers["X-Simcord-Context"] = self.page["context"]["id"]
        return headers

    async def get(self, path: str) -> Any:
        async with self.session.get(self.origin + path, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Any) -> Any:
        data = body if isinstance(body, FormData) else None
        json_body = None if data else body
        url = self.origin + path
        async with self.session.post(url, headers=self.headers, data=data, json=json_body) as got:
            assert got.status == 200, await got.text()
            return await got.json()

    async def open(self) -> None:
        self.page = await self.post("/api/pages", {})

    async def act(self, kind: str, *, upload: bytes | None = None, **fields: Any) -> Any:
        state = await self.get("/api/state")
        body = {
            "protocol_version": 3,
            "sequence": (state["lastAction"] or {"expectedSequence": 0})["expectedSequence"] + 1,
            "request_id": f"r{state['publishedRevision']}-{kind}",
            "generation": state["context"]["generation"],
            # As of the opening: somebody else's progress, or a restart, has been published since.
            "bot_generation": self.page["botGeneration"],
            "published_revision": self.page["publishedRevision"],
            "kind": kind,
            **fields,
        }
        if upload is None:
            return await self.post("/api/action", body)
        form = FormData()
        form.add_field("payload", json.dumps(body))
        form.add_field("file:picture", upload, filename="x.png")
        return await self.post("/api/action", form)

    async def run(self, name: str, *, upload: bytes | None = None, **options: Any) -> Any:
        entries = (await self.get("/api/commands"))["entries"]
        entry = next(entry for entry in entries if entry["invocation"] == name)
        if upload is not None:
            options["picture"] = {"upload": 0}
        receipt = await self.act(
            "run_command",
            command_id=entry["commandId"],
            path=entry["path"],
            schema_fingerprint=entry["schemaFingerprint"],
            options=options,
            upload=upload,
        )
        assert receipt["settlement"] == "settled", receipt
        return receipt

    async def until(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Asks for news, as the page does, until they are what is waited for."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                state = await self.get("/api/state")
                if is_so(state):
                    return state
                await asyncio.sleep(0.05)

    async def sees(self, text: str) -> dict[str, Any]:
        return await self.until(lambda state: text in json.dumps(state["messages"]))
