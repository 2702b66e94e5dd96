"""The two cookies: which session this is, and which browser.

Law: no script reads them, no other site sends them along with a post, and over TLS no other host can
plant them (the `__Host-` prefix, RFC 6265bis).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from litestar.datastructures import Cookie

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{22,128}")
"""At least 128 bits, as `secrets.token_urlsafe` writes them."""
_LONGEST_AGE: Final = 400 * 24 * 3600
"""Seconds; browsers keep no cookie longer (RFC 6265bis, section 5.5)."""


class Cookies:
    """Reads and makes the cookies.

    Args:
        secure: browsers come over TLS.
    """

    def __init__(self, *, secure: bool) -> None:
        self._secure = secure
        prefix = "__Host-" if secure else ""
        self._session = f"{prefix}sample_session"
        self._browser = f"{prefix}sample_browser"

    def session(self, given: Mapping[str, str]) -> str | None:
        """Return the session's id; None where there is none."""
        return _token(given, self._session)

    def browser(self, given: Mapping[str, str]) -> str | None:
        """Return the browser's id; None where there is none."""
        return _token(given, self._browser)

    def with_session(self, session_id: str) -> Cookie:
        """Return the cookie of a session; it ends with the browser's own session."""
        return self._made(self._session, session_id, None)

    def without_session(self) -> Cookie:
        """Return what removes the session's cookie."""
        return self._made(self._session, "", 0)

    def with_browser(self, browser_id: str) -> Cookie:
        """Return the cookie of a browser; renewed at each sign-in, it stays as long as it may."""
        return self._made(self._browser, browser_id, _LONGEST_AGE)

    def without_browser(self) -> Cookie:
        """Return what removes the browser's cookie."""
        return self._made(self._browser, "", 0)

    def _made(self, name: str, value: str, max_age: int | None) -> Cookie:
        # `Lax`, since the browser comes back from the challenge by a link from another site.
        return Cookie(
            key=name,
            value=value,
            max_age=max_age,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )


def _token(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(name, "")
    return value if _TOKEN.fullmatch(value) else None
