"""A person in a browser: signs in at the sample shop, answers Duo's prompt, and sees what comes of it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from countersign.local.demo.cast import decider, started, web_services
from countersign.local.demo.world import World, open_world

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 20_000
MY_DEVICE = "Yes, this is my device"
"""How a person answers the prompt's last question."""


class NoBrowserError(Exception):
    """There is no Chromium on this machine."""


@contextlib.asynccontextmanager
async def all_services() -> AsyncIterator[World]:
    """Run Kafka, Valkey, a decider, a challenger, the simulator and the sample shop."""
    async with contextlib.AsyncExitStack() as cleanup:
        world = await cleanup.enter_async_context(open_world())
        await started(cleanup, decider(world, "decider-1"), *web_services(world))
        yield world


@contextlib.asynccontextmanager
async def open_chromium() -> AsyncIterator[Browser]:
    """Run a Chromium without a window.

    Raises:
        NoBrowserError: there is none on this machine.
    """
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        message = "There is no Chromium here; install one, such as Debian's package chromium."
        raise NoBrowserError(message)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(_QUIET))
        try:
            yield browser
        finally:
            await browser.close()


class Person:
    """Somebody with a browser of their own; `a_person` makes one.

    Args:
        context: the browser's session: its cookies.
        page: its first tab.
        shop: where the sample shop is.
    """

    def __init__(self, context: BrowserContext, page: Page, shop: str) -> None:
        self.context = context
        self.page = page
        self.page.set_default_timeout(PATIENCE_MS)
        self.shop = shop
        self.links: list[str] = []
        self.page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if "/c/" in url:
            self.links.append(url)

    async def goes_home(self) -> None:
        """Open the shop."""
        await self.page.goto(self.shop)

    async def sign_in(self, name: str) -> None:
        """Sign in at the shop under a name; the browser goes wherever that leads."""
        await self.goes_home()
        await self.page.get_by_label("User name").fill(name)
        await self.press("Sign in")

    async def press(self, button: str) -> None:
        """Press a button."""
        await self.page.get_by_role("button", name=button, exact=True).click()

    async def enroll(self) -> None:
        """Add a phone at the prompt, as is asked at first sight."""
        await self.page.get_by_label("Phone number").fill("+1 555 0100")
        await self.press("Add this phone")

    async def approve(self) -> None:
        """Have a push sent, approve it, and say that the device is one's own."""
        await self.press("Send me a push")
        await self.press("Approve")
        await self.press(MY_DEVICE)

    async def sees(self, text: str) -> None:
        """Wait until a text is on the page."""
        await self.page.get_by_text(text).first.wait_for()


@contextlib.asynccontextmanager
async def a_person(
    chromium: Browser, world: World, *, width: int = 1280, scripts: bool = True
) -> AsyncIterator[Person]:
    """Return a person whose browser has no cookies yet, and takes no certificate on trust.

    Args:
        chromium: the browser.
        world: where the shop is.
        width: the window's, in CSS pixels.
        scripts: whether the browser runs any.
    """
    context = await chromium.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=scripts
    )
    try:
        yield Person(context, await context.new_page(), world.addresses.shop_url)
    finally:
        await context.close()
