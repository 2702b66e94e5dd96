"""The ways in which a Duo can misbehave, and the one error that each is; law: what is in doubt is refused."""

from __future__ import annotations

import asyncio
import gzip
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
)
from tests.duo_server import (
    HEALTHY,
    Authority,
    Behaviour,
    DuoServer,
    as_json,
    raw,
    reply,
    reset,
    reset_at_close,
    serving,
)

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BOMB = gzip.compress(bytes(96 * 2**20), 9)
HTML = b"<html><body>canary</body></html>"

FAULTS: dict[str, tuple[Behaviour, type[DuoError]]] = {
    "hangs before the headers": (raw(hang=True), DuoUnavailableError),
    "hangs in the headers": (raw(HEADERS, hang=True), DuoUnavailableError),
    "hangs in the body": (
        raw(HEADERS + b"Content-Length: 99\r\n\r\n{", hang=True),
        DuoUnavailableError,
    ),
    "trickles headers": (raw(*[b"X"] * 100, every=0.05), DuoUnavailableError),
    "trickles the body": (
        raw(HEADERS + b"Content-Length: 999\r\n\r\n", *[b" "] * 100, every=0.05),
        DuoUnavailableError,
    ),
    "resets": (reset, DuoUnavailableError),
    "hangs up": (raw(), DuoUnavailableError),
    "cuts the body short": (raw(HEADERS + b"Content-Length: 99\r\n\r\n{"), DuoUnavailableError),
    "500 in HTML": (reply(500, HTML), DuoUnavailableError),
    "502 in HTML": (reply(502, HTML), DuoUnavailableError),
    "500 that says it is well": (as_json(HEALTHY, status=500), DuoUnavailableError),
    "429": (as_json({"stat": "FAIL", "code": 42901}, status=429), DuoBusyError),
    "429 in HTML": (reply(429, HTML), DuoBusyError),
    "400 invalid_client": (
        as_json({"stat": "FAIL", "code": 40002, "message": "invalid_client"}, status=400),
        DuoRefusedError,
    ),
    "400 in HTML": (reply(400, HTML), DuoRefusedError),
    "404 that says it is well": (as_json(HEALTHY, status=404), DuoRefusedError),
    "200 that says FAIL": (as_json({"stat": "FAIL", "code": 40002}), DuoRefusedError),
    "200 in HTML": (reply(200, HTML), DuoRefusedError),
    "200 without a body": (reply(200, b""), DuoRefusedError),
    "204": (reply(204, b""), DuoRefusedError),
    "a list": (as_json([1, 2]), DuoRefusedError),
    "wrong types": (as_json({"stat": ["OK"], "id_token": 1}), DuoRefusedError),
    "deep JSON": (reply(200, b"[" * 60_000), DuoRefusedError),
    "bad UTF-8": (reply(200, b'{"stat": "\xff\xfe"}'), DuoRefusedError),
    "too large": (reply(200, b" " * 70_000), DuoRefusedError),
    "a gzip bomb": (reply(200, BOMB, "Content-Encoding: gzip"), DuoRefusedError),
    "no gzip": (reply(200, b"canary", "Content-Encoding: gzip"), DuoRefusedError),
    "no HTTP": (raw(b"SSH-2.0-canary\r\n"), DuoRefusedError),
    "a redirect": (
        reply(302, b"", "Location: https://api-evil.example.com/oauth/v1/health_check"),
        DuoRefusedError,
    ),
}
"""What comes over a connection that is Duo's own, for whatever was asked."""


@contextmanager
def _nobody(authority: Authority) -> Iterator[DuoServer]:
    """A port that nobody listens on."""
    with serving(authority.context()) as server:
        pass
    yield server


@contextmanager
def _no_such_name(authority: Authority) -> Iterator[DuoServer]:
    """A host whose name doesn't resolve."""
    with serving(authority.context()) as server:
        server.host = "api.invalid"
        yield server


@contextmanager
def _of_a_stranger(authority: Authority) -> Iterator[DuoServer]:
    """A certificate of another authority."""
    del authority
    with tempfile.TemporaryDirectory() as place:
        stranger = Authority(Path(place))
        with serving(stranger.context()) as server:
            yield server


@contextmanager
def _of_another_name(authority: Authority) -> Iterator[DuoServer]:
    """A certificate of the right authority, for another host."""
    with serving(authority.context("api-evil.example.com")) as server:
        yield server


def _plain(
    *, said: bytes = b"", how: str
) -> Callable[[Authority], AbstractContextManager[DuoServer]]:
    """Return a peer that speaks no TLS: it says something, then hangs, hangs up or resets."""

    @contextmanager
    def serve(authority: Authority) -> Iterator[DuoServer]:
        del authority
        with serving(None) as server:

            async def greet(writer: asyncio.StreamWriter) -> None:
                writer.write(said)
                await writer.drain()
                if how == "hang":
                    await asyncio.Event().wait()
                if how == "reset":
                    reset_at_close(writer)
                    writer.transport.abort()
                writer.close()

            server.at_connect = greet
            yield server

    return serve


Failing = Callable[[Authority], AbstractContextManager[DuoServer]]

CONNECTION_FAULTS: dict[str, tuple[Failing, type[DuoError]]] = {
    "nobody listens": (_nobody, DuoUnavailableError),
    "the name doesn't resolve": (_no_such_name, DuoUnavailableError),
    "the handshake hangs": (_plain(how="hang"), DuoUnavailableError),
    "the handshake is reset": (_plain(how="reset"), DuoUnavailableError),
    "the handshake is cut off": (_plain(how="hang up"), DuoUnavailableError),
    "another authority's certificate": (_of_a_stranger, DuoRefusedError),
    "another name's certificate": (_of_another_name, DuoRefusedError),
    "no TLS": (_plain(said=b"HTTP/1.1 200 OK\r\n\r\n", how="hang"), DuoRefusedError),
}
"""What keeps a connection from being one to Duo; Python's own errors mix these up."""
