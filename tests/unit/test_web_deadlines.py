"""Requests that are sent by halves: nobody holds a connection by them, and nobody honest loses one."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from countersign.web.server import WebServer

HOST = "127.0.0.1"
WITHIN = timedelta(milliseconds=100)
PACE = 0.01
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
HALVES = {
    "nothing": b"",
    "a letter": b"G",
    "half a head": GET[:20],
    "all but the last line feed": GET[:-1],
    "no body": POST,
    "half a body": POST + b"a" * 500,
    "half a chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\naa",
}


class App:
    """Answers, in two parts, once it may.

    Attributes:
        reads: it reads the request's body first.
        begins, ends: when it may begin to answer, and end.
        begun: whether it has begun.
    """

    def __init__(self, *, reads: bool = False) -> None:
        self.reads = reads
        self.begins, self.ends, self.begun = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI's own
        """Answer."""
        del scope
        await self.begins.wait()
        while self.reads and (await receive()).get("more_body"):
            pass
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"o", "more_body": True})
        self.begun.set()
        await self.ends.wait()
        await send({"type": "http.response.body", "body": b"k"})

    def at_once(self) -> App:
        """Answer without waiting for anybody."""
        self.begins.set()
        self.ends.set()
        return self


class Client:
    """A connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> bytes:
        """Return the next answer's status line."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        assert await self.reader.readexactly(2) == b"ok"
        return head.split(b"\r\n")[0]

    async def trickle(self) -> None:
        """Send a byte now and then, until the server hangs up."""
        while not self.reader.at_eof():
            with contextlib.suppress(ConnectionError, TimeoutError):
                self.writer.write(b"a")
                async with asyncio.timeout(PACE):  # the client's own pace, which is what is tested
                    await self.reader.read(1000)


@asynccontextmanager
async def serving(app: App, **given: Any) -> AsyncIterator[WebServer]:  # noqa: ANN401  # WebServer's own
    """Serve, and fail rather than wait for ever."""
    server = WebServer(app, host=HOST, port=0, setting="PORT", whole_within=WITHIN, **given)
    await server.start()
    try:
        async with asyncio.timeout(30):
            yield server
    finally:
        app.at_once()
        await server.stop()


@asynccontextmanager
async def connected(
    server: WebServer, data: bytes, trust: ssl.SSLContext | None = None
) -> AsyncIterator[Client]:
    """Connect, and send these bytes."""
    client = Client(*await asyncio.open_connection(HOST, server.port, ssl=trust))
    client.writer.write(data)
    try:
        yield client
    finally:
        client.writer.close()


async def deadline_passes(server: WebServer) -> None:
    """Return when a connection that is made now has been given up."""
    async with connected(server, b"") as client:
        assert await client.reader.read() == b""


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
async def test_a_request_that_never_ends_is_given_up(half: bytes) -> None:
    """Nothing, half a head or half a body: the server hangs up in time, without an answer."""
    async with serving(App(reads=True).at_once()) as server, connected(server, half) as client:
        assert await client.reader.read() == b""


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
async def test_to_go_on_sending_wins_no_time(half: bytes, *, reads: bool) -> None:
    """A byte now and then, in the head or in the body; whether it was answered already or not."""
    async with serving(App(reads=reads).at_once()) as server, connected(server, half) as client:
        await client.trickle()


@pytest.mark.parametrize("half", list(HALVES.values())[1:], ids=list(HALVES)[1:])
async def test_a_further_request_has_a_deadline_too(half: bytes) -> None:
    """After a first one on the same connection, and behind one that was sent at once with it."""
    async with serving(App(reads=True).at_once()) as server:
        async with connected(server, GET) as client:
            assert await client.answer() == b"HTTP/1.1 200 OK"
            client.writer.write(half)
            await client.trickle()
        async with connected(server, GET + half) as client:
            assert await client.answer() == b"HTTP/1.1 200 OK"
            await client.trickle()


async def test_over_tls_likewise(tmp_path: Path) -> None:
    """Encrypted, a half-sent request is no better."""
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    pair = (tmp_path / "both.pem", tmp_path / "both.pem")
    async with (
        serving(App().at_once(), certificate=pair) as server,
        connected(server, GET[:20], trust) as client,
    ):
        assert await client.reader.read() == b""


@pytest.mark.parametrize("request_", [GET, POST + b"a" * 100_000], ids=["GET", "POST"])
async def test_a_whole_request_is_answered_in_the_applications_own_time(request_: bytes) -> None:
    """However long the answer takes, and also if the body stays unread for long."""
    async with serving(app := App(reads=True)) as server, connected(server, request_) as client:
        await deadline_passes(server)
        app.at_once()
        assert await client.answer() == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
async def test_an_answer_that_has_begun_is_not_cut_off(request_: bytes) -> None:
    """Neither a slow one, nor one that didn't wait for the body."""
    async with serving(app := App()) as server, connected(server, request_) as client:
        app.begins.set()
        await app.begun.wait()
        await deadline_passes(server)
        app.ends.set()
        assert await client.answer() == b"HTTP/1.1 200 OK"


async def test_between_requests_a_connection_may_rest() -> None:
    """A browser's connection stays open for its next page beyond a request's own deadline."""
    async with serving(App().at_once()) as server, connected(server, GET) as client:
        for _ in range(3):
            assert await client.answer() == b"HTTP/1.1 200 OK"
            await deadline_passes(server)
            client.writer.write(GET)
        assert await client.answer() == b"HTTP/1.1 200 OK"
