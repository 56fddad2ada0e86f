"""Makes docs/admin-*-phone.png from a real run: `python -m tests.acceptance.admin_screenshots`.

What an admin sees of the painter and of the settings, at a phone's width. Nothing is retouched.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from .browser import PHONE, find_chromium, open_chat, running_demo

DOCS = Path(__file__).parent.parent.parent / "docs"


async def main() -> None:
    chromium = find_chromium()
    with TemporaryDirectory() as folder:
        async with running_demo(Path(folder)) as demo:
            async with open_chat(demo.url, chromium, PHONE) as chat:
                await chat.say("/imagine prompt: a red heart --n 2 --seed 7")
                await chat.painting(0)
                await chat.page.locator("#viewer-picker").select_option(label="Admin")
                for command, title in (
                    ("status", "This server"),
                    ("settings", "Painting in this server"),
                ):
                    await chat.say(f"/limner admin {command}")
                    await chat.page.get_by_text(title).last.wait_for()
                    await chat.rest()
                    newest = chat.page.locator(".channel-message").last
                    await newest.evaluate("it => it.scrollIntoView({block: 'end'})")
                    await chat.page.screenshot(path=DOCS / f"admin-{command}-phone.png")
            await demo.interrupt()


if __name__ == "__main__":
    asyncio.run(main())
