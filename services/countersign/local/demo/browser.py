"""A browser that walks a challenge by itself: it keeps cookies, and follows where it is sent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp

_MOST_STEPS: Final = 10
_REDIRECTS: Final = range(300, 400)
_PATIENCE: Final = aiohttp.ClientTimeout(total=30)


class Arrival(NamedTuple):
    """Where a walk ended.

    Attributes:
        code: the one-time return code, if it led back to the relying party.
        status: the last page's HTTP status.
        title: the last page's title.
    """

    code: str | None
    status: int
    title: str


class Browser:
    """A browser with a session of its own.

    Args:
        session: keeps the cookies.
        home: the relying party's return URL, where a walk ends.
    """

    def __init__(self, session: aiohttp.ClientSession, home: str) -> None:
        self._session = session
        self._home = home

    async def walk(self, url: str) -> Arrival:
        """Open an address, and go on until there is a page, or the relying party is reached."""
        for _ in range(_MOST_STEPS):
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    found = re.search("<title>(.*?)</title>", await response.text(), re.DOTALL)
                    title = unescape(found[1]).strip() if found else ""
                    return Arrival(None, response.status, title)
                url = urljoin(url, response.headers["location"])
            if url.startswith(f"{self._home}?"):
                (code,) = parse_qs(urlsplit(url).query)["mfa_code"]
                return Arrival(code, response.status, "")
        message = f"a browser was sent on more than {_MOST_STEPS} times"
        raise AssertionError(message)


@asynccontextmanager
async def a_browser(home: str) -> AsyncIterator[Browser]:
    """Return a browser without cookies; it is closed with the context."""
    jar = aiohttp.CookieJar(unsafe=True)  # the loopback interface has a number for a name
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=_PATIENCE) as session:
        yield Browser(session, home)
