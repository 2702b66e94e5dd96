"""What faults make of requests: nothing for a while, nothing at all, or another answer than Duo's.

Law: a fault that strikes in place of an answer leaves codes and assertions as they were, `used_code` apart.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from litestar import MediaType, Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send

from countersign.simulator.connections import Connection, connection_of, gone
from countersign.simulator.errors import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
)
from countersign.simulator.fault import Endpoint, Fault, Moment, Visitor
from countersign.simulator.faults import Faults
from countersign.simulator.pages import Pages
from countersign.simulator.parameters import Incoming
from countersign.simulator.refusals import refusal

ELSEWHERE: Final = "https://elsewhere.invalid/"
"""Where `redirect` leads; nobody can be there (RFC 2606, section 2)."""
HUGE: Final = 2 * 1024 * 1024
"""Bytes of a `huge` answer, and a few more."""
_LONGEST_HANG: Final = 600.0
_TOO_MANY: Final = 42901
"""Duo's code of a call too many."""
_GATEWAY: Final = (
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)
_HTML: Final = "<!doctype html><title>Hello</title><p>This is a page, and nobody asked for one.</p>"


class Misbehaviour:
    """Lets the faults in force strike.

    Args:
        faults: what is in force.
        pages: show a person what is wrong.
        clock: tells the time.
        spend: makes a code worthless.
    """

    def __init__(
        self,
        faults: Faults,
        pages: Pages,
        *,
        clock: Callable[[], datetime],
        spend: Callable[[str], None],
    ) -> None:
        self._faults = faults
        self._pages = pages
        self._clock = clock
        self._spend = spend
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Let go of every request that is held up."""
        self._stopped.set()

    async def instead(
        self, request: Incoming, visitor: Visitor, *, code: str = ""
    ) -> Response[Any] | None:
        """Hold a request up, and return what it hears in place of an answer; None: it is answered.

        Args:
            request: the request.
            visitor: whose it is.
            code: the code that it would exchange.
        """
        slow = self._faults.strike(Moment.DELAY, visitor)
        if slow is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), slow.seconds)
        struck = self._faults.strike(Moment.ANSWER, visitor)
        if struck is None:
            return None
        if struck.fault is Fault.HANG:
            await self._hang(request)
            return Response({"error": "temporarily_unavailable"}, status_code=503)
        if struck.fault is Fault.RESET:
            connection_of(request).reset()
            await gone(request)
            return Response(None, status_code=503)  # to nobody
        if struck.fault is Fault.TRUNCATED:
            return _Truncated(self._healthy(), connection_of(request))
        if struck.fault is Fault.USED_CODE:
            self._spend(code)
        return self._answer(struck.fault, visitor.endpoint)

    def skew(self, visitor: Visitor) -> timedelta:
        """Return by how much the clock differs that a request is judged by."""
        struck = self._faults.strike(Moment.CLOCK, visitor)
        return timedelta(seconds=(struck and struck.seconds) or 0.0)

    def signing(self, visitor: Visitor) -> Fault | None:
        """Return what is wrong with the token that a request gets; None: nothing."""
        struck = self._faults.strike(Moment.SIGNING, visitor)
        return None if struck is None else struck.fault

    async def _hang(self, request: Incoming) -> None:
        waits = [asyncio.create_task(gone(request)), asyncio.create_task(_waits(self._stopped))]
        try:
            await asyncio.wait(waits, timeout=_LONGEST_HANG, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _answer(self, fault: Fault, endpoint: Endpoint) -> Response[Any]:
        refused = _REFUSALS.get(fault)
        if refused is not None:
            timestamp = int(self._clock().timestamp())
            return refusal(endpoint, refused, self._pages, timestamp=timestamp)
        if fault is Fault.RATE_LIMITED:
            said = {"stat": "FAIL", "code": _TOO_MANY, "message": "Too Many Requests"}
            return Response(said, status_code=429)
        if fault is Fault.SERVER_ERROR:
            return Response(self._healthy(), status_code=500)
        if fault is Fault.BAD_GATEWAY:
            return Response(_GATEWAY, status_code=502, media_type=MediaType.HTML)
        if fault is Fault.HTML:
            return Response(_HTML, status_code=200, media_type=MediaType.HTML)
        if fault is Fault.HUGE:
            return Response({**self._healthy(), "padding": "x" * HUGE}, status_code=200)
        if fault is Fault.REDIRECT:
            return Response(None, status_code=302, headers={"location": ELSEWHERE})
        if fault is Fault.NOT_JSON:
            return Response(b'{"stat": OK', status_code=200, media_type=MediaType.JSON)
        reason = f"{fault} is no answer"
        raise ValueError(reason)

    def _healthy(self) -> dict[str, Any]:
        return {"stat": "OK", "response": {"timestamp": int(self._clock().timestamp())}}


_REFUSALS: Final = {
    Fault.BAD_REQUEST: InvalidRequestError("A required parameter is missing."),
    Fault.INVALID_CLIENT: InvalidClientError("The provided client assertion was invalid."),
    Fault.USED_CODE: InvalidGrantError("The code is unknown, used or expired."),
}


async def _waits(event: asyncio.Event) -> None:
    await event.wait()


class _Truncated(Response[dict[str, Any]]):
    """An answer that promises more than is sent before the connection ends."""

    def __init__(self, content: dict[str, Any], connection: Connection) -> None:
        super().__init__(content, status_code=200)
        self._connection = connection

    def to_asgi_response(self, *given: Any, **named: Any) -> ASGIResponse:  # noqa: ANN401  # litestar's own
        """Return the half of it."""
        whole = super().to_asgi_response(*given, **named)
        return _Half(self._connection, whole.body)


class _Half(ASGIResponse):
    def __init__(self, connection: Connection, whole: bytes) -> None:
        super().__init__(body=whole, media_type=MediaType.JSON)
        self._connection = connection

    async def send_body(self, send: Send, receive: Receive) -> None:
        half = self.body[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        self._connection.close()
        while (await receive())["type"] != "http.disconnect":
            pass
