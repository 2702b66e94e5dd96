"""Takes the pictures of the walk that the README shows, as a phone and a desk see it, and of every page.

Run as `make screenshots`; needs a Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Final

from playwright.async_api import Page

from countersign.local.demo.world import World
from countersign.logs import set_up_logs
from tests.e2e.contact_sheet import take_sheet
from tests.e2e.walking import MY_DEVICE, Person, a_person, all_services, open_chromium

WIDTHS: Final = (360, 1280)
_FOLDER: Final = Path(__file__).parents[2] / "docs" / "images"


class Camera:
    """Takes pictures into a folder.

    Args:
        folder: where they go, as `STEP-WIDTH.png`.
        width: the window's.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self._folder = folder
        self._width = width

    async def take(self, page: Page, step: str) -> None:
        """Take a picture of what is in the window."""
        path = self._folder / f"{step}-{self._width}.png"
        await page.screenshot(path=path)
        print(path.name)  # noqa: T201  # a command's answer


async def walk(person: Person, camera: Camera, world: World) -> None:
    """Walk the whole way, and take a picture of each page."""
    await person.goes_home()
    await camera.take(person.page, "1-sign-in")
    await person.sign_in("alice")
    await person.sees("Add this phone")
    await camera.take(person.page, "2-enroll")
    await person.enroll()
    await person.sees("Send me a push")
    await camera.take(person.page, "3-prompt")
    await person.press("Send me a push")
    await person.sees("Pretended phone")
    await camera.take(person.page, "4-push")
    await person.press("Approve")
    await person.press(MY_DEVICE)
    await person.sees("You passed a Duo challenge")
    await camera.take(person.page, "5-signed-in")
    await person.press("Sign out")
    await person.sign_in("alice")
    await person.sees("This browser is remembered")
    await camera.take(person.page, "6-remembered")
    await person.page.goto(person.links[0])
    await person.sees("finished")
    await camera.take(person.page, "7-finished")
    await person.page.goto(f"{world.addresses.public_url}/c/00{'A' * 22}")
    await person.sees("not known")
    await camera.take(person.page, "8-unknown")


async def main(folder: Path) -> None:
    """Take all pictures."""
    set_up_logs("critical", "console")
    async with open_chromium() as chromium:
        sheet = folder / "9-every-page.jpg"
        await take_sheet(chromium, sheet)
        print(sheet.name)  # noqa: T201  # a command's answer
    for width in WIDTHS:  # a world each, so that Alice is new in both
        async with (
            all_services() as world,
            open_chromium() as chromium,
            a_person(chromium, world, width=width) as person,
        ):
            await walk(person, Camera(folder, width), world)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="where the pictures go")
    chosen = parser.parse_args().folder
    chosen.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(chosen))
