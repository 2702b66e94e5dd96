"""What a browser and the bus get of each fault of Duo: a failmode opens for a broken transport alone.

A challenger with the real adapter, before a real misbehaving Duo.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from countersign.challenger.app import Challenger
from countersign.challenger.metrics import Metrics
from countersign.core.challenge import Challenge, State
from countersign.core.errors import (
    DuoBusyError,
    DuoError,
    DuoRefusedError,
    DuoUnavailableError,
)
from countersign.core.result import Assurance, Reason, ResultType
from countersign.core.tenant import ChallengeRules, Failmode
from tests.browsers import Browser, Walk, title_of
from tests.builders import RETURN_URL, a_tenant
from tests.bus import FixedTenants
from tests.duo_faults import CONNECTION_FAULTS, FAULTS
from tests.duo_server import (
    CODE,
    Authority,
    DuoServer,
    account_at,
    claims_of,
    duo_at,
    serving,
)

SHORT = timedelta(milliseconds=400)
ALL_FAULTS = {name: error for name, (_, error) in (FAULTS | CONNECTION_FAULTS).items()}
EITHER_MODE = pytest.mark.parametrize("mode", Failmode)


@contextmanager
def faulty(fault: str, authority: Authority) -> Iterator[DuoServer]:
    """A Duo that has this fault."""
    if fault in CONNECTION_FAULTS:
        failing, _ = CONNECTION_FAULTS[fault]
        with failing(authority) as server:
            yield server
        return
    with serving(authority.context()) as server:
        server.behaviour, _ = FAULTS[fault]
        yield server


class Here(NamedTuple):
    """A challenger with the real way to Duo, a challenge, and a browser."""

    walk: Walk
    challenge: Challenge
    browser: Browser

    async def prompted(self) -> str:
        """Send the browser to a prompt, and return its state, which Duo alone is told."""
        sent = await self.browser.visit(self.challenge)
        (request,) = parse_qs(urlsplit(sent.headers["location"]).query)["request"]
        return str(claims_of(request)["state"])

    async def results(self) -> list[tuple[ResultType, Reason]]:
        """Return what is on the bus."""
        return [(one.type, one.body.reason) for one in await self.walk.results()]


@asynccontextmanager
async def walking(server: DuoServer, authority: Authority, mode: Failmode) -> AsyncIterator[Here]:
    """A challenger of a tenant with this failmode, whose Duo is this server."""
    rules = ChallengeRules(return_urls=(RETURN_URL,), failmode=mode)
    walk = Walk(a_tenant(duo=account_at(server.host), challenge=rules))
    async with duo_at(server, authority.file, timeout=SHORT) as duo:
        walk.challenger = Challenger(
            walk.settings,
            store=walk.store,
            publisher=walk.published,
            tenants=FixedTenants(*walk.tenants),
            duo=duo,
            metrics=Metrics(),
            clock=lambda: walk.now,
        )
        yield Here(walk, await walk.open(), walk.browser())


def page(response: httpx.Response) -> tuple[int, str]:
    """Return a page's status and title, whichever apostrophe it has."""
    return response.status_code, title_of(response).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


AWAY = (503, "Duo can't be reached")
FOR_NOW = (503, "Duo can't be reached at the moment")
UNCHECKED = (502, "The sign-in couldn't be checked")
UNAVAILABLE = (ResultType.CHALLENGE_FAILED, Reason.DUO_UNAVAILABLE)
FAILED = (ResultType.CHALLENGE_FAILED, Reason.DUO_FAILED)


@pytest.mark.hazard(14)
@pytest.mark.hazard(15)
@pytest.mark.law(8)
@EITHER_MODE
@pytest.mark.parametrize("fault", ALL_FAULTS)
async def test_a_fault_before_the_prompt(authority: Authority, fault: str, mode: Failmode) -> None:
    """Law 8: out of reach opens an open failmode and ends a closed one; no other fault opens either."""
    with faulty(fault, authority) as server:
        async with walking(server, authority, mode) as here:
            response = await here.browser.visit(here.challenge)
            standing = await here.walk.stands(here.challenge)
            results = await here.results()
    if ALL_FAULTS[fault] is DuoUnavailableError and mode is Failmode.OPEN:
        address = response.headers["location"]
        assert (response.status_code, address.split("?")[0]) == (303, RETURN_URL)
        assert standing.proof is not None
        assert standing.proof.assurance is Assurance.FAIL_OPEN
        assert (standing.state, results) == (State.PROVEN, [])
        return
    expected: dict[type[DuoError], tuple[tuple[int, str], State, list[object]]] = {
        DuoUnavailableError: (AWAY, State.FAILED, [UNAVAILABLE]),
        DuoBusyError: (FOR_NOW, State.PENDING, []),
        DuoRefusedError: (UNCHECKED, State.FAILED, [FAILED]),
    }
    assert (page(response), standing.state, results) == expected[ALL_FAULTS[fault]]
    assert (standing.proof, "location" in response.headers) == (None, False)


@pytest.mark.law(6)
@pytest.mark.law(8)
@EITHER_MODE
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_after_the_prompt(authority: Authority, fault: str, mode: Failmode) -> None:
    """Laws 6 and 8: whatever is wrong with the exchange, neither failmode lets anybody in."""
    with serving(authority.context()) as server:
        async with walking(server, authority, mode) as here:
            state = await here.prompted()
            server.behaviour, error = FAULTS[fault]
            response = await here.browser.callback(state, duo_code=CODE)
            standing = await here.walk.stands(here.challenge)
            results = await here.results()
    expected: dict[type[DuoError], tuple[tuple[int, str], State, list[object]]] = {
        DuoUnavailableError: (AWAY, State.FAILED, [UNAVAILABLE]),
        DuoBusyError: (FOR_NOW, State.EXCHANGING, []),
        DuoRefusedError: (UNCHECKED, State.FAILED, [FAILED]),
    }
    assert (page(response), standing.state, results) == expected[error]
    assert (standing.proof, "location" in response.headers) == (None, False)


@pytest.mark.law(8)
@pytest.mark.parametrize("fault", ["500 in HTML", "resets", "hangs before the headers"])
async def test_going_away_after_a_prompt_ends_nothing(authority: Authority, fault: str) -> None:
    """Law 8: a Duo whose health goes once a prompt was opened opens nothing; another visit is for later."""
    with serving(authority.context()) as server:
        async with walking(server, authority, Failmode.OPEN) as here:
            await here.prompted()
        server.behaviour, _ = FAULTS[fault]
        async with duo_at(server, authority.file, timeout=SHORT) as duo:
            later = Challenger(
                here.walk.settings,
                store=here.walk.store,
                publisher=here.walk.published,
                tenants=FixedTenants(*here.walk.tenants),
                duo=duo,
                metrics=Metrics(),
                clock=lambda: here.walk.now,
            )
            response = await here.walk.browser(later).visit(here.challenge)
    assert page(response) == FOR_NOW
    assert (await here.walk.stands(here.challenge)).state is State.PENDING


@pytest.mark.law(6)
@pytest.mark.law(9)
@EITHER_MODE
@pytest.mark.parametrize(
    "claims",
    [
        *({"iss": "https://api-evil.example.com/oauth/v1/token"}, {"aud": "DIYYYYYYYYYYYYYYYYYY"}),
        *({"nonce": "n" * 36}, {"preferred_username": "mallory"}, {"exp": 1_000_000_000}),
        *({"auth_result": {"result": "deny", "status": "deny"}}, {"auth_result": ...}),
    ],
)
async def test_an_answer_that_proves_nothing(
    authority: Authority, claims: dict[str, object], mode: Failmode
) -> None:
    """Laws 6 and 9: a token with anything wrong denies or fails at once, without its words on the page."""
    with serving(authority.context()) as server:
        async with walking(server, authority, mode) as here:
            state = await here.prompted()
            nonce = here.walk.pseudonyms.nonce(here.challenge.id, state)
            server.claims = {
                "nonce": nonce,
                "preferred_username": here.challenge.duo_username,
                **claims,
            }
            response = await here.browser.callback(state, duo_code=CODE)
            results = await here.results()
    denied = "auth_result" in claims
    assert page(response) == ((403, "The sign-in was denied") if denied else UNCHECKED)
    assert results == [(ResultType.CHALLENGE_DENIED, Reason.DUO_DENIED) if denied else FAILED]
    for word in (CODE, state, nonce, "mallory", "canary"):
        assert word not in response.text


@pytest.mark.law(6)
async def test_the_right_answer_of_the_same_walk_proves(authority: Authority) -> None:
    """Law 6: without a fault the same walk leads back with a code, so the tables above test what they say."""
    with serving(authority.context()) as server:
        async with walking(server, authority, Failmode.CLOSED) as here:
            state = await here.prompted()
            nonce = here.walk.pseudonyms.nonce(here.challenge.id, state)
            server.claims = {"nonce": nonce, "preferred_username": here.challenge.duo_username}
            response = await here.browser.callback(state, duo_code=CODE)
            standing = await here.walk.stands(here.challenge)
    assert response.headers["location"].startswith(f"{RETURN_URL}?mfa_code=")
    assert standing.proof is not None
    assert standing.proof.assurance is Assurance.MFA
