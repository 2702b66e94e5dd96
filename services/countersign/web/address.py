"""Where a request came from, for logs; what decides never asks.

Behind proxies that the operator named it is the last address that none of them has, else the peer's own.
"""

from __future__ import annotations

import ipaddress
from typing import Final

UNKNOWN: Final = "unknown"
"""Stands for whatever a proxy says that is no address."""


def address_of(client: tuple[str, int] | None) -> str:
    """Return the address of an ASGI scope's `client`, in its one spelling."""
    host = client[0] if client is not None else ""
    try:
        # What follows a percent sign names a link of the sender's, in letters of its choice.
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return UNKNOWN
    # A socket for both families says ::ffff:192.0.2.1.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
