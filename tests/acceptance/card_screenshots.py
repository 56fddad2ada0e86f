"""Makes docs/card*.png from a real run: `python -m tests.acceptance.card_screenshots`.

A card, and the menu under its first picture opened, at desktop and phone width. Nothing is
retouched.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from .browser import DESKTOP, PHONE, Chat, find_chromium, open_chat, running_demo

DOCS = Path(__file__).parent.parent.parent / "docs"
WISH = "a red heart --n 2 --seed 7 --no blue"


async def main() -> None:
    chromium = find_chromium()
    with TemporaryDirectory() as folder:
        async with running_demo(Path(folder)) as demo:
            async with open_chat(demo.url, chromium, DESKTOP) as chat:
                await chat.say(f"/imagine prompt: {WISH}")
                await _show(chat, "")
            async with open_chat(demo.url, chromium, PHONE) as chat:
                await _show(chat, "-phone")
            await demo.interrupt()


async def _show(chat: Chat, name: str) -> None:
    page = chat.page
    await chat.painting(0)
    card = chat.paintings.first
    for picture in await card.locator("img.gallery-image[src]").all():
        await picture.evaluate("it => it.decode()")
    await chat.rest()
    await page.screenshot(path=DOCS / f"card{name}.png")
    await card.get_by_text("Picture 1 · seed").click()
    await page.get_by_role("option").last.wait_for()
    await page.screenshot(path=DOCS / f"card-menu{name}.png")
    await page.keyboard.press("Escape")


if __name__ == "__main__":
    asyncio.run(main())
