"""Each way in which a Duo can misbehave ends in time, in the right error, and without a secret in it."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
import warnings
from collections.abc import Awaitable, Callable
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
from tests.duo_faults import CONNECTION_FAULTS, FAULTS
from tests.duo_server import (
    CODE,
    NONCE,
    TENANT,
    USERNAME,
    Authority,
    DuoServer,
    Request,
    account_at,
    duo_at,
    raw,
    reply,
    serving,
)
from tests.waiting import eventually

SHORT = timedelta(milliseconds=600)
ENDLESS = 256 * 2**20
"""Bytes that nobody's buffers take."""
CANARIES = ("canary", "eyJ", "client_assertion", "DIXXX")
"""Parts of the secret, code, nonce and access token; how a JWT begins; what stands beside them in a URL."""


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


@pytest.mark.hazard(1)
@pytest.mark.hazard(4)
@pytest.mark.hazard(12)
@pytest.mark.hazard(13)
@pytest.mark.hazard(14)
@pytest.mark.hazard(17)
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


@pytest.mark.hazard(1)
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


@pytest.mark.hazard(12)
@pytest.mark.hazard(15)
@CALLS
@pytest.mark.parametrize("fault", CONNECTION_FAULTS)
async def test_a_connection_that_fails_has_its_error(
    authority: Authority, call: Call, fault: str
) -> None:
    """A connection that doesn't come about, or not with Duo, ends in the error for it; nothing is sent."""
    failing, expected = CONNECTION_FAULTS[fault]
    with failing(authority) as server:
        async with duo_at(server, authority.file, timeout=SHORT) as duo:
            assert type(await error_of(call(duo, account_at(server.host)))) is expected
    assert not server.requests


@pytest.mark.hazard(2)
@pytest.mark.hazard(15)
@CALLS
async def test_only_duos_own_authorities_count(
    server: DuoServer, tmp_path: Path, call: Call
) -> None:
    """Another authority's certificate is refused, by a file of ours and by those that the SDK pins."""
    for file in (Authority(tmp_path).file, None):
        async with duo_at(server, file) as duo:
            assert type(await error_of(call(duo, account_at(server.host)))) is DuoRefusedError
    assert not server.requests


@pytest.mark.hazard(10)
async def test_the_loop_goes_on(server: DuoServer, authority: Authority) -> None:
    """While calls hang, the event loop goes on: it never stands still for half as long as they take."""
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
    assert max(lags) < SHORT.total_seconds() / 2


@pytest.mark.hazard(10)
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


@pytest.mark.hazard(17)
@CALLS
async def test_an_endless_body_is_not_waited_for(
    server: DuoServer, authority: Authority, call: Call
) -> None:
    """A body without an end is refused once it is too large, long before the deadline; little was read."""
    sent = 0

    async def pour(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        del request
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not writer.is_closing() and sent < ENDLESS:
            writer.write(b" " * 8_192)
            await writer.drain()
            sent += 8_192

    server.behaviour = pour
    async with duo_at(server, authority.file, timeout=timedelta(minutes=1)) as duo:
        began = time.monotonic()
        assert type(await error_of(call(duo, account_at(server.host)))) is DuoRefusedError
        assert time.monotonic() - began < 20
    assert sent < ENDLESS  # what the machine's own buffers take, and no more


@pytest.mark.hazard(10)
async def test_no_call_warns_of_duos_key(server: DuoServer, authority: Authority) -> None:
    """Duo's secrets have 40 characters, and no call says anything of that, in whatever thread."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with duo_at(server, authority.file) as duo:
            account = account_at(server.host)
            await duo.check(TENANT, account)
            await exchange(duo, account)
    assert [str(one.message) for one in caught if "HMAC" in str(one.message)] == []


@pytest.mark.hazard(10)
async def test_closing_while_calls_hang(server: DuoServer, authority: Authority) -> None:
    """Closing waits for no thread: who asked for Duo's health is busy at once, an exchange ends in time."""
    server.behaviour = raw(hang=True)
    async with duo_at(server, authority.file, timeout=SHORT) as duo:
        account = account_at(server.host)
        checking = asyncio.ensure_future(error_of(duo.check(TENANT, account)))
        exchanging = asyncio.ensure_future(error_of(exchange(duo, account)))
        await eventually(lambda: len(server.requests) == 2)
    assert not exchanging.done()
    assert type(await checking) is DuoBusyError
    assert type(await exchanging) is DuoUnavailableError
    for call in (check, exchange):
        assert type(await error_of(call(duo, account))) is DuoBusyError
    assert len(server.requests) == 2
