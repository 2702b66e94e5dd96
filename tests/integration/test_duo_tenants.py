"""What one tenant's Duo, account or browsers do to other tenants: nothing.

Several tenants share a process, and here an API host as well, so that only the account tells them apart.
"""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from itertools import cycle

import jwt
import pytest

from countersign.adapters.duo.health import BAD_FOR, GOOD_FOR, THRESHOLD
from countersign.adapters.duo.universal import DuoUniversal
from countersign.adapters.sealing import Sealer
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
)
from countersign.core.sealed import SealedSecret
from countersign.core.tenant import DuoAccount
from tests.duo_faults import CONNECTION_FAULTS, FAULTS
from tests.duo_server import (
    CODE,
    HEALTHY,
    NONCE,
    SECRET,
    STATE,
    TENANT,
    USERNAME,
    Authority,
    DuoServer,
    Request,
    account_at,
    as_json,
    duo_at,
    raw,
    serving,
)
from tests.waiting import eventually

GLOBEX = "globex"
NEW_SECRET = "canary-secret-that-has-been-rotated-abcd"
SHORT = timedelta(milliseconds=600)


class Time:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class CountingSealer(Sealer):
    """Opens secrets, and counts: a client is made each time."""

    def __init__(self) -> None:
        super().__init__([bytes(range(32))])
        self.opened = 0

    def unseal(self, sealed: SealedSecret, *, tenant: str, purpose: str) -> str:
        """See `Sealer.unseal`."""
        self.opened += 1
        return super().unseal(sealed, tenant=tenant, purpose=purpose)


def exchange(duo: DuoUniversal, tenant: str, account: DuoAccount) -> asyncio.Task[DuoAnswer]:
    """Begin to exchange a code."""
    call = duo.exchange(tenant, account, code=CODE, username=USERNAME, nonce=NONCE)
    return asyncio.create_task(call)


async def test_a_tenant_whose_duo_hangs_keeps_nobody_waiting(
    server: DuoServer, authority: Authority
) -> None:
    """While one tenant's calls hang, as many as there are, another's are answered as ever."""
    with serving(authority.context()) as hanging:
        hanging.behaviour = raw(hang=True)
        hosts = f"{server.host},{hanging.host}"
        async with duo_at(
            server, authority.file, hosts=hosts, timeout=timedelta(seconds=2), share=4, threads=32
        ) as duo:
            acme = account_at(hanging.host)
            globex = account_at(server.host, tenant=GLOBEX)
            stuck = [exchange(duo, TENANT, acme) for _ in range(60)]
            stuck += [asyncio.create_task(_checked(duo, TENANT, acme))]
            await eventually(lambda: len(hanging.requests) == 4)
            longest = 0.0
            for _ in range(10):
                began = time.monotonic()
                await duo.check(GLOBEX, globex)
                assert (await exchange(duo, GLOBEX, globex)).allowed
                longest = max(longest, time.monotonic() - began)
            assert not any(task.done() for task in stuck)
            ended = await asyncio.gather(*stuck, return_exceptions=True)
    assert longest < 0.9
    kinds = [type(one) for one in ended]
    assert kinds.count(DuoUnavailableError) == 4
    assert kinds.count(DuoBusyError) == 57
    assert len(hanging.requests) == 4


async def _checked(duo: DuoUniversal, tenant: str, account: DuoAccount) -> DuoAnswer:
    await duo.check(tenant, account)
    return DuoAnswer(allowed=False)


async def test_browsers_that_go_away_leave_the_threads_as_they_were(
    server: DuoServer, authority: Authority
) -> None:
    """Calls that are cancelled while Duo hangs hold their share until they end, and no longer."""
    server.behaviour = raw(hang=True)
    async with duo_at(server, authority.file, timeout=SHORT, share=2) as duo:
        account = account_at(server.host)
        gone = [exchange(duo, TENANT, account) for _ in range(30)]
        await eventually(lambda: len(server.requests) == 2)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        with pytest.raises(DuoBusyError):
            await exchange(duo, TENANT, account)
        server.behaviour = server.well
        await eventually(lambda: not duo._bulkhead._under_way)  # noqa: SLF001  # a leak is to be seen
        assert (await exchange(duo, TENANT, account)).allowed
    assert len(server.requests) == 3


@pytest.mark.hazard(11)
async def test_one_client_for_a_tenants_account(server: DuoServer, authority: Authority) -> None:
    """A tenant's client is made once, for whatever is asked, and anew where its settings change."""
    sealer = CountingSealer()
    duo = DuoUniversal(
        sealer,
        redirect_uri="https://mfa.example.com/callback",
        hosts=f"{server.host},localhost:1",
        ca_file=authority.file,
        timeout=timedelta(seconds=5),
    )
    account = account_at(server.host)
    for _ in range(5):
        await duo.check(TENANT, account)
        await duo.prompt_url(TENANT, account, username=USERNAME, state=STATE, nonce=NONCE)
        await exchange(duo, TENANT, account)
        # Equal settings are the same settings, though they were read anew.
        account = DuoAccount(
            client_id=account.client_id,
            client_secret=account.client_secret,
            api_host=account.api_host,
        )
    assert sealer.opened == 1
    for changed in (
        account_at(server.host, secret=NEW_SECRET),
        account_at("localhost:1", secret=NEW_SECRET),
        account,
    ):
        for _ in range(2):
            await duo.prompt_url(TENANT, changed, username=USERNAME, state=STATE, nonce=NONCE)
    assert sealer.opened == 4
    await duo.prompt_url(
        GLOBEX,
        account_at(server.host, tenant=GLOBEX),
        username=USERNAME,
        state=STATE,
        nonce=NONCE,
    )
    await duo.prompt_url(TENANT, account, username=USERNAME, state=STATE, nonce=NONCE)
    assert sealer.opened == 5
    await duo.close()


@pytest.mark.hazard(11)
async def test_two_ways_to_duo_have_clients_of_their_own(
    server: DuoServer, authority: Authority
) -> None:
    """The redirect URI belongs to the adapter, so equal accounts send browsers back to each one's own."""
    account = account_at(server.host)
    for path in ("/callback", "/mfa/callback"):
        uri = f"https://mfa.example.com{path}"
        async with duo_at(server, authority.file, redirect_uri=uri) as duo:
            assert (await exchange(duo, TENANT, account)).allowed
        assert server.requests[-1].fields["redirect_uri"] == uri


@pytest.mark.hazard(11)
async def test_a_secret_rotated_while_calls_are_under_way(
    server: DuoServer, authority: Authority
) -> None:
    """Calls under way end with the secret that they began with; those that come after use the new one."""
    gate = threading.Event()
    secrets: list[str] = []

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        secret = _signer(request, server.host)
        secrets.append(secret)
        if secret == SECRET:
            await asyncio.to_thread(gate.wait)
        server.key = secret
        answer = {"id_token": server.token(), "access_token": "canary", "expires_in": 3600}
        await as_json(answer)(request, writer)

    server.behaviour = behave
    old, new = account_at(server.host), account_at(server.host, secret=NEW_SECRET)
    async with duo_at(server, authority.file) as duo:
        under_way = [exchange(duo, TENANT, old) for _ in range(3)]
        await eventually(lambda: len(secrets) == 3)
        assert (await exchange(duo, TENANT, new)).allowed
        assert not any(task.done() for task in under_way)
        gate.set()
        assert all(answer.allowed for answer in await asyncio.gather(*under_way))
    assert secrets == [SECRET] * 3 + [NEW_SECRET]


def _signer(request: Request, host: str) -> str:
    """Return the secret that the request's assertion is signed with."""
    for secret in (SECRET, NEW_SECRET):
        try:
            jwt.decode(
                request.fields["client_assertion"],
                secret,
                algorithms=["HS512"],
                audience=f"https://{host}{request.path}",
            )
        except jwt.InvalidSignatureError:
            continue
        return secret
    raise AssertionError


async def test_a_rotated_secret_is_asked_for_anew(server: DuoServer, authority: Authority) -> None:
    """What was found with the old secret says nothing of the new one: a refusal ends with its cause."""
    async with duo_at(server, authority.file, monotonic=Time()) as duo:
        server.behaviour = as_json({"stat": "FAIL", "code": 40002}, status=400)
        with pytest.raises(DuoRefusedError):
            await duo.check(TENANT, account_at(server.host))
        server.behaviour = server.well
        await duo.check(TENANT, account_at(server.host, secret=NEW_SECRET))


NEVER_OPEN = {
    name: error
    for name, (_, error) in (FAULTS | CONNECTION_FAULTS).items()
    if error is not DuoUnavailableError
}


@pytest.mark.parametrize("fault", NEVER_OPEN)
async def test_what_is_no_outage_opens_no_breaker(authority: Authority, fault: str) -> None:
    """Limits, refusals and TLS faults, however many, leave the next health check free to be asked."""
    now = Time()
    failing = CONNECTION_FAULTS[fault][0] if fault in CONNECTION_FAULTS else None
    with failing(authority) if failing else serving(authority.context()) as server:
        if failing is None:
            server.behaviour, _ = FAULTS[fault]
        async with duo_at(server, authority.file, timeout=SHORT, monotonic=now) as duo:
            account = account_at(server.host)
            connections = []
            for _ in range(THRESHOLD + 2):
                now.now += GOOD_FOR
                with pytest.raises(NEVER_OPEN[fault]):
                    await duo.check(TENANT, account)
                connections.append(server.connections + len(server.requests))
            if failing is None:
                assert connections == sorted(set(connections))
                server.behaviour = server.well
                now.now += BAD_FOR
                await duo.check(TENANT, account)


async def test_exchanges_open_no_breaker(server: DuoServer, authority: Authority) -> None:
    """Callbacks count for nothing: neither made-up codes nor a token endpoint that is down open a breaker."""
    now = Time()
    faults = cycle(["400 invalid_client", "500 in HTML", "resets", "429", "hangs up", "a list"])

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        healthy = request.path.endswith("/health_check")
        fault = as_json(HEALTHY) if healthy else FAULTS[next(faults)][0]
        await fault(request, writer)

    server.behaviour = behave
    async with duo_at(server, authority.file, timeout=SHORT, monotonic=now) as duo:
        account = account_at(server.host)
        for _ in range(3 * THRESHOLD):
            with pytest.raises(DuoError):
                await exchange(duo, TENANT, account)
        for _ in range(3):
            now.now += GOOD_FOR
            await duo.check(TENANT, account)


@pytest.mark.parametrize("fault", ["400 invalid_client", "429", "500 in HTML", "hangs up"])
async def test_an_accounts_trouble_is_its_own(
    server: DuoServer, authority: Authority, fault: str
) -> None:
    """One tenant's wrong credentials, limit or outage change nothing for another at the same host."""
    now = Time()

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        mine = _signer(request, server.host) == SECRET
        await (FAULTS[fault][0] if mine else as_json(HEALTHY))(request, writer)

    server.behaviour = behave
    acme = account_at(server.host)
    globex = account_at(server.host, tenant=GLOBEX, secret=NEW_SECRET)
    async with duo_at(server, authority.file, timeout=SHORT, monotonic=now) as duo:
        for _ in range(THRESHOLD + 2):
            now.now += GOOD_FOR
            with pytest.raises(DuoError):
                await duo.check(TENANT, acme)
            await duo.check(GLOBEX, globex)


async def test_two_accounts_of_one_tenant_work_side_by_side(authority: Authority) -> None:
    """An Action's own account beside the tenant's: each has its host, secret, answers and troubles."""
    with serving(authority.context()) as first, serving(authority.context()) as second:
        second.key = NEW_SECRET
        own, theirs = account_at(second.host, secret=NEW_SECRET), account_at(first.host)
        hosts = f"{first.host},{second.host}"
        async with duo_at(first, authority.file, hosts=hosts, timeout=SHORT) as duo:
            for account in (theirs, own, theirs, own):
                await duo.check(TENANT, account)
                assert (await exchange(duo, TENANT, account)).allowed
            assert {_signer(one, first.host) for one in first.requests} == {SECRET}
            assert {_signer(one, second.host) for one in second.requests} == {NEW_SECRET}
            second.behaviour, _ = FAULTS["400 invalid_client"]
            with pytest.raises(DuoRefusedError):
                await exchange(duo, TENANT, own)
            assert (await exchange(duo, TENANT, theirs)).allowed


async def test_an_account_on_a_host_that_is_not_allowed_is_refused(
    server: DuoServer, authority: Authority
) -> None:
    """Whoever names the account, the operator's list of hosts holds; nobody is called."""
    with serving(authority.context()) as other:
        async with duo_at(server, authority.file) as duo:
            with pytest.raises(DuoRefusedError, match="not an allowed one"):
                await duo.check(TENANT, account_at(other.host))
        assert not other.requests


async def test_an_account_is_the_same_however_often_its_secret_is_sealed(
    server: DuoServer, authority: Authority
) -> None:
    """An Action's secret is sealed for each login anew; what was found of its account still counts."""
    async with duo_at(server, authority.file, monotonic=Time()) as duo:
        for _ in range(5):
            await duo.check(TENANT, account_at(server.host))
    assert len(server.requests) == 1


@pytest.mark.law(10)
async def test_a_secret_opens_for_its_own_tenant_alone(
    server: DuoServer, authority: Authority
) -> None:
    """Law 10: an account that was sealed for another tenant is refused, and Duo is not asked."""
    async with duo_at(server, authority.file) as duo:
        with pytest.raises(DuoRefusedError, match="can't be unsealed"):
            await duo.check(TENANT, account_at(server.host, tenant=GLOBEX))
    assert not server.requests
