"""Each row of the decision table: what makes it speak, what it says, and what comes before it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import pytest

from countersign.core.budget import Refusal, Refused
from countersign.core.decision import TABLE, denied_for_budget, denied_for_cool_down
from countersign.core.effect import Effect, Provider
from countersign.core.facts import Facts
from countersign.core.login import MULTI_FACTOR_ACR, LoginAttempted
from countersign.core.result import (
    AccessDenied,
    Assurance,
    Decision,
    Factor,
    Reason,
    Recorded,
    ResultType,
)
from countersign.core.tenant import (
    DuoUsername,
    Factors,
    Mfa,
    Policy,
    Remember,
    TenantSettings,
)
from tests.builders import NOW, a_browser, a_duo_account, a_link, a_login, a_tenant, decided

ALLOWED, DENIED = ResultType.LOGIN_ALLOWED, ResultType.LOGIN_DENIED
CHALLENGED, DELEGATED = ResultType.LOGIN_CHALLENGED, ResultType.LOGIN_DELEGATED

NEVER = a_tenant(policy=Policy.NEVER)
ADAPTIVE = a_tenant(policy=Policy.CONFIDENCE_SCORE)
NO_FACTOR = a_tenant(factors=Factors())
BY_NICKNAME = a_tenant(mfa=Mfa(policy=Policy.ALL_APPLICATIONS, duo_username=DuoUsername.NICKNAME))
KNOWN = Facts(remembered=a_browser())
SPENT = Facts(prompts=(NOW - timedelta(minutes=1),) * 5)
REFUSING = Facts(refusals=(Refusal(NOW - timedelta(minutes=1), Refused.DENIED),) * 2)
ACR = {"acr_values": ["urn:other", MULTI_FACTOR_ACR]}
BY_POLICY = "policy-all-applications"


class Row(NamedTuple):
    """An example of a row: what goes in, the whole trace, and what is said."""

    given: dict[str, Any]
    trace: tuple[str, ...]
    kind: ResultType
    reason: Reason


ROWS = (
    Row({"login": a_login(expires_at=NOW)}, ("login-expired",), DENIED, Reason.LOGIN_EXPIRED),
    Row(
        {"effect": Effect(denied=Reason.ACTION_DENIED)},
        ("action-denied",),
        DENIED,
        Reason.ACTION_DENIED,
    ),
    Row(
        {"effect": Effect(denied=Reason.ACTION_ERROR)},
        ("action-failed",),
        DENIED,
        Reason.ACTION_ERROR,
    ),
    Row(
        {"effect": Effect(denied=Reason.REDIRECTED, redirect_url="https://acme.example/why")},
        ("action-redirects",),
        DENIED,
        Reason.REDIRECTED,
    ),
    Row(
        {"login": a_login(transaction=ACR), "tenant": NEVER},
        ("step-up-acr", "duo-challenge"),
        CHALLENGED,
        Reason.MFA_DUE,
    ),
    Row(
        {"login": a_login(transaction={"max_age": 60}), "tenant": NEVER},
        ("step-up-max-age", "duo-challenge"),
        CHALLENGED,
        Reason.MFA_DUE,
    ),
    Row(
        {"effect": Effect(provider=Provider.ANY), "tenant": NEVER},
        ("action-asks", "duo-challenge"),
        CHALLENGED,
        Reason.MFA_DUE,
    ),
    Row(
        {"effect": Effect(provider=Provider.NONE)},
        ("action-suppresses", "mfa-not-due"),
        ALLOWED,
        Reason.MFA_NOT_DUE,
    ),
    Row({}, (BY_POLICY, "duo-challenge"), CHALLENGED, Reason.MFA_DUE),
    Row(
        {"tenant": ADAPTIVE},
        ("policy-low-confidence", "duo-challenge"),
        CHALLENGED,
        Reason.MFA_DUE,
    ),
    Row({"tenant": NEVER}, ("mfa-not-due",), ALLOWED, Reason.MFA_NOT_DUE),
    Row({"tenant": NO_FACTOR}, (BY_POLICY, "no-usable-factor"), DENIED, Reason.NO_USABLE_FACTOR),
    Row(
        {"tenant": a_tenant(factors=Factors(otp=True))},
        (BY_POLICY, "other-provider"),
        DELEGATED,
        Reason.MFA_DUE,
    ),
    Row(
        {"facts": KNOWN, "effect": Effect(allow_remember_browser=False)},
        (BY_POLICY, "browser-ignored", "duo-challenge"),
        CHALLENGED,
        Reason.MFA_DUE,
    ),
    Row({"facts": KNOWN}, (BY_POLICY, "remembered-browser"), ALLOWED, Reason.REMEMBERED_BROWSER),
    Row(
        {"tenant": BY_NICKNAME},
        (BY_POLICY, "duo-username-missing"),
        DENIED,
        Reason.DUO_USERNAME_MISSING,
    ),
    Row(
        {"login": a_login(return_url="https://evil.example/return")},
        (BY_POLICY, "return-url-not-allowed"),
        DENIED,
        Reason.RETURN_URL_NOT_ALLOWED,
    ),
    Row({"facts": REFUSING}, (BY_POLICY, "push-cool-down"), DENIED, Reason.PUSH_COOL_DOWN),
    Row(
        {"facts": SPENT},
        (BY_POLICY, "push-budget-spent"),
        DENIED,
        Reason.PUSH_BUDGET_SPENT,
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "/".join(row.trace))
def test_each_row_speaks_where_its_condition_holds(row: Row) -> None:
    """A decision's trace names the rows that spoke, and its last row gives kind and reason."""
    decision = decided(**row.given)
    assert (decision.trace, decision.type, decision.reason) == (row.trace, row.kind, row.reason)


def test_the_examples_reach_the_whole_table() -> None:
    """No row of the table is without an example above."""
    assert {rule for row in ROWS for rule in row.trace} == {row.rule for row in TABLE}


def test_the_examples_reach_every_reason_of_a_decision() -> None:
    """Every reason that stands for a decision in the closed list is given by some row."""
    of_challenges = {
        Reason.DUO_ALLOWED,
        Reason.DUO_DENIED,
        Reason.DUO_BYPASSED,
        Reason.FRAUD_REPORTED,
        Reason.DUO_UNAVAILABLE,
        Reason.DUO_FAILED,
        Reason.WRONG_RETURN_CODE,
        Reason.NOT_BACK_IN_TIME,
    }
    assert {row.reason for row in ROWS} == set(Reason) - of_challenges


ALL_WRONG = {"expires_at": NOW, "return_url": None, "transaction": ACR}


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        pytest.param(
            "login-expired",
            {"login": a_login(**ALL_WRONG), "effect": Effect(denied=Reason.ACTION_DENIED)},
            id="an expired login is expired, whatever an Action says",
        ),
        pytest.param(
            "action-denied",
            {
                "login": a_login(transaction=ACR, return_url=None),
                "effect": Effect(denied=Reason.ACTION_DENIED, provider=Provider.DUO),
                "facts": KNOWN,
            },
            id="a denial comes before any factor",
        ),
        pytest.param(
            "no-usable-factor",
            {"tenant": NO_FACTOR, "facts": KNOWN},
            id="a remembered browser does not stand in for a factor that nobody has",
        ),
        pytest.param(
            "other-provider",
            {"tenant": a_tenant(factors=Factors(sms=True)), "facts": SPENT},
            id="another provider's prompts are not Duo's budget",
        ),
        pytest.param(
            "remembered-browser",
            {"login": a_login(return_url=None), "tenant": BY_NICKNAME, "facts": KNOWN},
            id="who is not prompted needs neither a Duo name nor a return URL",
        ),
        pytest.param(
            "duo-username-missing",
            {"login": a_login(return_url=None), "tenant": BY_NICKNAME, "facts": SPENT},
            id="a missing Duo name comes before the return URL and the budget",
        ),
        pytest.param(
            "return-url-not-allowed",
            {"login": a_login(return_url=None), "facts": SPENT},
            id="the return URL comes before the budget",
        ),
    ],
)
def test_rows_stand_in_order(rule: str, given: dict[str, Any]) -> None:
    """Where several rows would end a decision, the first of the table does."""
    assert decided(**given).trace[-1] == rule


@pytest.mark.parametrize(
    ("factors", "provider"),
    [
        (Factors(otp=True), "google-authenticator"),
        (Factors(otp=True, duo=True), "guardian"),
        (Factors(sms=True), "guardian"),
        (Factors(otp=True, sms=True), "guardian"),
    ],
)
@pytest.mark.parametrize("effect", [Effect(), Effect(provider=Provider.ANY)])
def test_duo_serves_the_policy_and_any_only_as_the_sole_factor(
    factors: Factors, provider: str, effect: Effect
) -> None:
    """A delegated login names the provider, and Duo is not it where another factor is on."""
    decision = decided(tenant=a_tenant(factors=factors), effect=effect)
    assert (decision.type, decision.provider) == (DELEGATED, provider)


@pytest.mark.parametrize("factors", [Factors(), Factors(otp=True), Factors(duo=True, sms=True)])
def test_an_explicit_duo_works_whatever_the_toggles_say(factors: Factors) -> None:
    """An Action that names `duo` gets Duo, as long as there is an account."""
    effect = Effect(provider=Provider.DUO)
    assert decided(tenant=a_tenant(factors=factors), effect=effect).type is CHALLENGED
    without = a_tenant(factors=factors, duo=None)
    assert decided(tenant=without, effect=effect).reason is Reason.NO_USABLE_FACTOR


@pytest.mark.parametrize("provider", [Provider.GUARDIAN, Provider.GOOGLE_AUTHENTICATOR])
def test_an_explicit_other_provider_is_named(provider: Provider) -> None:
    """A delegation names whom the Action named, and is not our challenge."""
    decision = decided(effect=Effect(provider=provider), tenant=a_tenant(duo=None))
    assert (decision.type, decision.provider, decision.challenge) == (DELEGATED, provider, None)


def test_an_event_may_lack_every_optional_part() -> None:
    """What a sender leaves out asks for nothing; the tenant's policy decides."""
    parts = ("authentication", "connection", "request", "transaction")
    assert decided(a_login(**dict.fromkeys(parts))).trace == (BY_POLICY, "duo-challenge")
    assert decided(a_login(**dict.fromkeys(parts)), tenant=NEVER).trace == ("mfa-not-due",)


def test_a_challenge_carries_its_link_its_end_and_whether_it_remembers() -> None:
    """What the challenger and the relying party need stands in the decision."""
    login = a_login()
    decision = decided(login)
    assert decision.challenge == a_link(login)
    assert decision.challenge_expires_at == NOW + timedelta(minutes=5)
    assert decision.may_remember


@pytest.mark.parametrize(
    ("login", "tenant", "effect"),
    [
        (a_login(browser_id=None), a_tenant(), Effect()),
        (a_login(), a_tenant(remember=Remember(enabled=False)), Effect()),
        (a_login(), a_tenant(), Effect(allow_remember_browser=False)),
    ],
)
@pytest.mark.law(7)
def test_a_challenge_does_not_remember_where_it_may_not(
    login: LoginAttempted, tenant: TenantSettings, effect: Effect
) -> None:
    """Law 7: no browser id, a tenant that forbids it, or an Action's false: not remembered."""
    assert not decided(login, tenant=tenant, effect=effect).may_remember


def test_an_allow_says_what_stands_behind_it() -> None:
    """A remembered browser is `remembered`; where MFA was not due, nothing stands behind it."""
    assert decided(facts=KNOWN).assurance is Assurance.REMEMBERED
    assert decided(tenant=NEVER).assurance is Assurance.NONE
    assert decided().assurance is Assurance.NONE


def test_a_challenge_spent_by_another_worker_becomes_a_denial() -> None:
    """The denial keeps the challenge's instant, settings and rules, and opens nothing."""
    challenged = decided(tenant=a_tenant(version=7))
    denied = denied_for_budget(challenged)
    assert denied == Decision(
        type=DENIED,
        reason=Reason.PUSH_BUDGET_SPENT,
        decided_at=challenged.decided_at,
        settings_version=7,
        trace=(BY_POLICY, "push-budget-spent"),
    )
    assert denied == decided(tenant=a_tenant(version=7), facts=SPENT)


def test_a_challenge_of_a_user_who_refused_meanwhile_becomes_a_denial() -> None:
    """It is the denial that the table gives where the refusals are known from the start."""
    assert denied_for_cool_down(decided()) == decided(facts=REFUSING)


OWN = a_duo_account(client_id="DIOWNOWNOWNOWNOWNOWN")
UNIVERSAL = a_tenant(mfa=Mfa(policy=Policy.ALL_APPLICATIONS, universal_login=True))
SAID = (Recorded(call="user.setAppMetadata", arguments=("a", {"b": [1, None]})),)


@pytest.mark.parametrize("step_up", [ACR, {"max_age": 60}])
def test_an_actions_none_spares_the_policy_but_no_step_up(step_up: dict[str, Any]) -> None:
    """`none` switches the policy's MFA off; what the relying party asks for is not the policy's."""
    effect = Effect(provider=Provider.NONE)
    assert decided(effect=effect).reason is Reason.MFA_NOT_DUE
    assert decided(a_login(transaction=step_up), effect=effect, facts=KNOWN).type is CHALLENGED


@pytest.mark.parametrize("effect", [Effect(), Effect(provider=Provider.ANY)])
def test_with_universal_login_duo_comes_from_an_explicit_duo_alone(effect: Effect) -> None:
    """The policy and `any` have no usable factor where Duo alone is on; an Action's `duo` works (Auth0)."""
    assert decided(tenant=UNIVERSAL, effect=effect).reason is Reason.NO_USABLE_FACTOR
    assert decided(tenant=UNIVERSAL, effect=Effect(provider=Provider.DUO)).type is CHALLENGED
    another = msgspec.structs.replace(UNIVERSAL, factors=Factors(otp=True))
    assert decided(tenant=another, effect=effect).provider == "google-authenticator"


def test_an_actions_own_account_works_where_the_tenant_has_none() -> None:
    """It serves `duo` alone: `any` and the policy are the tenant's."""
    bare = a_tenant(duo=None, factors=Factors())
    assert decided(tenant=bare, effect=Effect(provider=Provider.DUO, duo=OWN)).type is CHALLENGED
    lost = decided(tenant=bare, effect=Effect(provider=Provider.ANY, duo=OWN))
    assert lost.reason is Reason.NO_USABLE_FACTOR


@pytest.mark.parametrize("name", ["", " ", "\t\n"])
def test_a_name_that_the_action_named_and_the_user_lacks_denies(name: str) -> None:
    """There is no falling back to the tenant's rule; a name that is there comes before that rule."""
    missing = decided(effect=Effect(provider=Provider.DUO, duo_username=name))
    assert missing.reason is Reason.DUO_USERNAME_MISSING
    named = Effect(provider=Provider.DUO, duo_username="ally")
    assert decided(tenant=BY_NICKNAME, effect=named).type is CHALLENGED


@pytest.mark.parametrize("provider", [None, *Provider])
def test_factors_override_the_provider(provider: Provider | None) -> None:
    """A flow that waits for built-in factors is delegated to guardian, with the factors."""
    factors = (Factor(type="otp"), Factor(type="phone", options={"preferred_method": "voice"}))
    effect = Effect(provider=provider, factors=factors, duo=OWN)
    for tenant in (NEVER, NO_FACTOR, UNIVERSAL):
        decision = decided(tenant=tenant, effect=effect, facts=KNOWN)
        assert (decision.type, decision.provider) == (DELEGATED, "guardian")
        assert (decision.factors, decision.challenge) == (factors, None)


def test_no_action_lets_a_remembered_browser_in_where_it_must_not() -> None:
    """False ignores a remembered browser, and true does not outdo a step-up or the adaptive policy."""
    yes, no = (Effect(allow_remember_browser=allow) for allow in (True, False))
    assert decided(effect=yes, facts=KNOWN).reason is Reason.REMEMBERED_BROWSER
    assert decided(effect=no, facts=KNOWN).type is CHALLENGED
    assert decided(a_login(transaction=ACR), effect=yes, facts=KNOWN).type is CHALLENGED
    assert decided(tenant=ADAPTIVE, effect=yes, facts=KNOWN).type is CHALLENGED
    forbids = a_tenant(remember=Remember(enabled=False))
    assert decided(tenant=forbids, effect=yes, facts=KNOWN).reason is Reason.REMEMBERED_BROWSER


@pytest.mark.parametrize(
    ("effect", "tenant"),
    [
        (Effect(provider=Provider.NONE), a_tenant()),
        (Effect(), NO_FACTOR),
        (Effect(), a_tenant()),
        (Effect(provider=Provider.GUARDIAN), a_tenant()),
        (Effect(denied=Reason.ACTION_DENIED), a_tenant()),
    ],
)
def test_what_actions_said_stands_in_every_decision(effect: Effect, tenant: TenantSettings) -> None:
    """Calls for the relying party and the Actions' own trace come with whatever was decided."""
    effect = msgspec.structs.replace(effect, recorded=SAID, trace=("action:a@1:recorded",))
    decision = decided(tenant=tenant, effect=effect)
    assert decision.recorded == SAID
    assert decision.trace[0] == "action:a@1:recorded"
    if decision.type is CHALLENGED:
        for denied in (denied_for_budget(decision), denied_for_cool_down(decision)):
            assert (denied.recorded, denied.trace[0]) == (SAID, "action:a@1:recorded")


def test_what_an_action_denied_with_goes_out() -> None:
    """Code, reason and address stand in the denial."""
    said = AccessDenied(reason="No.", code="no")
    denied = decided(effect=Effect(denied=Reason.ACTION_DENIED, access_denied=said))
    assert (denied.access_denied, denied.redirect_url) == (said, None)
    sent = decided(effect=Effect(denied=Reason.REDIRECTED, redirect_url="https://acme.example/"))
    assert (sent.access_denied, sent.redirect_url) == (None, "https://acme.example/")
