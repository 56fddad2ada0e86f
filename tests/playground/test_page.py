"""Our controls in simcord's page, in a real browser, before a small bot."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from ..acceptance.browser import PHONE, Chat, find_chromium, open_chat

if TYPE_CHECKING:
    from limner.playground.window import Window

    from .easel import EaselBot

pytestmark = pytest.mark.browser

LOW = (900, 420)
"""A few messages fill it."""


def messages(chat: Chat, text: str):
    return chat.page.locator(".channel-message").filter(has_text=text)


async def test_commands_typed_at_any_pace_or_pasted_are_commands(
    window: Window, bots: list[EaselBot]
) -> None:
    bots[0].go_on.set()
    async with open_chat(window.url, find_chromium()) as chat:
        keyboard = chat.page.keyboard
        box = chat.page.locator("#channel-composer-input")
        await chat.say("/imagine prompt: a red heart")
        await messages(chat, "painted a red heart from 0 bytes").wait_for()
        await box.click()
        await keyboard.type("/imagine a slow star", delay=40)
        await keyboard.press("Enter")
        await messages(chat, "painted a slow star").wait_for()
        await box.click()
        await keyboard.insert_text("/imagine a pasted moon")
        await keyboard.press("Enter")
        await messages(chat, "painted a pasted moon").wait_for()
        await chat.say("imagine that")
        await messages(chat, "imagine that").wait_for()
        await chat.say("/nothing of that name")
        await messages(chat, "/nothing of that name").wait_for()


async def test_progress_moves_by_itself_and_the_newest_message_stays_in_sight(
    window: Window, bots: list[EaselBot]
) -> None:
    async with open_chat(window.url, find_chromium(), LOW) as chat:
        for number in range(4):
            await chat.say(f"a line, number {number}")
        await chat.say("/imagine a red heart")
        await messages(chat, "step 1 of 3").wait_for()
        bots[0].go_on.set()
        done = messages(chat, "painted a red heart")
        await done.wait_for()
        await chat.page.get_by_role("button", name="Paint again").click()
        again = messages(chat, "again, by a bot of its own")
        await again.wait_for()
        timeline = await chat.page.locator("#channel-timeline").bounding_box()
        newest = await again.bounding_box()
        assert timeline is not None
        assert newest is not None
        assert newest["y"] + newest["height"] <= timeline["y"] + timeline["height"] + 1


async def test_channels_are_a_click_apart_and_one_stays_who_one_is(window: Window) -> None:
    async with open_chat(window.url, find_chromium()) as chat:
        page = chat.page
        await page.locator("#viewer-picker").select_option(label="Moderator")
        await chat.say("/where")
        await messages(chat, "restricted=False").wait_for()
        await page.locator(".rooms a", has_text="after-dark").click()
        await page.locator("#channel-name", has_text="after-dark").wait_for()
        chosen = page.locator("#viewer-picker option:checked", has_text="Moderator")
        await chosen.wait_for(state="attached")
        await chat.say("/where")
        await messages(chat, "Moderator used /where").wait_for()
        await messages(chat, "restricted=True").wait_for()
        await page.locator(".rooms a", has_text="painting").click()
        await messages(chat, "restricted=False").wait_for()
        assert await messages(chat, "restricted=True").count() == 0


async def test_a_posted_picture_has_a_menu_that_opens_the_bots_dialog(window: Window) -> None:
    png = io.BytesIO()
    Image.new("RGB", (256, 256), "orange").save(png, "PNG")
    file = {"name": "orange.png", "mimeType": "image/png", "buffer": png.getvalue()}
    async with open_chat(window.url, find_chromium()) as chat:
        await chat.page.locator("#picture-file").set_input_files(file)  # pyright: ignore
        picture = chat.page.locator(".channel-message img[src^=blob]").last
        await picture.wait_for()
        await picture.click(button="right")
        await chat.page.get_by_role("menuitem", name="Ask").click()
        await chat.page.get_by_role("textbox", name="Word").fill("ochre")
        await chat.page.get_by_role("button", name="Submit").click()
        await messages(chat, "the word is ochre").wait_for()


async def test_the_bot_is_restarted_by_a_button(window: Window, bots: list[EaselBot]) -> None:
    bots[0].go_on.set()
    async with open_chat(window.url, find_chromium()) as chat:
        await chat.say("/imagine a red heart")
        await messages(chat, "painted a red heart").wait_for()
        await chat.restart_bot()
        assert len(bots) == 2
        await chat.page.get_by_role("button", name="Paint again").click()
        await messages(chat, "again, by a bot of its own").wait_for()


async def test_on_a_phone_nothing_hangs_over_the_edge(window: Window) -> None:
    async with open_chat(window.url, find_chromium(), PHONE) as chat:
        page = chat.page
        await chat.say("/where")
        await messages(chat, "restricted=False").wait_for()
        parts = page.locator(".preview-toolbar *, .channel-layout, .channel-composer")
        overhang = await parts.evaluate_all(
            "all => all.filter(it => it.checkVisibility()"
            " && it.getBoundingClientRect().right > innerWidth + 1).map(it => it.className)"
        )
        assert overhang == []
        await page.locator("#messages-toggle").click()
        await page.locator(".rooms a", has_text="after-dark").click()
        await page.locator("#channel-name", has_text="after-dark").wait_for()
