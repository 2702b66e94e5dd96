"""A challenger whose links lead to its pages, each in turn: to be looked at in a real browser."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from countersign.challenger.answers import Answer, Cookies, Page, Show
from countersign.challenger.callbacks import Callbacks
from countersign.challenger.metrics import Metrics
from countersign.challenger.routes import create_app
from countersign.challenger.visits import Visits
from countersign.web.server import WebServer

HOST: Final = "127.0.0.1"
BACK: Final = "https://shop.example.com/return"
_BEGIN_ANEW: Final = {Page.AGAIN, Page.DUO_AWAY, Page.TOO_MANY_PROMPTS}
_LEAD_BACK: Final = {
    *(Page.FINISHED, Page.DENIED, Page.EXPIRED, Page.FAILED, Page.DUO_UNAVAILABLE),
}
_PAGES: Final = {f"{number:02x}{'A' * 22}": page for number, page in enumerate(Page)}


def link_to(page: Page) -> str:
    """Return the path that leads to a page."""
    return next(f"/c/{challenge_id}" for challenge_id, one in _PAGES.items() if one is page)


class _EveryPage(Visits):
    """Answers a browser with the page that its link stands for, and what that page offers."""

    def __init__(self) -> None:
        """Need nothing: no store, no Duo."""

    async def answer(self, challenge_id: str, cookies: Cookies) -> Answer:  # noqa: ARG002  # the page is in the link
        """See `Visits.answer`."""
        page = _PAGES[challenge_id]
        return Show(
            page,
            challenge=challenge_id if page in _BEGIN_ANEW else None,
            back=BACK if page in _LEAD_BACK else None,
        )


class _NoCallback(Callbacks):
    """Nobody comes back from Duo here."""

    def __init__(self) -> None:
        """Need nothing."""


@contextlib.asynccontextmanager
async def every_page() -> AsyncIterator[str]:
    """Serve the pages, by the challenger's own routes; return where."""
    app = create_app(_EveryPage(), _NoCallback(), Metrics(), public_url=f"http://{HOST}")
    server = WebServer(app, host=HOST, port=0, setting="port")
    await server.start()
    try:
        yield f"http://{HOST}:{server.port}"
    finally:
        await server.stop()
