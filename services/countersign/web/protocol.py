"""HTTP as uvicorn speaks it, with safe headers on what the application never hears of, too.

Law: no connection waits without end for the rest of a request; uvicorn itself would.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from countersign.web.headers import safe_headers

WHOLE_WITHIN: Final = timedelta(seconds=10)
"""How long a request may take to come: a new connection's first from the connection on, another from
its first byte on. Between requests uvicorn's own, shorter limit counts."""
_HALF_SENT: Final = (h11.IDLE, h11.SEND_BODY)


class SafeProtocol(H11Protocol):
    """Uvicorn's protocol, with safe headers where it refuses what the application never hears of.

    Args:
        whole_within: how long a request may take to come.
        given: uvicorn's own arguments.
    """

    def __init__(
        self,
        *,
        whole_within: timedelta = WHOLE_WITHIN,
        **given: Any,  # noqa: ANN401  # uvicorn's own
    ) -> None:
        super().__init__(**given)
        self._whole_within = whole_within
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for a request, but not for ever."""
        super().connection_made(transport)
        self._await_the_rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Take what has come; if a request has begun and isn't whole, see that it becomes so."""
        super().handle_events()
        state = self.conn.their_state
        if state not in _HALF_SENT:
            self._wait_no_more()
        elif self._deadline is None and (state is h11.SEND_BODY or self.conn.trailing_data[0]):
            self._await_the_rest()

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

    def _await_the_rest(self) -> None:
        seconds = self._whole_within.total_seconds()
        self._deadline = self.loop.call_later(seconds, self._overdue)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _overdue(self) -> None:
        cycle = self.cycle
        answering = cycle is not None and cycle.response_started and not cycle.response_complete
        # An answer that has begun isn't cut off, and of what we don't read the client isn't guilty.
        if answering or self.flow.read_paused:
            self._await_the_rest()
        else:
            self.transport.close()
