"""One command, and it paints: the demo as a visitor meets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import ImageChops

from .browser import find_chromium, open_chat, running_demo
from .hearts import look

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser


async def test_a_red_heart_is_painted_in_the_page_and_again_after_a_restart(tmp_path: Path) -> None:
    chromium = find_chromium()
    async with running_demo(tmp_path) as demo:
        async with open_chat(demo.url, chromium) as chat:
            await chat.say("/imagine prompt: a red heart")
            first = await chat.painting(0)
            first.save(tmp_path / "first.png")

            await chat.restart_bot()
            await chat.paint_again(0)
            second = await chat.painting(1)
            second.save(tmp_path / "second.png")
        assert await demo.interrupt() == 0

    for name, picture in (("first", first), ("second", second)):
        sight = look(picture)
        assert not sight.complaints, f"{tmp_path}/{name}.png: {sight}"
    difference = ImageChops.difference(first.convert("RGB"), second.convert("RGB"))
    assert difference.getbbox() is not None, "painting again gave the same picture"


@pytest.mark.long
async def test_what_was_under_way_when_the_demo_stopped_is_painted_by_the_next(
    tmp_path: Path,
) -> None:
    chromium = find_chromium()
    async with running_demo(tmp_path) as demo:
        async with open_chat(demo.url, chromium) as chat:
            await chat.say("/imagine a red heart --seed 7")
            await chat.page.get_by_role("button", name="Cancel").wait_for()
        assert await demo.interrupt() == 0
    async with running_demo(tmp_path) as demo:
        async with open_chat(demo.url, chromium) as chat:
            await chat.painting(0)
            assert "7" in await chat.paintings.inner_text()
        assert await demo.interrupt() == 0
