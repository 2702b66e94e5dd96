"""What a process setting has to be: checks of single values, and of values that belong together.

No text in here holds a value that could be secret.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Callable

HIDDEN: Final = "********"
"""Stands where a secret would stand."""

SETTINGS_KEY_BYTES: Final = 32
"""AES-256."""
MIN_IDENTIFIER_KEY_BYTES: Final = 32
MAX_IDENTIFIER_KEY_BYTES: Final = 64

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_BOOTSTRAP: Final = re.compile(
    r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?"
    r"(?:,(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?)*"
)
_HOST_PATTERN: Final = re.compile(r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,5})?")
_USER_INFO: Final = re.compile(r"(?<=://)[^/?#]*(?=@)")
_QUERY_SECRET: Final = re.compile(r"(?i)(?<=[?&]password=)[^&#]*")

GENERATE_KEY: Final = "Make one with: openssl rand -base64 32"


def flaw(*, problem: str, remedy: str) -> PydanticCustomError:
    """Return the error that says what is wrong with a value, and what to write instead."""
    # The sentences go in as context: pydantic would take braces in a template for names.
    return PydanticCustomError("countersign", "{problem}", {"problem": problem, "remedy": remedy})


def existing_file(path: Path) -> Path:
    """Return the path of a file that is there."""
    if not path.is_file():
        raise flaw(
            problem="names no file", remedy="Give the path of a file that this process can read"
        )
    return path


def bootstrap_servers(servers: str) -> str:
    """Return Kafka's bootstrap servers, without spaces."""
    servers = re.sub(r"\s", "", servers)
    if not _BOOTSTRAP.fullmatch(servers):
        raise flaw(
            problem="is no list of host:port",
            remedy="Give host:port, or several with commas between",
        )
    return servers


def host_patterns(hosts: str) -> str:
    """Return a list of host names, without spaces; each may begin with `*.`."""
    hosts = re.sub(r"\s", "", hosts)
    if not all(_HOST_PATTERN.fullmatch(host) for host in hosts.split(",")):
        raise flaw(
            problem="is no list of host names",
            remedy="Give names in small letters, as in *.duosecurity.com, with commas between",
        )
    return hosts


def proxy_networks(proxies: str) -> str:
    """Return a list of addresses and networks, without spaces, each in its one spelling."""
    everybody = flaw(problem="would trust everybody", remedy="Name the proxies, or leave it unset")
    networks = []
    for number, text in enumerate(re.sub(r"\s", "", proxies).split(","), 1):
        if text == "*":
            raise everybody
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            raise flaw(
                problem=f"entry {number} is no IP address and no network",
                remedy="Give the proxies' own addresses, or their networks without host bits, as in"
                " 10.0.0.7,10.1.0.0/16,2001:db8::/48",
            ) from None
        if network.prefixlen == 0:
            raise everybody
        networks.append(network)
    return ",".join(
        str(one.network_address) if one.num_addresses == 1 else str(one) for one in networks
    )


def public_base(url: str) -> str:
    """Return the base of public URLs, without a slash at its end."""
    remedy = "Give the address that browsers reach the challenger at, as in https://mfa.example.com"
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # reading it checks it
    except ValueError:
        raise flaw(problem="is not a URL", remedy=remedy) from None
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise flaw(problem="is not an absolute https URL", remedy=remedy)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise flaw(problem="is http, which only loopback addresses may be", remedy=remedy)
    if parts.username or parts.password or parts.query or parts.fragment or re.search(r"\s", url):
        raise flaw(problem="holds more than scheme, host, port and path", remedy=remedy)
    return url.rstrip("/")


def redis_address(url: str) -> str:
    """Return Redis' address, as it is."""
    remedy = "Give redis://host:port/db, rediss:// for TLS, or unix:///path"
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # reading it checks it
    except ValueError:
        raise flaw(problem="is not a URL", remedy=remedy) from None
    whole = bool(parts.path.strip("/")) if parts.scheme == "unix" else bool(parts.hostname)
    if parts.scheme not in {"redis", "rediss", "unix"} or not whole:
        raise flaw(problem="is not the address of a Redis server", remedy=remedy)
    return url


def masked_url(url: str) -> str:
    """Return the URL with the credentials in it hidden."""
    return _QUERY_SECRET.sub(HIDDEN, _USER_INFO.sub(HIDDEN, url))


def decoded(key: str) -> bytes:
    """Return the bytes of a key in base64.

    Raises:
        ValueError: it isn't base64.
    """
    try:
        return base64.b64decode("".join(key.split()), validate=True)
    except binascii.Error:
        raise ValueError from None  # its text might quote from the key


def key_text(least: int, most: int, *, several: bool = False) -> Callable[[SecretStr], SecretStr]:
    """Return a check of a key in base64 that has so many bytes; of several, with commas between."""

    def check(secret: SecretStr) -> SecretStr:
        text = secret.get_secret_value()
        for part in text.split(",") if several else [text]:
            try:
                size = len(decoded(part))
            except ValueError:
                raise flaw(problem="is not base64", remedy=GENERATE_KEY) from None
            if not least <= size <= most:
                due = f"{least}" if least == most else f"{least} to {most}"
                raise flaw(problem=f"has {size} bytes, {due} are due", remedy=GENERATE_KEY)
        return secret

    return check
