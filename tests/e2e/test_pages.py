"""Each page of the challenger in a real browser, in each language: it fits, can be used, and runs clean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Route
from playwright.async_api import Page as Tab

from countersign.challenger.answers import Page
from countersign.challenger.catalogs import Catalog, load_catalogs
from countersign.challenger.pages import MANNERS
from tests.e2e.every_page import every_page, link_to

CATALOGS: Final = load_catalogs()
NEEDS: Final = 24
"""The least size of what is clicked, in CSS pixels (WCAG 2.2, 2.5.8)."""

LOOK: Final = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const root = document.documentElement;
  return {
    lang: root.lang, dir: root.dir, title: document.title,
    headings: all('h1, h2, h3, h4, h5, h6').map((one) => [one.tagName, one.innerText]),
    mains: all('main').length,
    outside: all('body > :not(main)').length,
    overflow: root.scrollWidth - root.clientWidth,
    cut: all('main *').filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth).length,
    focused: document.activeElement.tagName,
    links: all('a').map((one) => one.innerText),
    smallest: Math.min(...all('a').map((one) => one.getBoundingClientRect().height), 1000),
  };
}"""
FOCUSED: Final = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  return one.tagName === 'A' ? [one.innerText, style.outlineStyle, parseFloat(style.outlineWidth)] : null;
}"""


@pytest.fixture
async def base() -> AsyncIterator[str]:
    """Where the pages are."""
    async with every_page() as address:
        yield address


async def held(route: Route) -> None:
    """Keep a page that would come again by itself, so that it can be looked at in peace."""
    response = await route.fetch()
    body = (await response.text()).replace('http-equiv="refresh"', 'name="held"')
    await route.fulfill(response=response, body=body)


async def a_window(
    chromium: Browser,
    language: str,
    *,
    width: int = 360,
    **rest: Any,  # noqa: ANN401  # Playwright's own
) -> BrowserContext:
    """Return a window of a browser that prefers a language."""
    size = {"width": width, "height": 800}
    context = await chromium.new_context(viewport=size, locale=f"{language}-CH", **rest)  # type: ignore[arg-type]  # a TypedDict
    await context.route(f"**{link_to(Page.MOVING_ON)}", held)
    return context


class Complaints:
    """What a browser complains of in its console, but for a status that a page is meant to have.

    Args:
        tab: the window.
    """

    def __init__(self, tab: Tab) -> None:
        self.said: list[str] = []
        self._tab = tab
        tab.on("console", self._note)
        tab.on("pageerror", lambda error: self.said.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        meant = "Failed to load resource: the server responded with a status of"
        at_this_page = message.location.get("url") == self._tab.url
        if message.type in {"error", "warning"} and not (
            at_this_page and message.text.startswith(meant)
        ):
            self.said.append(message.text)


async def problems_of(tab: Tab, page: Page, catalog: Catalog) -> list[str]:
    """Return what is wrong with the page that is in a window."""
    words, seen = catalog.pages[page], await tab.evaluate(LOOK)
    due = {
        "lang": catalog.language,
        "dir": catalog.direction,
        "title": words.title,
        "headings": [["H1", words.title]],
        "mains": 1,
        "outside": 0,
        "overflow": 0,
        "cut": 0,
        "focused": "BODY",
    }
    found = [f"{name}: {seen[name]!r}" for name, value in due.items() if seen[name] != value]
    if seen["smallest"] < NEEDS:
        found.append(f"a link is {seen['smallest']} high")
    for link in seen["links"]:
        await tab.keyboard.press("Tab")
        focused = await tab.evaluate(FOCUSED)
        if focused is None or focused[0] != link or focused[1] == "none" or focused[2] < 2:
            found.append(f"Tab to {link!r} led to {focused!r}")
    return [f"{catalog.language}, {page.value}: {problem}" for problem in found]


@pytest.mark.parametrize(
    ("language", "width", "scheme"),
    [*((one, 360, "light") for one in CATALOGS), ("en", 360, "dark"), ("de", 1280, "light")],
)
async def test_every_page_fits_and_can_be_used(
    chromium: Browser, base: str, language: str, width: int, scheme: str
) -> None:
    """No sideways scrolling, one headline in one landmark, Tab reaches each link visibly, no complaint."""
    window = await a_window(chromium, language, width=width, color_scheme=scheme)
    tab = await window.new_page()
    complaints, problems = Complaints(tab), list[str]()
    for page in Page:
        response = await tab.goto(base + link_to(page))
        assert response is not None
        assert response.status == MANNERS[page].status
        problems += await problems_of(tab, page, CATALOGS[language])
    assert problems == []
    assert complaints.said == []
    await window.close()


@pytest.mark.parametrize(("language", "width"), [*((one, 180) for one in CATALOGS), ("de", 640)])
async def test_every_page_fits_at_twice_its_size(
    chromium: Browser, base: str, language: str, width: int
) -> None:
    """A phone and a desk zoomed to 200 %, which halves the window (WCAG 2.2, 1.4.10 asks for less)."""
    window = await a_window(chromium, language, width=width)
    tab = await window.new_page()
    problems = list[str]()
    for page in Page:
        await tab.goto(base + link_to(page))
        problems += await problems_of(tab, page, CATALOGS[language])
    assert problems == []
    await window.close()


@pytest.mark.parametrize("language", ["de", "fr"])
async def test_every_page_fits_with_letters_of_twice_their_size(
    chromium: Browser, base: str, language: str
) -> None:
    """On a phone whose user has text alone enlarged (WCAG 2.2, 1.4.4)."""
    window = await a_window(chromium, language)
    tab = await window.new_page()
    problems = list[str]()
    for page in Page:
        await tab.goto(base + link_to(page))
        await tab.evaluate("document.documentElement.style.fontSize = '200%'")
        problems += await problems_of(tab, page, CATALOGS[language])
    assert problems == []
    await window.close()


async def test_a_page_that_waits_comes_again_by_itself(chromium: Browser, base: str) -> None:
    """After a second the browser asks again, without a click and without a script."""
    window = await chromium.new_context(java_script_enabled=False)
    tab = await window.new_page()
    await tab.goto(base + link_to(Page.MOVING_ON))
    async with tab.expect_request(f"**{link_to(Page.MOVING_ON)}"):
        pass
    await window.close()


async def test_a_page_that_waits_goes_on_by_its_link(chromium: Browser, base: str) -> None:
    """Where refreshes are blocked, "Continue" asks for the very same address, its query included."""
    window = await a_window(chromium, "en")
    tab = await window.new_page()
    address = f"{base}{link_to(Page.MOVING_ON)}?state=kept"
    await window.route(lambda url: url == address, held)
    await tab.goto(address)
    async with tab.expect_request(address):
        await tab.get_by_role("link", name="Continue").click()
    assert tab.url == address
    await window.close()


async def test_colours_stay_apart_where_the_user_chose_them(chromium: Browser, base: str) -> None:
    """In a forced palette the links that look like buttons keep a border."""
    window = await a_window(chromium, "en", forced_colors="active")
    tab = await window.new_page()
    await tab.goto(base + link_to(Page.AGAIN))
    width = await tab.locator("a").evaluate("(one) => getComputedStyle(one).borderTopWidth")
    assert width == "1px"
    await window.close()
