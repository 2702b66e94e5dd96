"""The application's outside: its addresses, and who may use them.

Law: only this site's own forms change anything here, and every response has the safe headers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from countersign.relying_party.address import read_address
from countersign.relying_party.cookies import Cookies
from countersign.relying_party.pages import Pages
from countersign.relying_party.routes import ROUTES, Site
from countersign.relying_party.shop import Client, Shop
from countersign.web.headers import safe_headers, with_headers

if TYPE_CHECKING:
    from litestar.types import ASGIApp

_LARGEST_FORM: Final = 16 * 1024
# Browsers hold the redirect that answers a form against `form-action`, too, and a sign-in redirects to
# the challenge, which lives at another site.
_FORMS: Final = "'self' https: http://localhost:* http://127.0.0.1:*"
_SERVER_ERROR: Final = 500
_TOLD: Final = {
    403: ("Not from this page", "That form was not sent by this site, so nothing was done."),
    404: ("Not found", "There is nothing at this address."),
    413: ("Too much", "That was more than this site takes."),
}

_logger = logging.getLogger(__name__)


def create_app(
    client: Client,
    *,
    base_url: str,
    client_id: str,
    clock: Callable[[], datetime],
    token: Callable[[], str],
) -> ASGIApp:
    """Return the sample relying party, as an ASGI application.

    Args:
        client: an open `CountersignClient`.
        base_url: where browsers reach it, such as `https://shop.example.com`; http only on this machine.
            The tenant's `return_urls` must list its `/return`.
        client_id: what the tenant knows it by.
        clock: the time; aware.
        token: makes ids that can't be guessed, of at least 128 bits in base64url.

    Raises:
        ValueError: the base URL can't be used.
    """
    address = read_address(base_url)
    pages = Pages()
    site = Site(
        shop=Shop(client, address, client_id=client_id, clock=clock, token=token),
        address=address,
        cookies=Cookies(secure=address.secure),
        pages=pages,
    )

    def failed(_: Request[Any, Any, Any], error: Exception) -> Response[str]:
        status = error.status_code if isinstance(error, HTTPException) else _SERVER_ERROR
        if status >= _SERVER_ERROR:
            # Without its text, which may quote what the browser sent.
            _logger.error("a request failed: %s", type(error).__name__)
            return pages.told(status, "Something went wrong", "You may try again.")
        title, text = _TOLD.get(status, ("Not understood", "This site can't take that request."))
        return pages.told(status, title, text)

    app = Litestar(
        ROUTES,
        state=State({"site": site}),
        exception_handlers={Exception: failed},
        request_max_body_size=_LARGEST_FORM,
        openapi_config=None,
    )
    return with_headers(app, safe_headers(secure=address.secure, forms=_FORMS))
