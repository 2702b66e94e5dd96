"""The simulator's pages in a real browser: they fit a phone, and forms are taken from them alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.fault import Fault
from countersign.simulator.ledger import Kind
from tests.e2e.walking import MY_DEVICE
from tests.simulated_duo import Duo, serving

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

# The SDK signs with Duo's own secrets of 40 bytes, which PyJWT calls short for HS512.
pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")


@pytest.fixture
async def duo(tmp_path: Path) -> AsyncIterator[Duo]:
    """A simulator that listens."""
    async with serving(tmp_path) as found:
        yield found


async def a_page(chromium: Browser, *, width: int = 360) -> Page:
    """Return a page of a browser without scripts, which takes a certificate that it can't know."""
    context = await chromium.new_context(
        viewport={"width": width, "height": 800},
        java_script_enabled=False,
        ignore_https_errors=True,
    )
    return await context.new_page()


async def fits(page: Page, width: int) -> None:
    """Check that nothing needs scrolling sideways."""
    await page.wait_for_load_state()  # with its stylesheet
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [360, 1280])
async def test_control_page_by_hand(duo: Duo, chromium: Browser, width: int) -> None:
    """Faults and scripts are set and removed on the page, on a phone and on a desk."""
    page = await a_page(chromium, width=width)
    await page.goto(f"https://{duo.host}/control")
    await fits(page, width)
    await page.get_by_label("Fault", exact=True).select_option("slow")
    await page.get_by_label("Endpoint", exact=True).select_option("token")
    await page.locator("#username").fill("x" * 200)
    await page.get_by_role("button", name="Inject").click()
    await page.get_by_role("alert").wait_for()
    assert await page.locator("#username").input_value() == "x" * 200
    await page.get_by_label("Seconds").fill("2.5")
    await page.get_by_role("button", name="Inject").click()
    await page.get_by_text("1 more time").wait_for()
    (injected,) = duo.simulator.faults
    assert (injected.fault, injected.seconds) == (Fault.SLOW, 2.5)
    await page.locator("#scripted").fill("bob")
    await page.get_by_label("What the user does").select_option("fraud")
    await page.get_by_role("button", name="Set").click()
    await page.get_by_label("Remove the script of bob").wait_for()
    assert duo.simulator.scripts["bob"] is Behaviour.FRAUD
    await fits(page, width)
    await page.get_by_role("button", name="Remove slow").click()
    await page.get_by_text("behaves as Duo does").wait_for()
    assert list(duo.simulator.faults) == []


async def test_page_of_another_site_injects_nothing(duo: Duo, chromium: Browser) -> None:
    """A form elsewhere that posts to the control page is refused, by what the browser says of it."""
    page = await a_page(chromium)
    await page.set_content(
        f'<form method="post" action="https://{duo.host}/control/faults">'
        '<input name="fault" value="html"><button>Win a prize</button></form>'
    )
    await page.get_by_role("button").click()
    await page.get_by_text("page of another site").wait_for()
    assert list(duo.simulator.faults) == []


@pytest.mark.parametrize("width", [360, 1280])
async def test_each_way_of_the_prompt_fits(duo: Duo, chromium: Browser, width: int) -> None:
    """Every page of the prompt fits, and a Verified Push and a bypass code can be typed."""
    page = await a_page(chromium, width=width)
    client = duo.client()
    await page.route("https://mfa.example.com/**", lambda route: route.fulfill(body="back"))
    for way, shown in (
        ("Send me a Verified Push", "#shown-code"),
        ("Use a bypass code", "#shown-passcode"),
    ):
        await page.goto(client.create_auth_url("w" * 120, client.generate_state()))
        if await page.get_by_label("Phone number").count():
            await fits(page, width)
            await page.get_by_label("Phone number").fill("+1 555 0100")
            await page.get_by_role("button", name="Add this phone").click()
        await page.get_by_role("button", name=way).wait_for()
        await fits(page, width)
        await page.get_by_role("button", name=way).click()
        code = await page.locator(shown).inner_text()
        await fits(page, width)
        await page.locator("#passcode").fill(code)
        await page.get_by_role("button", name="Verify").click()
        await page.get_by_role("button", name=MY_DEVICE).wait_for()
        await fits(page, width)
        await page.get_by_role("button", name=MY_DEVICE).click()
        await page.get_by_text("back").wait_for()
    assert duo.simulator.ledger.kinds().count(Kind.ALLOWED) == 2
