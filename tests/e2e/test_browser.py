"""People sign in with a real browser, at the sample shop, over every service and a real Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.walking import MY_DEVICE, a_person

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from countersign.local.demo.world import World


@pytest.mark.law(7)
async def test_approved_then_remembered_then_forgotten(chromium: Browser, world: World) -> None:
    """Law 7: sign-in, prompt, approved, in; again, remembered, no prompt; "forget", a prompt again."""
    async with a_person(chromium, world) as alice:
        await alice.sign_in("alice")
        await alice.enroll()
        await alice.approve()
        await alice.sees("You are signed in, alice")
        await alice.sees("You passed a Duo challenge")
        assert "mfa_code" not in alice.page.url

        await alice.press("Sign out")
        await alice.sign_in("alice")
        await alice.sees("This browser is remembered")

        await alice.press("Forget this browser")
        await alice.sees("Your remembered browsers are forgotten")
        await alice.press("Sign out")
        await alice.sign_in("alice")
        await alice.approve()
        await alice.sees("You passed a Duo challenge")


async def test_every_way_to_prove_it(chromium: Browser, world: World) -> None:
    """A passcode by text message, a phone call and a security key lead back, too."""
    async with a_person(chromium, world) as bob:
        for number, (way, confirm) in enumerate(
            {"Call me": "Press a key", "Use a security key": "Touch the key"}.items()
        ):
            await bob.sign_in("bob")
            if number == 0:
                await bob.enroll()
            await bob.press(way)
            await bob.press(confirm)
            await bob.press(MY_DEVICE)
            await bob.sees("You passed a Duo challenge")
            await bob.press("Forget this browser")
            await bob.press("Sign out")
        await bob.sign_in("bob")
        await bob.press("Text me a passcode")
        await bob.page.get_by_label("Passcode").fill("000")
        await bob.press("Verify")
        shown = await bob.page.locator("#shown-passcode").inner_text()
        await bob.page.get_by_label("Passcode").fill(shown)
        await bob.press("Verify")
        await bob.press(MY_DEVICE)
        await bob.sees("You passed a Duo challenge")


async def test_denied_and_cancelled_prompts_lead_nowhere(chromium: Browser, world: World) -> None:
    """Whoever denies or cancels is not signed in, and a denied prompt may be tried again."""
    async with a_person(chromium, world) as carol:
        await carol.sign_in("carol")
        await carol.enroll()
        await carol.press("Send me a push")
        await carol.press("Deny")
        await carol.sees("The sign-in was denied")
        await carol.goes_home()
        await carol.sees("User name")

        await carol.sign_in("carol")
        await carol.press("Cancel")
        await carol.sees("You cancelled")
        await carol.goes_home()
        await carol.sees("User name")


@pytest.mark.law(6)
async def test_a_relayed_link_lets_nobody_in(chromium: Browser, world: World) -> None:
    """Law 6: Dave approves a link that Mallory sent him; neither of them is signed in by it."""
    async with a_person(chromium, world) as mallory, a_person(chromium, world) as dave:
        await mallory.sign_in("dave")
        await mallory.sees("Add this phone")
        (link,) = mallory.links
        assert link.startswith(world.addresses.public_url)

        await dave.page.goto(link)
        await dave.enroll()
        await dave.approve()
        await dave.sees("No sign-in began here")

        await mallory.page.goto(link)
        await mallory.sees("This sign-in was approved elsewhere")
        await mallory.goes_home()
        await mallory.sees("User name")


async def test_back_button_and_reload(chromium: Browser, world: World) -> None:
    """Going back after signing in, and reloading, change nothing."""
    async with a_person(chromium, world) as erin:
        await erin.sign_in("erin")
        await erin.enroll()
        await erin.approve()
        await erin.sees("You passed a Duo challenge")
        await erin.page.reload()
        await erin.sees("You are signed in, erin")
        await erin.page.go_back()
        await erin.goes_home()
        await erin.sees("You are signed in, erin")


async def test_two_tabs_of_one_browser(chromium: Browser, world: World) -> None:
    """A second tab has a prompt of its own, and either tab's answer brings the browser in."""
    async with a_person(chromium, world) as frank:
        await frank.sign_in("frank")
        await frank.enroll()
        tab = await frank.context.new_page()
        await tab.goto(frank.links[0])
        await tab.get_by_role("button", name="Send me a push", exact=True).click()
        await tab.get_by_role("button", name="Approve").click()
        await tab.get_by_role("button", name=MY_DEVICE).click()
        await tab.get_by_text("You passed a Duo challenge").wait_for()
        await frank.goes_home()
        await frank.sees("You are signed in, frank")


@pytest.mark.parametrize("width", [360, 1280])
async def test_no_page_scrolls_sideways_or_needs_a_script(
    chromium: Browser, world: World, width: int
) -> None:
    """On a phone and on a desk, with scripts switched off, the whole way works and fits the window."""
    async with a_person(chromium, world, width=width, scripts=False) as grace:

        async def fits() -> None:
            main = await grace.page.locator("main").bounding_box()
            assert main is not None
            assert main["x"] >= 0
            assert main["x"] + main["width"] <= width

        await grace.goes_home()
        await fits()
        await grace.sign_in(f"grace-{width}")
        await fits()
        await grace.enroll()
        await fits()
        await grace.press("Send me a push")
        await fits()
        await grace.press("Approve")
        await fits()
        await grace.press(MY_DEVICE)
        await grace.sees("You passed a Duo challenge")
        await fits()
        await grace.page.goto(f"{world.addresses.public_url}/c/00{'A' * 22}")
        await grace.sees("This link is not known")
        await fits()
