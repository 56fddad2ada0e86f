"""Makes docs/demo.png and demo-phone.png from a real run: `python -m tests.acceptance.screenshots`.

Nothing is retouched; what the model paints is what they show.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from .browser import DESKTOP, PHONE, find_chromium, open_chat, running_demo

DOCS = Path(__file__).parent.parent.parent / "docs"
WISHES = ("a red heart --seed 3", "a rocket --n 2 --seed 1")
TALL = (DESKTOP[0], 1200)


async def main() -> None:
    chromium = find_chromium()
    with TemporaryDirectory() as folder:
        async with running_demo(Path(folder)) as demo:
            async with open_chat(demo.url, chromium, TALL) as chat:
                for number, wish in enumerate(WISHES):
                    await chat.say(f"/imagine prompt: {wish}")
                    await chat.painting(number)
                await chat.rest()
                await chat.page.screenshot(path=DOCS / "demo.png")
            async with open_chat(demo.url, chromium, PHONE) as chat:
                await chat.painting(len(WISHES) - 1)
                await chat.rest()
                await chat.page.screenshot(path=DOCS / "demo-phone.png")
            await demo.interrupt()


if __name__ == "__main__":
    asyncio.run(main())
