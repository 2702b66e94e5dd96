"""HTTP as uvicorn speaks it, with safe headers on what the application never hears of, too."""

from __future__ import annotations

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from countersign.web.headers import safe_headers


class SafeProtocol(H11Protocol):
    """Uvicorn's protocol, with safe headers where it refuses what the application never hears of."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or too much of it."""
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"connection", b"close"),
            *safe_headers(secure=self.scheme == "https"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=msg.encode("ascii")),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
