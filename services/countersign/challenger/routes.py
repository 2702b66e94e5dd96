"""The addresses that browsers reach, and how answers are sent: statuses, headers, cookies.

Law 9: neither a log nor a metric gets an address, a query or a cookie from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import structlog
from litestar import Litestar, Request, Response, get, route
from litestar.datastructures import Cookie as SetCookie
from litestar.exceptions import HTTPException, MethodNotAllowedException

from countersign.challenger.answers import Answer, Cookie, Cookies, Page, Send, Show
from countersign.challenger.callbacks import Callbacks
from countersign.challenger.metrics import Metrics
from countersign.challenger.pages import RETRY_AFTER, WORDS, Pages, style
from countersign.challenger.parameters import read_callback
from countersign.challenger.visits import Visits
from countersign.core.errors import UnavailableError
from countersign.core.identity import CHALLENGE_ID
from countersign.logs import where_it_failed
from countersign.web.headers import safe_headers, with_headers

if TYPE_CHECKING:
    from litestar.types import ASGIApp

log = structlog.get_logger(__name__)

_COOKIE: Final = "countersign-visit-"
_PREFIX: Final = "__Host-"
"""A browser takes such a cookie from this very host only, and only over TLS (RFC 6265bis, 4.1.3.2)."""
_MOST_COOKIES: Final = 20
"""Visits that a browser may be on at a time; each has a cookie of about 100 bytes."""
_SEE_OTHER: Final = 303
_STATUS_PAGES: Final = {404: Page.NO_SUCH_PAGE, 405: Page.WRONG_METHOD}
# Where a route has no OPTIONS, Litestar answers it with a yes.
_METHODS: Final = ("GET", "OPTIONS")
_HTML: Final = "text/html"
"""Litestar says the charset itself."""

_Request = Request[Any, Any, Any]
_Response = Response[bytes]


class _Routes:
    """The routes' handlers."""

    def __init__(
        self, visits: Visits, callbacks: Callbacks, metrics: Metrics, *, public_url: str
    ) -> None:
        address = urlsplit(public_url)
        self.base = address.path
        self.secure = address.scheme == "https"
        self._cookie = f"{_PREFIX if self.secure else ''}{_COOKIE}"
        self._visits = visits
        self._callbacks = callbacks
        self._metrics = metrics
        self._pages = Pages(self.base)
        self._style = style()

    def handlers(self) -> list[Any]:
        """Return what Litestar is given."""

        @route(f"{self.base}/c/{{challenge_id:str}}", http_method=_METHODS)
        async def visit(request: _Request) -> _Response:
            _only_get(request)
            challenge_id = str(request.path_params["challenge_id"])
            if not CHALLENGE_ID.fullmatch(challenge_id):
                return self._sent("visit", Show(Page.UNKNOWN))
            try:
                answer = await self._visits.answer(challenge_id, self._cookies(request))
            except UnavailableError as error:
                answer = self._not_now(error)
            return self._tidied(request, self._sent("visit", answer))

        @route(f"{self.base}/callback", http_method=_METHODS)
        async def callback(request: _Request) -> _Response:
            _only_get(request)
            back = read_callback(request.scope["query_string"])
            if back is None:
                return self._sent("callback", Show(Page.BAD_REQUEST))
            try:
                answer = await self._callbacks.answer(back, self._cookies(request))
            except UnavailableError as error:
                answer = self._not_now(error)
            return self._sent("callback", answer)

        @get(f"{self.base}/style.css", cache_control=None)
        async def stylesheet() -> _Response:
            headers = {"cache-control": "public, max-age=3600"}
            return Response(self._style, media_type="text/css", headers=headers)

        return [visit, callback, stylesheet]

    def failed(self, _: _Request, error: Exception) -> _Response:
        """Answer a request that no handler answered."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        page = _STATUS_PAGES.get(status, Page.BAD_REQUEST if status < 500 else Page.BROKEN)  # noqa: PLR2004  # 5xx
        if page is Page.BROKEN:
            # Not the error's own words, which may quote what a browser sent.
            log.error("unexpected", error=type(error).__name__, where=where_it_failed(error))
        response = self._sent("other", Show(page))
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        if page is Page.WRONG_METHOD:
            # Litestar would also name OPTIONS, which these routes refuse (RFC 9110, section 15.5.6).
            response.headers["allow"] = "GET"
        return response

    def _not_now(self, error: UnavailableError) -> Answer:
        log.warning("not_now", reason=str(error))
        return Show(Page.NOT_NOW)

    def _cookies(self, request: _Request) -> Cookies:
        length = len(self._cookie)
        return Cookies(
            {
                name[length:]: value
                for name, value in request.cookies.items()
                if name.startswith(self._cookie)
            }
        )

    def _sent(self, step: str, answer: Answer) -> _Response:
        if isinstance(answer, Send):
            where = "prompt" if answer.cookie is not None else "return"
            self._metrics.answers.labels(step, where).inc()
            cookies = [self._set(answer.cookie)] if answer.cookie is not None else []
            return Response(
                b"",
                status_code=_SEE_OTHER,
                media_type=_HTML,
                headers={"location": answer.to},
                cookies=cookies,
            )
        self._metrics.answers.labels(step, answer.page.value).inc()
        headers = {}
        if seconds := RETRY_AFTER.get(answer.page):
            headers["retry-after"] = str(seconds)
        return Response(
            self._pages.render(answer),
            status_code=WORDS[answer.page].status,
            media_type=_HTML,
            headers=headers,
        )

    def _tidied(self, request: _Request, response: _Response) -> _Response:
        """Take a browser's cookies of earlier visits away once there are many: headers have limits."""
        earlier = [name for name in request.cookies if name.startswith(self._cookie)]
        if len(earlier) >= _MOST_COOKIES:
            for name in earlier:
                response.set_cookie(self._set(Cookie(name[len(self._cookie) :], "", 0)))
        return response

    def _set(self, cookie: Cookie) -> SetCookie:
        return SetCookie(
            key=f"{self._cookie}{cookie.visit}",
            value=cookie.value,
            max_age=cookie.seconds,
            path="/",
            secure=self.secure,
            httponly=True,
            # Lax: Duo's redirect back is a navigation from another site, and has to bring it along.
            samesite="lax",
        )


def _only_get(request: _Request) -> None:
    if request.method != "GET":
        raise MethodNotAllowedException(headers={"allow": "GET"})


def create_app(
    visits: Visits, callbacks: Callbacks, metrics: Metrics, *, public_url: str
) -> ASGIApp:
    """Return the application that browsers reach.

    Args:
        visits: answers browsers with a challenge's link.
        callbacks: answers browsers that come back from Duo.
        metrics: count the answers.
        public_url: where browsers reach it; its path is in front of every address here.
    """
    routes = _Routes(visits, callbacks, metrics, public_url=public_url)
    app = Litestar(
        routes.handlers(),
        openapi_config=None,
        logging_config=None,
        exception_handlers={Exception: routes.failed},
    )
    return with_headers(app, safe_headers(secure=routes.secure))
