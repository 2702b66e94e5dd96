"""Refuses what a page of another site makes a browser send: such a page could script users and break Duo.

A form can be posted to any address from any page, and needs no leave for it (a "simple" request of
CORS). No cookie is involved, so there is no session to bind a token to; what is left is what the browser says
of itself, and no page can change: `Sec-Fetch-Site`, and `Origin` where the browser is too old for the first.
A page on another port of localhost is another origin, and is refused as well. A name of somebody else's that
leads to the loopback interface (DNS rebinding) would make its page one of ours, so a browser has to
call us by a name of our own. What comes from no browser (curl, a test) carries neither header, and passes.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_OURS: Final = frozenset({"same-origin", "none"})
"""`none`: the person did it, and no page."""


def same_site(api_host: str) -> Guard:
    """Return a guard that refuses other sites' pages.

    Args:
        api_host: host and port that clients know us by; a browser may, too.
    """
    names = _LOCAL | {urlsplit(f"//{api_host}").hostname}

    def guard(
        connection: ASGIConnection[object, object, object, State], _: BaseRouteHandler
    ) -> None:
        sent = connection.headers
        site, origin, host = (sent.get(each) for each in ("sec-fetch-site", "origin", "host"))
        if site is None and origin is None:
            return
        if _name(host) not in names:
            reason = "A browser must call the simulator by its own name."
            raise PermissionDeniedException(reason)
        own = f"{connection.scope['scheme']}://{host}"
        if site not in _OURS and (site is not None or origin != own):
            reason = "This was sent by a page of another site."
            raise PermissionDeniedException(reason)

    return guard


def _name(host: str | None) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
