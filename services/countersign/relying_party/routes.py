"""The addresses that a browser asks for, and the pages that it gets.

Law: the URL gives a code and nothing else; who signs in, and which login it is, stands in the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

from litestar import MediaType, Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from countersign.client import BusUnavailableError, InvalidEventError, LoginDecision
from countersign.relying_party.address import Address
from countersign.relying_party.cookies import Cookies
from countersign.relying_party.login import problem_with
from countersign.relying_party.pages import Pages
from countersign.relying_party.sessions import Session
from countersign.relying_party.shop import UNANSWERED, Shop

Connected = ASGIConnection[Any, Any, Any, Any]
Asked = Request[Any, Any, Any]

_LONGEST_CODE: Final = 256
"""Characters; what `login.returned` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every address uses; the application's state holds it."""

    shop: Shop
    address: Address
    cookies: Cookies
    pages: Pages

    def session(self, request: Asked) -> Session | None:
        """Return this browser's own session."""
        return self.shop.sessions.find(self.cookies.session(request.cookies))


def from_this_site(connection: Connected, _: BaseRouteHandler) -> None:
    """Refuse forms of other sites (OWASP's Fetch Metadata policy, with `Origin` for older browsers).

    Our pages send no referrer, and browsers then send `Origin: null` with our own forms, so that header
    decides only where the other is missing.

    Raises:
        PermissionDeniedException: the form is not known to be ours.
    """
    site = _site(connection)
    sent_by = connection.headers.get("sec-fetch-site")
    ours = (
        sent_by == "same-origin"
        if sent_by is not None
        else connection.headers.get("origin") == site.address.origin
    )
    if not ours:
        raise PermissionDeniedException


@get("/health", media_type=MediaType.TEXT)
async def health() -> str:
    """Say that the process lives."""
    return "ok\n"


@get("/style.css")
async def style(request: Asked) -> Response[str]:
    """Return the stylesheet."""
    site = _site(request)
    return site.pages.style()


@get("/")
async def home(request: Asked) -> Response[str]:
    """Return who is signed in, or the form to sign in."""
    site = _site(request)
    session = site.session(request)
    if session is None or session.answer is None or not session.signed_in:
        return site.pages.sign_in()
    return site.pages.signed_in(session, session.answer)


@post("/sign-in", guards=[from_this_site])
async def sign_in(request: Asked) -> Response[str]:
    """Sign in; whatever comes of it, this browser has a new session."""
    site = _site(request)
    # Spaces at the ends are a slip of the keyboard, not another user.
    names = _values(await request.body(), "name")
    name = names[0].strip() if len(names) == 1 else ""
    if problem := problem_with(name):
        return site.pages.sign_in(name=name, problem=problem)
    browser_id = site.cookies.browser(request.cookies) or site.shop.new_browser()
    before = site.cookies.session(request.cookies)
    session_id, session = await site.shop.sign_in(name, browser_id, before)
    cookies = [site.cookies.with_session(session_id), site.cookies.with_browser(browser_id)]
    answer = session.answer
    if isinstance(answer, LoginDecision) and answer.challenge_url and session.challenged:
        return _to(answer.challenge_url, *cookies)
    response = _standing(site, session)
    for cookie in cookies:
        response.set_cookie(cookie)
    return response


@get("/return")
async def come_back(request: Asked) -> Response[str]:
    """Take the browser back from its challenge."""
    site = _site(request)
    session = site.session(request)
    if session is None:
        return site.pages.told(
            400,
            "No sign-in began here",
            "This browser began no sign-in that this address could finish. If somebody sent you the"
            " link, don't use it: it would be for their sign-in, not yours.",
        )
    codes = _values(request.scope["query_string"], "mfa_code")
    if len(codes) > 1 or any(len(code) > _LONGEST_CODE for code in codes):
        return _not_understood(site)
    if session.challenged:
        if not any(codes):
            return site.pages.told(
                200,
                "Your sign-in is not finished",
                "The challenge ended before it was passed, so you are not signed in. Sign in again.",
            )
        try:
            await site.shop.complete(session, codes[0])
        except UNANSWERED:
            return site.pages.unchecked_return()
        except InvalidEventError:
            return _not_understood(site)
    return _standing(site, session)


@post("/sign-out", guards=[from_this_site])
async def sign_out(request: Asked) -> Response[str]:
    """End the session; the browser stays remembered."""
    site = _site(request)
    site.shop.sessions.end(site.cookies.session(request.cookies))
    return _to("/", site.cookies.without_session())


@post("/forget", guards=[from_this_site])
async def forget(request: Asked) -> Response[str]:
    """Have the user's remembered browsers forgotten."""
    site = _site(request)
    session = site.session(request)
    if session is None or not session.signed_in:
        return _to("/")
    try:
        await site.shop.forget(session)
    except BusUnavailableError:
        return site.pages.not_forgotten()
    return _to("/", site.cookies.without_browser())


ROUTES: Final = [health, style, home, sign_in, come_back, sign_out, forget]


def _site(connection: Connected) -> Site:
    site: Site = connection.app.state.site
    return site


def _standing(site: Site, session: Session) -> Response[str]:
    """Return where the session stands; nothing is asked."""
    answer = session.answer
    if answer is None:
        return site.pages.unchecked_sign_in(session.login.name)
    if answer.allowed:
        # A redirect, so that the code leaves the address bar and the history.
        return _to("/")
    if answer.denied:
        return site.pages.denied(answer)
    return site.pages.delegated(answer)


def _not_understood(site: Site) -> Response[str]:
    return site.pages.told(
        400, "Not understood", "That address is not one that a challenge sends a browser to."
    )


def _to(url: str, *cookies: Cookie) -> Response[str]:
    # See Other (RFC 9110, section 15.4.4): fetched with GET, and a reload sends no form again.
    return Response(
        "",
        status_code=303,
        headers={"location": url},
        cookies=list(cookies),
        media_type=MediaType.TEXT,
    )


def _values(pairs: bytes, name: str) -> list[str]:
    # By hand, since Litestar keeps what it parses in a cache, and a code has no place there.
    return parse_qs(pairs.decode("latin-1"), keep_blank_values=True).get(name, [])
