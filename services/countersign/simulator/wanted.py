"""What a client asks the prompt for, read from its signed request and checked as Duo checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from countersign.simulator.errors import InvalidRequestError

LONGEST_REDIRECT_URI: Final = 256
SHORTEST_STATE: Final = 16
LONGEST_STATE: Final = 1024
_LONGEST_USERNAME: Final = 1024
# RFC 3986, section 2, without the fragment, which RFC 6749, section 3.1.2, rules out.
_URL: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt, as a client wants it.

    Attributes:
        client_id: who wants it.
        redirect_uri: where the browser goes afterwards.
        state: goes back with the browser.
        username: Duo's name of the user, exactly as given.
        nonce: goes into the token; None: none was given.
        code_name: what the code is called in the browser's address.
    """

    client_id: str
    redirect_uri: str
    state: str
    username: str
    nonce: str | None
    code_name: str

    @property
    def origin(self) -> str:
        """Where the browser goes afterwards, for people."""
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}"

    def address(self, **answer: str) -> str:
        """Return the browser's way back, with the answer and the state in its query."""
        parts = urlsplit(self.redirect_uri)
        added = urlencode({**answer, "state": self.state})
        query = f"{parts.query}&{added}" if parts.query else added
        return urlunsplit(parts._replace(query=query))


def read_wanted(claims: Mapping[str, Any], given: Mapping[str, str]) -> Wanted:
    """Return what a client wants.

    Args:
        claims: what it signed.
        given: the query, which isn't signed.

    Raises:
        InvalidRequestError: Duo wouldn't take it.
    """
    if claims.get("response_type") != "code" or given.get("response_type", "code") != "code":
        raise _refused(name="response_type", problem="is not code")
    if claims.get("scope", "openid") != "openid":
        raise _refused(name="scope", problem="is not openid")
    by_duo_code = claims.get("use_duo_code_attribute", True)
    if not isinstance(by_duo_code, bool):
        raise _refused(name="use_duo_code_attribute", problem="is neither true nor false")
    redirect_uri = _text(claims, "redirect_uri", 1, LONGEST_REDIRECT_URI)
    if not _is_web_address(redirect_uri):
        raise _refused(name="redirect_uri", problem="is no address of the web without a fragment")
    # Duo takes the nonce of the query, which nobody signed, before the one in the token.
    source: Mapping[str, Any] = given if "nonce" in given else claims
    nonce = source.get("nonce")
    return Wanted(
        client_id=given["client_id"],
        redirect_uri=redirect_uri,
        state=_text(claims, "state", SHORTEST_STATE, LONGEST_STATE),
        username=_text(claims, "duo_uname", 1, _LONGEST_USERNAME),
        nonce=None if nonce is None else _text(source, "nonce", SHORTEST_STATE, LONGEST_STATE),
        code_name="duo_code" if by_duo_code else "code",
    )


def _text(claims: Mapping[str, Any], name: str, least: int, most: int) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not least <= len(value) <= most or not value.strip():
        raise _refused(name=name, problem=f"is no text of {least} to {most} characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # JSON can hold half a character
        raise _refused(name=name, problem="holds what is no character") from error
    return value


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # reading it checks it
    except ValueError:
        return False
    return (
        _URL.fullmatch(text) is not None
        and parts.scheme in {"https", "http"}
        and bool(parts.hostname)
    )


def _refused(*, name: str, problem: str) -> InvalidRequestError:
    return InvalidRequestError(f"{name} {problem}.")
