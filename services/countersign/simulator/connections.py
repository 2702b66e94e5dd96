"""Lets the simulator cut the connection under a request, for which ASGI has no word.

A server that can offers it as an ASGI extension; under another server the faults that need it say so.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Final

from litestar.exceptions import InternalServerException

from countersign.simulator.parameters import Incoming
from countersign.web.protocol import SafeProtocol

EXTENSION: Final = "countersign.connection"
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER for no time: what isn't sent is dropped, and the peer is told by a reset (socket(7))."""


class Connection:
    """A connection that can be ended.

    Args:
        transport: the server's end of it.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        """End it with a reset, at once."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()

    def close(self) -> None:
        """End it once what was written is sent."""
        self._transport.close()


class CuttableProtocol(SafeProtocol):
    """Uvicorn's HTTP/1.1, whose application may end the connection that a request came by."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Offer the connection to the application."""
        super().connection_made(transport)
        application, offered = self.app, {EXTENSION: {"connection": Connection(transport)}}

        async def offering(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's own
            extensions = {**(scope.get("extensions") or {}), **offered}
            await application({**scope, "extensions": extensions}, receive, send)

        self.app = offering


def connection_of(request: Incoming) -> Connection:
    """Return the connection that a request came by.

    Raises:
        InternalServerException: this server can't cut connections.
    """
    extensions = request.scope.get("extensions") or {}
    found = extensions.get(EXTENSION, {}).get("connection")
    if not isinstance(found, Connection):
        reason = "This server can't cut connections."
        raise InternalServerException(reason)
    return found


async def gone(request: Incoming) -> None:
    """Return when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
