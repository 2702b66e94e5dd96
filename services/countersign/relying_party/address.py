"""Where browsers reach this application, and what follows from it.

Law: cookies go over the wire in the clear only on this very machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The application's address.

    Attributes:
        origin: scheme, host and port, as browsers say them in `Origin`.
        secure: browsers come over TLS.
    """

    origin: str
    secure: bool

    @property
    def return_url(self) -> str:
        """Where a browser goes after its challenge; the tenant's `return_urls` must list it."""
        return f"{self.origin}/return"


def read_address(base_url: str) -> Address:
    """Return the address that a base URL names.

    Raises:
        ValueError: it is no origin, or is http beyond this machine; the text says what to write.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        message = "is no address of a site; write it like https://shop.example.com"
        raise ValueError(message)
    if parts.path.rstrip("/") or parts.query or parts.fragment:
        message = "has a path; give the site's root, since the cookies belong to the whole host"
        raise ValueError(message)
    if parts.scheme == "http" and host not in _LOOPBACK:
        message = "is http beyond this machine, where sessions could be read on the way; use https"
        raise ValueError(message)
    # As a browser writes it: lower case, and no port where it is the scheme's own.
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in {None, usual} else f":{parts.port}"
    return Address(origin=f"{parts.scheme}://{host}{port}", secure=parts.scheme == "https")
