from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, FormData

from limner.bot.errors import StartError
from limner.playground.window import Window

from .visitor import Visitor

if TYPE_CHECKING:
    from limner.playground.demo import Playground

    from .easel import EaselBot


async def test_without_the_address_nothing_is_shown_or_done(
    window: Window, visitor: Visitor
) -> None:
    async with ClientSession() as stranger:
        for method, path in (
            ("GET", "/limner/world"),
            ("POST", "/limner/restart"),
            ("POST", "/limner/picture"),
            ("POST", "/limner/menu"),
            ("POST", "/api/action"),
            ("POST", "/api/pages"),
            ("GET", "/api/state"),
        ):
            async with stranger.request(method, visitor.origin + path, json={}) as answer:
                assert answer.status == 401, path


async def test_the_page_is_simcords_with_our_controls_in_it(visitor: Visitor) -> None:
    async with visitor.session.get(visitor.origin + "/") as answer:
        page = await answer.text()
    assert "/limner/demo.js" in page
    assert "channel-composer" in page
    ours = ("demo.js", "typing.js", "demo.css", "icon.svg")
    for path in ("/app.js", *(f"/limner/{name}" for name in ours)):
        async with visitor.session.get(visitor.origin + path) as answer:
            assert answer.status == 200, path
    async with visitor.session.get(visitor.origin + "/limner/..%2fwindow.py") as answer:
        assert answer.status == 404


async def test_every_channel_has_an_address(window: Window, visitor: Visitor) -> None:
    rooms = (await visitor.get("/limner/world"))["rooms"]
    assert [room["name"] for room in rooms] == ["painting", "after-dark", "Limner"]
    assert [room["isShown"] for room in rooms] == [True, False, False]
    assert [room["isAgeRestricted"] for room in rooms] == [False, True, False]
    shown: list[str] = []
    for room in rooms:
        other = Visitor(visitor.session, f"{visitor.origin}/#{room['capability']}")
        await other.open()
        shown.append(other.page["channel"]["name"])
    assert shown[:2] == ["painting", "after-dark"]


async def test_progress_is_seen_while_it_goes_on_and_others_can_act_meanwhile(
    visitor: Visitor, bots: list[EaselBot]
) -> None:
    await visitor.run("imagine", prompt="a red heart")
    await visitor.sees("step 1 of 3")
    await visitor.run("where")
    bots[0].go_on.set()
    state = await visitor.sees("painted a red heart")
    assert "restricted=False" in json.dumps(state["messages"])


async def test_an_upload_arrives_whole(visitor: Visitor, bots: list[EaselBot]) -> None:
    bots[0].go_on.set()
    await visitor.run("imagine", prompt="x", upload=bytes(range(256)) * 700)
    await visitor.sees(f"from {256 * 700} bytes")


async def test_private_answers_are_seen_by_their_owner_only(visitor: Visitor) -> None:
    await visitor.run("whisper")
    await visitor.sees("for you alone")
    state = await visitor.get("/api/state")
    other = next(it["id"] for it in state["viewers"] if it["id"] != state["viewerId"])
    await visitor.act("viewer", viewer_id=other)
    await visitor.run("where")
    state = await visitor.sees("restricted=False")
    assert "for you alone" not in json.dumps(state)


async def test_a_picture_can_be_posted(visitor: Visitor) -> None:
    form = FormData()
    form.add_field("viewer_id", visitor.page["viewerId"])
    form.add_field("file", b"not really a picture", filename="cat.png")
    await visitor.post("/limner/picture", form)
    state = await visitor.sees("cat.png")
    (message,) = state["messages"].values()
    assert message["author"]["id"] == visitor.page["viewerId"]


async def test_a_menu_of_a_message_opens_the_bots_dialog_in_the_page(visitor: Visitor) -> None:
    assert (await visitor.get("/limner/world"))["menus"] == ["Ask"]
    await visitor.run("where")
    state = await visitor.sees("restricted=False")
    asked = {
        "context_id": visitor.page["context"]["id"],
        "viewer_id": state["viewerId"],
        "name": "Ask",
        "message_id": state["timeline"][-1],
    }
    await visitor.post("/limner/menu", asked)
    state = await visitor.until(lambda state: state["modal"] is not None)
    handle = state["modal"]["handle"]
    await visitor.act("modal_submit", modal_handle=handle, values={"word": "ochre"})
    await visitor.sees("the word is ochre")


async def test_a_wrong_wish_is_refused_with_a_sentence(visitor: Visitor) -> None:
    asked = {"context_id": "p", "viewer_id": "1", "name": "Ask", "message_id": "1"}
    url = visitor.origin + "/limner/menu"
    async with visitor.session.post(url, json=asked, headers=visitor.headers) as answer:
        assert answer.status == 400
        assert "refused" in await answer.text()


async def test_after_a_restart_the_page_goes_on(visitor: Visitor, bots: list[EaselBot]) -> None:
    await visitor.run("where")
    await visitor.post("/limner/restart", {})
    assert len(bots) == 2
    await visitor.run("imagine", prompt="a green star")
    bots[1].go_on.set()
    state = await visitor.sees("painted a green star")
    assert "restricted=False" in json.dumps(state["messages"])


async def test_a_taken_port_is_told_in_one_sentence(playground: Playground, window: Window) -> None:
    with pytest.raises(StartError, match="choose another one with --port"):
        async with Window(playground, port=window.port):
            pass
