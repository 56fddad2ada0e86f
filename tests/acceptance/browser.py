"""Drives the demo as a person does: `limner demo` in a process of its own, its page in Chromium."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from playwright.async_api import Locator, Page

START_S = 180
"""Loading torch and the model, on two cores that are busy with other tests."""
PAINT_S = 240
PAGE_S = 90
STOP_S = 30

DESKTOP = (1280, 860)
PHONE = (390, 844)

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str:
    """Debian's or the system's browser. Without one the test is skipped, where that is allowed."""
    is_required = os.environ.get("LIMNER_REQUIRE_BROWSER") == "1"
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    try:
        import playwright.async_api
    except ImportError:
        playwright = None
    reason = ""
    if found is None:
        reason = "no Chromium on this machine"
    elif playwright is None:
        reason = "playwright is not installed"
    if reason and is_required:
        pytest.fail(f"{reason}, and LIMNER_REQUIRE_BROWSER=1")
    if reason:
        pytest.skip(reason)
    assert found is not None
    return found


@dataclass
class Demo:
    process: asyncio.subprocess.Process
    url: str

    async def interrupt(self) -> int:
        """Ctrl-C; gives the exit status.

        Raises `TimeoutError` when the demo, or a process that it started, goes on.
        """
        started = children_of(self.process.pid)
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(STOP_S):
            status = await self.process.wait()
            while True:
                if not any(is_running(pid) for pid in started):
                    return status
                await asyncio.sleep(0.1)


def children_of(pid: int) -> list[int]:
    """The worker among them. Linux tells; elsewhere nothing is known."""
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listing.read_text().split()] if listing.exists() else []


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@asynccontextmanager
async def running_demo(folder: Path) -> AsyncGenerator[Demo]:
    """`limner demo` with its data in `folder`."""
    left_out = {"LIMNER_CONFIG", "DISCORD_TOKEN", "LIMNER_DISCORD__TOKEN"}
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    environment["LIMNER_STORAGE__FOLDER"] = str(folder / "data")
    environment.setdefault("GOMP_SPINCOUNT", "1000")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "limner.bot", "demo", "--no-browser"),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Demo(process, await _address(process))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(START_S):
        async for line in process.stdout:
            _, found, url = line.decode().partition("Paint here: ")
            if found:
                return url.strip()
    raise AssertionError(f"the demo stopped before it was ready, status {await process.wait()}")


class Chat:
    """The page, in words of the person before it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def paintings(self) -> Locator:
        """Messages with finished pictures."""
        again = self.page.get_by_role("button", name="Paint again")
        return self.page.locator(".channel-message").filter(has=again)

    async def say(self, text: str) -> None:
        """Types it into the composer, all of it, presses Enter, and sees it taken."""
        box = self.page.locator("#channel-composer-input")
        await box.click()
        await self.page.keyboard.type(text)
        await self.page.keyboard.press("Enter")
        async with asyncio.timeout(PAGE_S):
            while True:
                is_busy = await self.page.evaluate("Boolean(simcordPreview.pendingAction)")
                if not is_busy and await box.input_value() == "":
                    return
                await asyncio.sleep(0.05)

    async def painting(self, number: int) -> Image.Image:
        """The first picture of the painting of this number, as it stands in the page."""
        message = self.paintings.nth(number)
        failed = self.page.locator(".channel-message", has_text="failed")
        await message.or_(failed).first.wait_for(timeout=PAINT_S * 1000)
        assert await failed.count() == 0, await failed.all_inner_texts()
        await message.wait_for(timeout=PAINT_S * 1000)
        picture = message.locator("img.gallery-image[src]").first
        await picture.wait_for()
        await picture.evaluate("it => it.decode()")
        return Image.open(io.BytesIO(await picture.screenshot()))

    async def paint_again(self, number: int) -> None:
        await self.paintings.nth(number).get_by_role("button", name="Paint again").click()

    async def rest(self) -> None:
        """Scrolls to the newest message and lets go of everything, as for a picture of the page."""
        await self.page.mouse.move(0, 0)
        await self.page.evaluate("document.activeElement.blur()")
        await self.page.locator("#channel-timeline").evaluate("it => it.scrollTo(0, 1e9)")
        await self.page.locator("#preview-app[aria-busy=false]").wait_for()

    async def restart_bot(self) -> None:
        button = self.page.locator("#restart-bot")
        await button.click()
        await self.page.locator("#restart-bot:disabled").wait_for()
        await self.page.locator("#restart-bot:enabled").wait_for(timeout=START_S * 1000)


@asynccontextmanager
async def open_chat(
    url: str, chromium: str, size: tuple[int, int] = DESKTOP
) -> AsyncGenerator[Chat]:
    """A fresh profile with nothing in it but the demo's page."""
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        try:
            width, height = size
            page = await browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(PAGE_S * 1000)
            await page.goto(url)
            await page.locator("#preview-app[aria-busy=false]").wait_for()
            yield Chat(page)
        finally:
            await browser.close()
