"""What holds for every decision, whatever comes in: drawn logins, settings, effects and facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core import budget, remember
from countersign.core.decision import TABLE
from countersign.core.effect import Effect, Provider
from countersign.core.facts import Facts
from countersign.core.login import MULTI_FACTOR_ACR, LoginAttempted
from countersign.core.result import Assurance, Decision, Reason, ResultType, Verdict
from countersign.core.tenant import Failmode, Policy, TenantSettings
from tests import strategies
from tests.builders import (
    ALICE,
    BOB,
    GLOBEX,
    LAPTOP,
    MALLORY,
    NOW,
    PSEUDONYMS,
    a_browser,
    a_login,
    a_tenant,
    decided,
)

RULES = [row.rule for row in TABLE]

drawn = given(
    login=strategies.logins(),
    tenant=strategies.tenants(),
    effect=strategies.effects,
    facts=strategies.facts,
)


def acr_asks(login: LoginAttempted) -> bool:
    """Say whether the login asks for MFA by acr_values: the model, apart from the code."""
    transaction = login.event.transaction
    return transaction is not None and MULTI_FACTOR_ACR in transaction.acr_values


def policy_asks(login: LoginAttempted, tenant: TenantSettings) -> bool:
    """Say whether the tenant's policy asks for MFA: the model, apart from the code."""
    authentication = login.event.authentication
    risk = authentication.risk_assessment if authentication else None
    confidence = risk.confidence if risk else None
    return tenant.mfa.policy is Policy.ALL_APPLICATIONS or (
        tenant.mfa.policy is Policy.CONFIDENCE_SCORE and confidence not in {"medium", "high"}
    )


@drawn
def test_mfa_that_is_due_is_spared_only_by_a_live_browser(
    login: LoginAttempted, tenant: TenantSettings, effect: Effect, facts: Facts
) -> None:
    """Never an allow where somebody asks for MFA, unless a live remembered browser stands in."""
    decision = decided(login, tenant=tenant, effect=effect, facts=facts)
    if decision.verdict is not Verdict.ALLOW:
        return
    assert not effect.factors
    asks = effect.provider not in {None, Provider.NONE} or (
        effect.provider is None and policy_asks(login, tenant)
    )
    assert not acr_asks(login)
    assert effect.denied is None
    if not asks:
        assert decision.assurance is Assurance.NONE
        return
    assert decision.assurance is Assurance.REMEMBERED
    assert facts.remembered is not None
    assert remember.is_live(facts.remembered, tenant.remember, NOW)
    assert effect.provider is not None or tenant.mfa.policy is Policy.ALL_APPLICATIONS


@drawn
def test_a_decision_explains_itself(
    login: LoginAttempted, tenant: TenantSettings, effect: Effect, facts: Facts
) -> None:
    """The trace is in table order, only its last row ends, and the settings' version is named."""
    decision = decided(login, tenant=tenant, effect=effect, facts=facts)
    assert decision.trace[: len(effect.trace)] == effect.trace
    positions = [RULES.index(rule) for rule in decision.trace[len(effect.trace) :]]
    assert positions == sorted(set(positions))
    assert [TABLE[position].then is None for position in positions] == [
        *[True] * (len(positions) - 1),
        False,
    ]
    assert decision.settings_version == tenant.version
    assert decision.decided_at == NOW


@drawn
@pytest.mark.law(12)
def test_the_same_inputs_give_the_same_decision(
    login: LoginAttempted, tenant: TenantSettings, effect: Effect, facts: Facts
) -> None:
    """Law 12: deciding twice, or from copies of the inputs, gives equal decisions."""
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=Facts)
    first = decided(login, tenant=tenant, effect=effect, facts=facts)
    assert decided(login, tenant=tenant, effect=effect, facts=again) == first


@drawn
def test_a_prompt_needs_a_way_to_duo_and_back(
    login: LoginAttempted, tenant: TenantSettings, effect: Effect, facts: Facts
) -> None:
    """Who is challenged has Duo, a listed return URL and budget, and an end ahead in UTC."""
    decision = decided(login, tenant=tenant, effect=effect, facts=facts)
    challenged = decision.type is ResultType.LOGIN_CHALLENGED
    assert (decision.challenge is not None) == challenged
    assert (decision.challenge_expires_at is not None) == challenged
    assert (decision.provider is not None) == (decision.type is ResultType.LOGIN_DELEGATED)
    if not challenged:
        assert not decision.may_remember
        return
    assert (effect.duo or tenant.duo) is not None
    assert login.event.login.return_url in tenant.challenge.return_urls
    assert not budget.is_spent(facts.prompts, tenant.push_budget, NOW)
    assert decision.challenge_expires_at is not None
    assert NOW <= decision.challenge_expires_at <= NOW + tenant.challenge.lifetime
    assert decision.challenge_expires_at.tzinfo is UTC


STEP_UPS = (
    {"transaction": {"acr_values": [MULTI_FACTOR_ACR]}},
    {"transaction": {"max_age": 60}},
    {"transaction": {"max_age": 10**40}},
    {"request": {"query": {"max_age": "60"}}},
)


@given(
    step_up=st.sampled_from(STEP_UPS),
    provider=st.sampled_from((None, Provider.NONE, Provider.ANY, Provider.DUO)),
    allow=st.sampled_from((None, True, False)),
    policy=st.sampled_from(Policy),
    duo_on=st.booleans(),
)
def test_a_step_up_beats_a_remembered_browser(
    *,
    step_up: dict[str, dict[str, object]],
    provider: Provider | None,
    allow: bool | None,
    policy: Policy,
    duo_on: bool,
) -> None:
    """Where acr_values or an unmet max_age ask, no remembered browser and no `none` spares Duo."""
    tenant = a_tenant(policy=policy)
    if not duo_on:  # then an Action alone names Duo
        provider, factors = Provider.DUO, msgspec.structs.replace(tenant.factors, duo=False)
        tenant = msgspec.structs.replace(tenant, factors=factors)
    effect = Effect(provider=provider, allow_remember_browser=allow)
    decision = decided(
        a_login(**step_up), tenant=tenant, effect=effect, facts=Facts(remembered=a_browser())
    )
    assert decision.type is ResultType.LOGIN_CHALLENGED
    assert "browser-ignored" in decision.trace


@pytest.mark.parametrize("confidence", ["low", "neutral", "HIGH", "unheard-of", "", None])
@pytest.mark.parametrize("facts", [Facts(), Facts(remembered=a_browser())])
def test_an_unknown_confidence_is_challenged(confidence: str | None, facts: Facts) -> None:
    """Under the adaptive policy only `medium` and `high` spare, and no browser stands in."""
    adaptive = a_tenant(policy=Policy.CONFIDENCE_SCORE)
    unknown: tuple[dict[str, object] | None, ...] = (
        None,
        {},
        {"riskAssessment": {}},
        {"riskAssessment": {"confidence": confidence}},
    )
    for authentication in unknown:
        login = a_login(authentication=authentication)
        assert decided(login, tenant=adaptive, facts=facts).reason is Reason.MFA_DUE


@pytest.mark.parametrize("confidence", ["medium", "high"])
def test_an_assured_confidence_is_let_in(confidence: str) -> None:
    """Under the adaptive policy MFA is not due where the identity system is sure enough."""
    login = a_login(authentication={"riskAssessment": {"confidence": confidence}})
    decision = decided(login, tenant=a_tenant(policy=Policy.CONFIDENCE_SCORE))
    assert decision.reason is Reason.MFA_NOT_DUE


@pytest.mark.law(10)
def test_a_browser_is_known_only_with_its_user_and_tenant() -> None:
    """Law 10: another user's, another tenant's and another browser's hash are all different."""
    keys = {
        PSEUDONYMS.browser("acme", ALICE, LAPTOP),
        PSEUDONYMS.browser("acme", BOB, LAPTOP),
        PSEUDONYMS.browser("acme", MALLORY, LAPTOP),
        PSEUDONYMS.browser(GLOBEX, ALICE, LAPTOP),
        PSEUDONYMS.browser("acme", ALICE, LAPTOP + "x"),
    }
    assert len(keys) == 5


@pytest.mark.law(2)
def test_the_end_of_a_challenge_is_recorded_as_it_is_published() -> None:
    """Law 2: an `expires_at` in another zone and in microseconds survives the record unchanged."""
    soon = datetime.fromisoformat("2026-03-02T11:01:00.123456+02:00")
    decision = decided(a_login(expires_at=soon))
    assert decision.challenge_expires_at == datetime(2026, 3, 2, 9, 1, 0, 123000, UTC)
    record = msgspec.msgpack.decode(msgspec.msgpack.encode(decision), type=Decision)
    assert msgspec.json.encode(record) == msgspec.json.encode(decision)


@drawn
@pytest.mark.law(8)
def test_the_failmode_is_not_the_tables_business(
    login: LoginAttempted, tenant: TenantSettings, effect: Effect, facts: Facts
) -> None:
    """Law 8: no decision is `fail_open`; the challenger alone fails open, as an outcome."""
    rules = msgspec.structs.replace(tenant.challenge, failmode=Failmode.OPEN)
    is_open = msgspec.structs.replace(tenant, challenge=rules)
    decision = decided(login, tenant=is_open, effect=effect, facts=facts)
    assert decision == decided(login, tenant=tenant, effect=effect, facts=facts)
    assert decision.assurance in {Assurance.NONE, Assurance.REMEMBERED}


def test_time_alone_turns_a_remembered_browser_away() -> None:
    """The same inputs a month later are challenged."""
    facts = Facts(remembered=a_browser())
    assert decided(facts=facts).verdict is Verdict.ALLOW
    assert decided(facts=facts, now=NOW + timedelta(days=30)).verdict is Verdict.PENDING
