"""TLS connections that keep a deadline; law: no wait for bytes outlives the whole call's end.

A read timeout alone is defeated by a peer that sends a byte now and then, in headers or body.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from requests import PreparedRequest

_ends: ContextVar[float] = ContextVar("end of the call to Duo")
_POOLED_HOSTS: Final = 64


@contextmanager
def call_of(seconds: float) -> Iterator[None]:
    """Bound every read of this thread's connections within the context by one deadline."""
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


class TimedSocket(ssl.SSLSocket):
    """A TLS connection that reads only until the call's end.

    Writes need no such care: a request is small enough for the kernel to take it whole.
    """

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        """Read as `socket.recv_into` does.

        Raises:
            TimeoutError: the call's end is there.
        """
        left = _ends.get() - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)
        return super().recv_into(buffer, nbytes, flags)


class PinnedAdapter(HTTPAdapter):
    """Pools connections that trust the authorities of one file, and nobody else's.

    Args:
        ca_file: certificates of the authorities, PEM.
        connections: so many are kept for each host.
    """

    def __init__(self, ca_file: Path, *, connections: int) -> None:
        # Made by hand, as `create_default_context` would write keys to a file that the environment names.
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.load_verify_locations(ca_file)
        self._context.sslsocket_class = TimedSocket
        super().__init__(pool_connections=_POOLED_HOSTS, pool_maxsize=connections)

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: object, cert: object = None
    ) -> tuple[Any, Any]:
        """Return what names a pool: the host, and always the pinned context."""
        del verify, cert
        host, _ = super().build_connection_pool_key_attributes(request, verify=True)
        return host, {"ssl_context": self._context}

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Leave the context alone: `requests` would add its own authorities to the pinned ones."""
