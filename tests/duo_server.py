"""A Duo on this machine that tests make misbehave: a TLS server in a thread of its own.

Its own thread, so that a test can see whether the event loop of the caller stands still meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

import jwt
import trustme

from countersign.adapters.duo.universal import DuoUniversal
from countersign.adapters.sealing import Sealer
from countersign.core.tenant import DuoAccount

TENANT = "acme"
CLIENT_ID = "DIXXXXXXXXXXXXXXXXXX"
SECRET = "canary-secret-of-the-duo-application-abc"
USERNAME = "alice"
STATE = "canary-state-0123456789abcdefghijkl"
NONCE = "canary-nonce-0123456789abcdefghijkl"
CODE = "canary-code-0123456789"
SEALER = Sealer([bytes(range(32))])
ALLOW = {
    "auth_result": {"result": "allow", "status": "allow", "status_msg": "Login Successful"},
    "auth_context": {"factor": "duo_push", "reason": "user_approved", "result": "success"},
}
HEALTHY = {"stat": "OK", "response": {"timestamp": 1_750_000_000}}


class Request(NamedTuple):
    """A request that came."""

    path: str
    headers: dict[str, str]
    fields: dict[str, str]


Behaviour: TypeAlias = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
"""Answers a request, or doesn't."""


def reply(status: int, body: bytes, *headers: str) -> Behaviour:
    """Return a behaviour: this answer, whatever was asked."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        del request
        lines = [f"HTTP/1.1 {status} Something", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    return behave


def as_json(value: object, *, status: int = 200) -> Behaviour:
    """Return a behaviour: this JSON, whatever was asked."""
    return reply(status, json.dumps(value).encode(), "Content-Type: application/json")


def raw(*parts: bytes, every: float = 0.0, hang: bool = False) -> Behaviour:
    """Return a behaviour: these bytes, with so many seconds between, then silence or the end."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        del request
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every)  # the peer's own pace, which is what is tested
        if hang:
            await asyncio.Event().wait()
        writer.close()

    return behave


async def reset(request: Request, writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    del request
    reset_at_close(writer)
    writer.transport.abort()


def reset_at_close(writer: asyncio.StreamWriter) -> None:
    """Make the connection's end a reset."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class DuoServer:
    """The server; `behaviour` may be set at any time.

    Attributes:
        host: its name and port, as an account names it.
        requests: what came, in order.
        connections: how many connections were made.
        claims: what the next tokens say over and above, or instead, of what is right.
    """

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None
        self.behaviour: Behaviour = self.well
        self.at_connect: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None
        self.requests: list[Request] = []
        self.connections = 0
        self.claims: dict[str, Any] = {}
        self.key = SECRET
        self.algorithm = "HS512"
        self.host = ""

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def stop(self) -> None:
        """Cut every connection, and stop."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def well(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Behave as Duo does: healthy, and a token for any code, whose nonce is `NONCE`."""
        if request.path.endswith("/health_check"):
            await as_json(HEALTHY)(request, writer)
        else:
            token = {"id_token": self.token(), "access_token": "canary-access", "expires_in": 3600}
            await as_json(token)(request, writer)

    def token(self) -> str:
        """Return a token for Alice."""
        now = time.time()
        claims = {
            "iss": f"https://{self.host}/oauth/v1/token",
            "sub": USERNAME,
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "preferred_username": USERNAME,
            "nonce": NONCE,
            **ALLOW,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not ...}
        return jwt.encode(claims, self.key, algorithm=self.algorithm)

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", ssl=self._context)
        self.host = f"localhost:{self._server.sockets[0].getsockname()[1]}"

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for _ in range(
            5
        ):  # rounds of the loop in which aborted transports close, and late ones come
            for writer in self._writers:
                writer.transport.abort()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(
            writer
        )  # at once: a task that is cancelled before it starts closes nothing
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                if self.at_connect is not None:
                    await self.at_connect(writer)
                while not writer.is_closing():
                    request = await _read(reader)
                    self.requests.append(request)
                    await self.behaviour(request, writer)
            finally:
                writer.transport.abort()
                with suppress(OSError):
                    await writer.wait_closed()
                self._writers.discard(writer)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {
        name.lower(): value for name, value in (line.split(": ", maxsplit=1) for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    address = urlsplit(first.split()[1])
    fields = parse_qs(address.query) | parse_qs(body.decode())
    return Request(address.path, headers, {name: values[0] for name, values in fields.items()})


class Authority:
    """A certificate authority of a test, and its file."""

    def __init__(self, directory: Path, name: str = "ca.pem") -> None:
        self._authority = trustme.CA()
        self.file = directory / name
        self._authority.cert_pem.write_to_path(self.file)

    def context(self, name: str = "localhost") -> ssl.SSLContext:
        """Return a server's context, its certificate for this name."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(name).configure_cert(context)
        return context


@contextmanager
def serving(context: ssl.SSLContext | None) -> Iterator[DuoServer]:
    """A server with this context; without one it speaks plain TCP."""
    server = DuoServer(context)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def duo_at(
    server: DuoServer,
    authority: Path | None,
    **given: Any,  # noqa: ANN401  # any argument
) -> AsyncIterator[DuoUniversal]:
    """The adapter under test, which may call this server."""
    arguments: dict[str, Any] = {
        "redirect_uri": "https://mfa.example.com/callback",
        "hosts": server.host,
        "ca_file": authority,
        "timeout": timedelta(seconds=5),
    }
    duo = DuoUniversal(SEALER, **(arguments | given))
    try:
        yield duo
    finally:
        await duo.close()


def account_at(host: str, *, tenant: str = TENANT, secret: str = SECRET) -> DuoAccount:
    """Return the account whose Duo is at this host."""
    sealed = SEALER.seal(secret, tenant=tenant, purpose=CLIENT_ID)
    return DuoAccount(client_id=CLIENT_ID, client_secret=sealed, api_host=host)


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says, unverified."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
