"""Where a browser may be sent after a challenge: a tenant lists addresses, and nothing else is one.

A listed address is compared character by character (RFC 9700, section 2.1). One that ends in `/*` stands
for an exact origin and the beginning of a path; what follows has to be plain, so that no reading of it by
a browser or a server leads out of that beginning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

ANY_BELOW: Final = "/*"

# RFC 3986, section 2: what a URL is written with. A browser reads a backslash as a slash, for one.
_URL_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# RFC 3986, section 3.3, without the semicolon: some servers cut a segment there, and then climb at "..;".
_SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=@:-]|%[0-9A-Fa-f]{2})*")
_HIDDEN: Final = re.compile(r"%(?:2[EF5]|5C|7F|[01][0-9A-F])", re.IGNORECASE)
_CODE: Final = "mfa_code"


def flaw(listed: str) -> str | None:
    """Return why an address can't be listed; None where it can."""
    url = listed.removesuffix("*") if listed.endswith(ANY_BELOW) else listed
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # reading it checks it
    except ValueError:
        return "is not a URL"
    host, is_beginning = parts.hostname, url != listed
    flaws = (
        (
            not _URL_CHARACTERS.fullmatch(url),
            "holds a character that has to be percent-encoded in a URL",
        ),
        (not host or parts.scheme not in {"https", "http"}, "is not an absolute https URL"),
        (
            parts.scheme == "http" and host not in _LOOPBACK,
            "is http, which only loopback addresses may be",
        ),
        ("@" in parts.netloc, "holds a user name or password"),
        ("*" in parts.netloc, "has an asterisk in its host; only a path may end in one"),
        ("#" in url, "holds a fragment, which never reaches a server"),
        (
            is_beginning and ("?" in url or not _is_plain(parts.path)),
            "has /* after a query, or after a path that is not plain",
        ),
        (_names_code(parts.query), "holds mfa_code, which is what a browser brings back in it"),
    )
    return next((text for wrong, text in flaws if wrong), None)


def is_allowed(url: str | None, listed: Iterable[str]) -> bool:
    """Say whether a browser may be sent to the address.

    Args:
        url: the address; None is none.
        listed: the tenant's addresses, none of which has a flaw.
    """
    return url is not None and any(_covers(one, url) for one in listed)


def _covers(listed: str, url: str) -> bool:
    if not listed.endswith(ANY_BELOW):
        return url == listed
    # The beginning has an origin and a slash behind it, so no character of the rest can change the origin.
    beginning = listed.removesuffix("*")
    if not url.startswith(beginning) or "#" in url or not _URL_CHARACTERS.fullmatch(url):
        return False
    path, _, query = url.removeprefix(beginning).partition("?")
    return _is_plain(f"/{path}") and not _names_code(query)


def _is_plain(path: str) -> bool:
    """Say whether a path means the same to everybody: no dots that climb, nothing hidden in escapes."""
    segments = path.split("/")
    return (
        not _HIDDEN.search(path)
        and "//" not in path
        and all(_SEGMENT.fullmatch(one) and one not in {".", ".."} for one in segments)
    )


def _names_code(query: str) -> bool:
    # Decoded, as the relying party will read it.
    return any(name == _CODE for name, _ in parse_qsl(query, keep_blank_values=True))
