"""Each way in which a Duo can misbehave ends in time, in the right error, and without a secret in it."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from countersign.adapters.duo.universal import DuoUniversal
from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
)
from countersign.core.tenant import DuoAccount
from tests.duo_server import (
    CODE,
    HEALTHY,
    NONCE,
    TENANT,
    USERNAME,
    Authority,
    Behaviour,
    DuoServer,
    account_at,
    as_json,
    duo_at,
    raw,
    reply,
    reset,
    reset_at_close,
    serving,
)

SHORT = timedelta(milliseconds=600)
CANARIES = ("canary", "eyJ", "client_assertion", "DIXXX")
"""Parts of the secret, code, nonce and access token; how a JWT begins; what stands beside them in a URL."""

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
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that the test's Duo has its certificate of."""
    return Authority(tmp_path_factory.mktemp("duo"))


@pytest.fixture
def server(authority: Authority) -> Iterator[DuoServer]:
    """A Duo."""
    with serving(authority.context()) as running:
        yield running


async def error_of(call: Awaitable[object]) -> DuoError:
    """Return the error that the call ends in, which holds no secret anywhere."""
    with pytest.raises(DuoError) as caught:
        await call
    error = caught.value
    told = "".join(traceback.format_exception(error)) + repr(error) + str(error)
    told += repr(error.__cause__) + repr(error.__context__)
    assert not [canary for canary in CANARIES if canary in told]
    assert error.__context__ is None
    return error


def check(duo: DuoUniversal, account: DuoAccount) -> Awaitable[object]:
    """Ask for Duo's health."""
    return duo.check(TENANT, account)


def exchange(duo: DuoUniversal, account: DuoAccount) -> Awaitable[object]:
    """Exchange a code."""
    return duo.exchange(TENANT, account, code=CODE, username=USERNAME, nonce=NONCE)


Call = Callable[[DuoUniversal, DuoAccount], Awaitable[object]]
CALLS = pytest.mark.parametrize("call", [check, exchange])


@CALLS
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_has_its_error(
    server: DuoServer,
    authority: Authority,
    call: Call,
    fault: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault ends the call by its deadline and in the error for it; no log or error has a secret."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    server.behaviour, expected = FAULTS[fault]
    async with duo_at(server, authority.file, timeout=SHORT) as duo:
        started = time.monotonic()
        error = await error_of(call(duo, account_at(server.host)))
        assert type(error) is expected
        assert time.monotonic() - started < SHORT.total_seconds() + 1
    ours = [record for record in caplog.records if record.name != "asyncio"]
    assert not [canary for canary in CANARIES if any(canary in str(log) for log in ours)]


@CALLS
async def test_a_redirect_is_refused(server: DuoServer, authority: Authority, call: Call) -> None:
    """A redirect is refused, and the host that it names hears nothing."""
    with serving(authority.context()) as other:
        for status in (301, 302, 303, 307, 308):
            target = f"Location: https://{other.host}/oauth/v1/health_check"
            server.behaviour = reply(status, b"", target)
            async with duo_at(server, authority.file) as duo:
                error = await error_of(call(duo, account_at(server.host)))
                assert type(error) is DuoRefusedError
        assert other.connections == 0


@CALLS
async def test_another_authoritys_certificate_is_refused(
    server: DuoServer, tmp_path: Path, call: Call
) -> None:
    """A certificate of another authority is a refusal, though requests calls it a connection error."""
    stranger = Authority(tmp_path)
    async with duo_at(server, stranger.file) as duo:
        assert type(await error_of(call(duo, account_at(server.host)))) is DuoRefusedError
    async with duo_at(server, None) as duo:
        assert type(await error_of(call(duo, account_at(server.host)))) is DuoRefusedError
    assert not server.requests


@CALLS
async def test_a_certificate_for_another_name_is_refused(authority: Authority, call: Call) -> None:
    """A certificate of the right authority for another host is a refusal."""
    with serving(authority.context("api-evil.example.com")) as server:
        async with duo_at(server, authority.file) as duo:
            assert type(await error_of(call(duo, account_at(server.host)))) is DuoRefusedError
    assert not server.requests


@CALLS
async def test_plain_http_is_refused(authority: Authority, call: Call) -> None:
    """A peer that speaks no TLS is a refusal."""
    with serving(None) as server:

        async def speak(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await writer.drain()
            await asyncio.Event().wait()

        server.at_connect = speak
        async with duo_at(server, authority.file) as duo:
            assert type(await error_of(call(duo, account_at(server.host)))) is DuoRefusedError


@CALLS
@pytest.mark.parametrize("how", ["reset", "hang up", "hang"])
async def test_a_handshake_cut_off_is_unavailable(
    authority: Authority, call: Call, how: str
) -> None:
    """A peer that ends or stalls the TLS handshake is out of reach, in spite of Python's SSLError."""
    with serving(None) as server:

        async def cut(writer: asyncio.StreamWriter) -> None:
            if how == "hang":
                await asyncio.Event().wait()
            if how == "reset":
                reset_at_close(writer)
                writer.transport.abort()
            writer.close()

        server.at_connect = cut
        async with duo_at(server, authority.file, timeout=SHORT) as duo:
            assert type(await error_of(call(duo, account_at(server.host)))) is DuoUnavailableError


@CALLS
async def test_nobody_listening_is_unavailable(authority: Authority, call: Call) -> None:
    """A refused connection is out of reach."""
    with serving(authority.context()) as server:
        pass
    async with duo_at(server, authority.file) as duo:
        assert type(await error_of(call(duo, account_at(server.host)))) is DuoUnavailableError


@CALLS
async def test_an_unknown_name_is_unavailable(
    server: DuoServer, authority: Authority, call: Call
) -> None:
    """A host whose name doesn't resolve is out of reach."""
    async with duo_at(server, authority.file, hosts="api.invalid") as duo:
        assert type(await error_of(call(duo, account_at("api.invalid")))) is DuoUnavailableError


async def test_the_loop_goes_on(server: DuoServer, authority: Authority) -> None:
    """While calls hang, the event loop never waits for 100 ms."""
    server.behaviour = raw(hang=True)
    lags: list[float] = []
    async with duo_at(server, authority.file, timeout=SHORT) as duo:
        account = account_at(server.host)
        calls = asyncio.gather(*[error_of(exchange(duo, account)) for _ in range(4)])
        while not calls.done():
            began = time.monotonic()
            await asyncio.wait([calls], timeout=0.01)
            lags.append(time.monotonic() - began - 0.01)
    assert {type(error) for error in await calls} == {DuoUnavailableError}
    assert max(lags) < 0.1


async def test_no_free_thread_is_busy(server: DuoServer, authority: Authority) -> None:
    """Calls that found no thread in time are busy, not out of reach: so many prompts open no failmode."""
    server.behaviour = raw(hang=True)
    async with duo_at(server, authority.file, timeout=SHORT, threads=1) as duo:
        account = account_at(server.host)
        first = asyncio.ensure_future(error_of(exchange(duo, account)))
        second = asyncio.ensure_future(error_of(duo.check(TENANT, account)))
        assert type(await first) is DuoUnavailableError
        assert type(await second) is DuoBusyError
    assert len(server.requests) == 1
