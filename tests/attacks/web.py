"""Browsers over real TLS, who keep cookies and go nowhere by themselves; all that they see is kept."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from html import unescape
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx

from countersign.challenger.answers import Page
from countersign.challenger.catalogs import load_catalogs

_COOKIE: Final = "__Host-countersign-visit-"
_PAGES: Final = {words.title: page for page, words in load_catalogs()["en"].pages.items()}


class Seen(NamedTuple):
    """An answer that a browser got.

    Attributes:
        status: its HTTP status.
        page: which page; None where it leads elsewhere.
        text: its body.
        headers: its headers, names in small letters.
        location: where it leads; empty where nowhere.
    """

    status: int
    page: Page | None
    text: str
    headers: Mapping[str, str]
    location: str

    @property
    def return_code(self) -> str:
        """The one-time return code that it leads back to the relying party with."""
        (code,) = parse_qs(urlsplit(self.location).query)["mfa_code"]
        return code

    def told(self) -> str:
        """Return what the answer says, without what only this browser is to know."""
        closed = {"location", "set-cookie"}
        headers = {name: value for name, value in self.headers.items() if name not in closed}
        return f"{self.text}{headers!r}"


class Browser:
    """A browser that knows the challengers by their ports.

    Args:
        trust: the authorities that it trusts.
        ports: the challengers' ports; a balancer sends it to the first, unless told otherwise.
        album: where all that browsers see is kept.
    """

    def __init__(self, trust: ssl.SSLContext, ports: tuple[int, ...], album: list[Seen]) -> None:
        self._http = httpx.AsyncClient(
            verify=trust, trust_env=False, follow_redirects=False, timeout=30
        )
        self._ports = ports
        self._album = album

    async def close(self) -> None:
        """Close it."""
        await self._http.aclose()

    async def ask(
        self,
        path: str,
        query: str = "",
        *,
        challenger: int = 0,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> Seen:
        """Ask a challenger for a path; the query goes out as it stands."""
        address = f"https://localhost:{self._ports[challenger]}{path}"
        url = httpx.URL(f"{address}?{query}" if query else address)
        answer = await self._http.request(method, url, headers=headers)
        title = re.search("<title>(.*?)</title>", answer.text)
        seen = Seen(
            answer.status_code,
            _PAGES[unescape(title[1])] if title else None,
            answer.text,
            dict(answer.headers),
            answer.headers.get("location", ""),
        )
        self._album.append(seen)
        return seen

    @property
    def cookies(self) -> dict[str, str]:
        """The visits' cookies: values by visit."""
        return {
            name.removeprefix(_COOKIE): value
            for name, value in self._http.cookies.items()
            if name.startswith(_COOKIE)
        }

    def plant(self, visit: str, value: str, *, prefix: str = _COOKIE) -> None:
        """Set a cookie by hand, as malware in the browser could."""
        self._http.cookies.set(f"{prefix}{visit}", value, domain="localhost.local", path="/")
