"""Challenges with a Duo account of their own, which an Action has named: they are run with it to the end."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from countersign.adapters.sealing import Sealer
from countersign.core.challenge import State, come_back
from countersign.core.duo_answer import DuoAnswer
from countersign.core.errors import DuoRefusedError, DuoUnavailableError
from countersign.core.result import Assurance, Reason
from countersign.core.tenant import ChallengeRules, DuoAccount, Failmode, TenantSettings
from countersign.ports import Change
from countersign.wire.records import pack
from tests.browsers import Walk, state_of
from tests.builders import ACME, RETURN_URL, a_duo_account, a_tenant

SECRET = "canary-own-secret-of-an-action-000000001"
SEALER = Sealer([bytes(range(32))])
OWN = DuoAccount(
    client_id="DIOWNOWNOWNOWNOWNOWN",
    client_secret=SEALER.seal(SECRET, tenant=ACME, purpose="DIOWNOWNOWNOWNOWNOWN"),
    api_host="api-12345678.duosecurity.com",
)

BARE = a_tenant(duo=None)
OTHER = a_tenant(duo=a_duo_account(client_id="DIOTHEROTHEROTHEROTH"), version=2)
TENANTS = pytest.mark.parametrize("tenant", [a_tenant(), BARE], ids=["beside", "alone"])


@TENANTS
async def test_a_challenge_is_run_with_its_own_account(tenant: TenantSettings) -> None:
    """Prompt and exchange go to the account that the Action named, also where the tenant has none."""
    walk = Walk(tenant)
    challenge = await walk.open(duo=OWN)
    browser = walk.browser()
    state = state_of(await browser.visit(challenge))
    back = await browser.callback(state, duo_code=walk.duo.approve(state))
    assert back.headers["location"].startswith(RETURN_URL)
    assert [prompt.account for prompt in walk.duo.prompts] == [OWN]
    proven = await walk.stands(challenge)
    assert proven.proof is not None
    passed = come_back(proven, proven.proof.code_hash, walk.now)
    assert (passed.state, passed.duo) == (State.PASSED, OWN)


async def test_a_challenge_without_one_is_run_with_the_tenants_as_it_is_by_now() -> None:
    """The tenant's own account is read anew at each step; a challenge's own stands."""
    walk = Walk(a_tenant())
    own = await walk.open(duo=OWN)
    challenger = walk.another(directory=type(walk.directory)(OTHER))
    state_of(await walk.browser(challenger).visit(own))
    assert walk.duo.prompts[-1].account == OWN
    plain = Walk(OTHER)
    state_of(await plain.browser().visit(await plain.open()))
    assert plain.duo.prompts[-1].account == OTHER.duo


async def test_no_account_at_all_fails_the_challenge() -> None:
    """Where neither the challenge nor the tenant has one any more, it fails."""
    walk = Walk(BARE)
    challenge = await walk.open()
    await walk.browser().visit(challenge)
    (result,) = await walk.results()
    assert result.body.reason is Reason.DUO_FAILED


@TENANTS
async def test_an_own_account_that_is_refused_fails_the_challenge(tenant: TenantSettings) -> None:
    """A secret that Duo refuses, or a host that isn't allowed, is never answered by the tenant's account."""
    walk = Walk(tenant)
    walk.duo.health[ACME] = DuoRefusedError("The Duo account's host is not an allowed one")
    challenge = await walk.open(duo=OWN)
    await walk.browser().visit(challenge)
    (result,) = await walk.results()
    assert (result.body.reason, walk.duo.prompts) == (Reason.DUO_FAILED, [])


@pytest.mark.law(8)
@pytest.mark.parametrize(
    ("failmode", "state"), [(Failmode.OPEN, State.PROVEN), (Failmode.CLOSED, State.FAILED)]
)
async def test_the_tenants_failmode_holds_for_an_own_account(
    failmode: Failmode, state: State
) -> None:
    """Law 8: an Action's account that is out of reach is the tenant's failmode, and no allow of Duo's."""
    rules = ChallengeRules(return_urls=(RETURN_URL,), failmode=failmode)
    walk = Walk(msgspec.structs.replace(BARE, challenge=rules))
    walk.duo.health[ACME] = DuoUnavailableError("Duo is out of reach")
    challenge = await walk.open(duo=OWN)
    await walk.browser().visit(challenge)
    stands = await walk.stands(challenge)
    assert stands.state is state
    if failmode is Failmode.OPEN:
        assert stands.proof is not None
        assert stands.proof.assurance is Assurance.FAIL_OPEN


@TENANTS
async def test_a_report_of_fraud_is_heard_late_from_an_own_account(tenant: TenantSettings) -> None:
    """What came too late for the challenge is asked for at the account whose prompt it was."""
    walk = Walk(tenant)
    challenge = await walk.open(duo=OWN)
    browser = walk.browser()
    state = state_of(await browser.visit(challenge))
    pending = await walk.stands(challenge)
    denied = come_back(pending, "not the code's hash", walk.now + timedelta(seconds=1))
    assert await walk.store.settle([Change(challenge=denied)]) == [True]
    code = walk.duo.answer(state, DuoAnswer(allowed=False, fraud=True))
    await browser.callback(state, duo_code=code)
    assert code not in walk.duo.answers
    assert walk.duo.prompts[0].account == OWN


@pytest.mark.law(9)
async def test_the_own_secret_is_only_sealed() -> None:
    """Law 9: neither the record in the store nor what browsers and relying parties get has the secret."""
    walk = Walk(BARE)
    challenge = await walk.open(duo=OWN)
    browser = walk.browser()
    visit = await browser.visit(challenge)
    state = state_of(visit)
    back = await browser.callback(state, duo_code=walk.duo.answer(state, DuoAnswer(allowed=False)))
    record = pack(await walk.stands(challenge))
    assert OWN.client_secret.ciphertext.encode() in record
    results = await walk.results()
    assert [result.body.reason for result in results] == [Reason.DUO_DENIED]
    shown = repr((visit.headers, back.text, back.headers, walk.published.records))
    for secret in (SECRET, OWN.client_secret.ciphertext):
        assert secret not in shown
    assert SECRET.encode() not in record
