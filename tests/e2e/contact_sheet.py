"""All pages of the challenger on one sheet: a row for each, a column for each language, as on a phone."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

from playwright.async_api import Browser

from countersign.challenger.answers import Page
from countersign.challenger.catalogs import load_catalogs
from tests.e2e.every_page import every_page, link_to

WIDTH: Final = 360
_SHOWN: Final = 168
"""How wide a page is on the sheet, in pixels."""
_LOW: Final = 100
"""The window's height: less than any page's, so that a picture ends where its page does."""


async def take_sheet(chromium: Browser, path: Path) -> None:
    """Take a picture of every page in every language, and put them all on one sheet."""
    pictures = {language: await _pictures(chromium, language) for language in load_catalogs()}
    rows = "".join(
        f"<tr>{''.join(f'<td><img width={_SHOWN} src={pictures[one][page]}>' for one in pictures)}"
        for page in Page
    )
    tab = await chromium.new_page(viewport={"width": (_SHOWN + 8) * len(pictures), "height": _LOW})
    await tab.set_content(
        f"<style>body {{ margin: 0 }} td {{ padding: 3px; vertical-align: top }}</style><table>{rows}"
    )
    await tab.screenshot(path=path, full_page=True, type="jpeg", quality=55)
    await tab.close()


async def _pictures(chromium: Browser, language: str) -> dict[Page, str]:
    """Return a picture of each page, as an address that holds it."""
    async with every_page() as base:
        window = await chromium.new_context(
            viewport={"width": WIDTH, "height": _LOW}, locale=language, java_script_enabled=False
        )
        tab = await window.new_page()
        found = {}
        for page in Page:
            await tab.goto(base + link_to(page))
            picture = await tab.screenshot(full_page=True)
            found[page] = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
        await window.close()
    return found
