"""Where a browser may be sent after a challenge: a tenant lists addresses, and nothing else is one.

A listed address is compared character by character (RFC 9700, section 2.1). One that ends in `/*` stands
for an exact origin and the beginning of a path; what follows has to be plain, so that no reading of it by
a browser or a server leads out of that beginning.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final
from unicodedata import category, normalize
from urllib.parse import unquote_plus, unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ANY_BELOW: Final = "/*"

# RFC 3986, section 2: what a URL is written with. A browser reads a backslash as a slash, for one.
_URL_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# RFC 3986, section 3.3, without the semicolon: some servers cut a segment there, and then climb at "..;".
_SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=@:-]|%[0-9A-Fa-f]{2})*")
# What ends or climbs a segment, or ends the path, for one reader or another.
_MARKS: Final = "./\\;?#"
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# A browser reads a host whose last label is a number as an IPv4 address, however it is written.
_NUMBER: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)")
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
        ("*" in url, "has an asterisk elsewhere than in /* at its end"),
        (not _is_host(host or ""), "has a host that is no plain name or IP address"),
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
    """Say whether a path means the same to everybody: no dots that climb, nothing hidden in escapes.

    Some readers undo escapes twice, take letters that look alike for the same, or drop white space. So
    what stands there once all that is done has to be built like what is written.
    """
    if not all(_SEGMENT.fullmatch(one) for one in path.split("/")):
        return False
    try:
        read = normalize("NFKC", unquote_to_bytes(path).decode())
    except UnicodeDecodeError:  # overlong forms too, which some readers take (RFC 3629, section 10)
        return False
    *segments, last = read.split("/")[1:]
    return (
        "%" not in read
        and all(read.count(mark) == path.count(mark) for mark in _MARKS)
        and not any(one.isspace() or category(one).startswith("C") for one in read)
        and not {"", ".", ".."} & {*segments}
        and last not in {".", ".."}
    )


def _is_host(host: str) -> bool:
    try:
        if ":" in host:
            return "%" not in host and bool(IPv6Address(host))
        if _NUMBER.fullmatch(host):
            return bool(IPv4Address(host))
    except AddressValueError:
        return False
    return _NAME.fullmatch(host) is not None


def _names_code(query: str) -> bool:
    return any(
        _CODE in _readings(part.partition("=")[0]) for part in re.split("[&;]", query) if part
    )


def _readings(name: str) -> Iterator[str]:
    """Return a parameter's name as one relying party or another will read it."""
    for decoded in (once := unquote_plus(name), unquote_plus(once)):
        # Without regard to case, as ASP.NET; and as PHP, which cuts at a null, takes what follows a
        # bracket for an index, and makes one that isn't closed, a space or a dot an underscore.
        plain = normalize("NFKC", decoded).casefold().partition("\0")[0].strip()
        parts = plain.replace(" ", "_").replace(".", "_").split("[")
        yield from ("_".join(parts[:count]) for count in range(1, len(parts) + 1))
