"""Makes docs/inpaint-*.png from a real run: `python -m tests.acceptance.inpaint_screenshots`.

The form, the look before the leap, and what came of it. Nothing is retouched.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from .browser import DESKTOP, PAINT_S, PHONE, Chat, find_chromium, open_chat, running_demo

DOCS = Path(__file__).parent.parent.parent / "docs"


async def main() -> None:
    chromium = find_chromium()
    with TemporaryDirectory() as folder:
        async with running_demo(Path(folder)) as demo:
            async with open_chat(demo.url, chromium, DESKTOP) as chat:
                await chat.say("/imagine prompt: a red heart --seed 7")
                await chat.painting(0)
            for name, size in (("", DESKTOP), ("-phone", PHONE)):
                async with open_chat(demo.url, chromium, size) as chat:
                    await _look(chat, name)
                    if not name:
                        await chat.page.get_by_role("button", name="🖌️ Paint").last.click()
                        await chat.painting(1)
                        await chat.rest()
                        await chat.page.screenshot(path=DOCS / "inpaint-card.png")
            await demo.interrupt()


async def _look(chat: Chat, name: str) -> None:
    """From the menu under the first picture to the preview."""
    page = chat.page
    await chat.painting(0)
    card = chat.paintings.first
    await card.get_by_text("Picture 1 · seed").click()
    await page.get_by_role("option").filter(has_text="Inpaint").click()
    dialog = page.get_by_role("dialog")
    await dialog.locator("textarea").fill("a blue star --seed 3")
    await dialog.get_by_label("Where").fill("right half")
    await page.screenshot(path=DOCS / f"inpaint-form{name}.png")
    await dialog.get_by_role("button", name="Submit").click()
    softer = page.get_by_role("button", name="Softer edge").last
    await softer.wait_for(timeout=PAINT_S * 1000)
    await softer.click()
    picture = page.locator(".channel-message").last.locator("img.gallery-image[src]").first
    await picture.evaluate("it => it.decode()")
    await chat.rest()
    await page.screenshot(path=DOCS / f"inpaint-preview{name}.png")


if __name__ == "__main__":
    asyncio.run(main())
