"""The decision: one table, walked from top to bottom.

`decide` is the law (law 12): the live path, `explain`, replay and the tests all call it, and nothing
else says who is challenged. A row whose condition holds is named in the trace. A row that ends the
walk gives the decision; the others only speak for it, as the rows that make MFA due do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from countersign.core.case import Case
from countersign.core.effect import Effect
from countersign.core.facts import Facts
from countersign.core.login import LoginAttempted
from countersign.core.result import (
    Assurance,
    ChallengeLink,
    Decision,
    Reason,
    ResultType,
    to_milliseconds,
)
from countersign.core.tenant import TenantSettings


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        rule: what it is called in a trace.
        when: its condition.
        then: gives the decision; None where it only speaks for one.
        means: its condition in words, as in "mfa-not-due: nobody asks for MFA".
    """

    rule: str
    when: Callable[[Case], bool]
    then: Callable[[Case, list[str]], Decision] | None
    means: str


def _ruled(case: Case, kind: ResultType, reason: Reason, trace: list[str]) -> Decision:
    remembered = reason is Reason.REMEMBERED_BROWSER
    return Decision(
        type=kind,
        reason=reason,
        assurance=Assurance.REMEMBERED if remembered else Assurance.NONE,
        decided_at=case.now,
        settings_version=case.tenant.version,
        trace=tuple(trace),
        access_denied=case.effect.access_denied,
        redirect_url=case.effect.redirect_url,
        recorded=case.effect.recorded,
    )


def _ends(kind: ResultType, reason: Reason) -> Callable[[Case, list[str]], Decision]:
    return lambda case, trace: _ruled(case, kind, reason, trace)


def _deny(reason: Reason) -> Callable[[Case, list[str]], Decision]:
    return _ends(ResultType.LOGIN_DENIED, reason)


def _allow(reason: Reason) -> Callable[[Case, list[str]], Decision]:
    return _ends(ResultType.LOGIN_ALLOWED, reason)


def _delegate(case: Case, trace: list[str]) -> Decision:
    ruled = _ruled(case, ResultType.LOGIN_DELEGATED, Reason.MFA_DUE, trace)
    provider = case.provider
    return msgspec.structs.replace(
        ruled, provider=provider.value if provider else None, factors=case.effect.factors
    )


def _challenge(case: Case, trace: list[str]) -> Decision:
    deadline = case.now + case.tenant.challenge.lifetime
    expires_at = case.data.login.expires_at
    if expires_at is not None and expires_at < deadline:
        # As it is recorded, or the bytes made from the record would be others (law 2).
        deadline = to_milliseconds(expires_at.astimezone(UTC))
    return Decision(
        type=ResultType.LOGIN_CHALLENGED,
        reason=Reason.MFA_DUE,
        decided_at=case.now,
        settings_version=case.tenant.version,
        trace=tuple(trace),
        challenge=case.link,
        challenge_expires_at=deadline,
        may_remember=case.browser_may_count() and case.data.login.browser_id is not None,
        recorded=case.effect.recorded,
    )


_SPEAK = None

# fmt: off
TABLE: tuple[Row, ...] = (
    #   the rule                    speaks when                  and says
    #                                                            which means
    Row("login-expired",            Case.expired,                _deny(Reason.LOGIN_EXPIRED),
        "the login's own expires_at has passed"),
    Row("action-denied",            Case.action_denied,          _deny(Reason.ACTION_DENIED),
        "an Action denied the login"),
    Row("action-redirects",         Case.action_redirects,       _deny(Reason.REDIRECTED),
        "an Action sends the browser elsewhere"),
    Row("action-failed",            Case.action_failed,          _deny(Reason.ACTION_ERROR),
        "an Action failed"),

    Row("step-up-acr",              lambda c: c.acr_asks,        _SPEAK,
        "the relying party asks for MFA by acr_values"),
    Row("step-up-max-age",          lambda c: c.max_age_asks,    _SPEAK,
        "no MFA of this session is as fresh as max_age asks"),
    Row("action-asks",              lambda c: c.action_asks,     _SPEAK,
        "an Action asks for MFA"),
    Row("action-suppresses",        Case.action_suppresses,      _SPEAK,
        "an Action switches the policy's MFA off"),
    Row("policy-all-applications",  lambda c: c.all_applications, _SPEAK,
        "the policy asks for MFA at every login"),
    Row("policy-low-confidence",    lambda c: c.low_confidence,  _SPEAK,
        "the adaptive policy asks for MFA, since the confidence is low or unknown"),
    Row("mfa-not-due",              Case.not_due,                _allow(Reason.MFA_NOT_DUE),
        "nobody asks for MFA"),

    Row("no-usable-factor",         Case.no_provider,            _deny(Reason.NO_USABLE_FACTOR),
        "MFA is due, and nobody can challenge"),
    Row("other-provider",           Case.delegated,              _delegate,
        "another provider than Duo is due"),

    Row("browser-ignored",          Case.browser_ignored,        _SPEAK,
        "the browser is remembered, and that is not enough for this login"),
    Row("remembered-browser",       Case.browser_counts,         _allow(Reason.REMEMBERED_BROWSER),
        "the browser is remembered, and that is enough"),

    Row("duo-username-missing",     Case.nameless,               _deny(Reason.DUO_USERNAME_MISSING),
        "the user lacks the attribute that is the Duo user name"),
    Row("return-url-not-allowed",   Case.return_url_refused,     _deny(Reason.RETURN_URL_NOT_ALLOWED),
        "the login's return_url is not one that the tenant allows"),
    Row("push-cool-down",           Case.cooling_down,           _deny(Reason.PUSH_COOL_DOWN),
        "the user refused prompts lately, and is left alone"),
    Row("push-budget-spent",        Case.budget_spent,           _deny(Reason.PUSH_BUDGET_SPENT),
        "one more prompt would be one too many"),
    Row("duo-challenge",            lambda _: True,              _challenge,
        "Duo challenges the user"),
)
# fmt: on


def decide(  # a decision's inputs are what they are
    event: LoginAttempted,
    tenant: TenantSettings,
    effect: Effect,
    facts: Facts,
    now: datetime,
    link: ChallengeLink,
) -> Decision:
    """Decide a login.

    Args:
        event: the login.
        tenant: the settings in force.
        effect: what the tenant's Actions asked for.
        facts: what the store knows of the user and the browser.
        now: the instant of the decision.
        link: the challenge that the event would have.

    Returns:
        The decision with its reason and trace; the last rule of the trace is the one that ended it.
    """
    case = Case(event, tenant, effect, facts, now, link)
    trace = list(effect.trace)
    for rule, when, then, _ in TABLE:
        if when(case):
            trace.append(rule)
            if then is not None:
                return then(case, trace)
    raise AssertionError(trace)  # the last row always speaks


def denied_for_budget(challenged: Decision) -> Decision:
    """Return what a challenge becomes where another worker has spent the budget in between."""
    return _denied_after_all(challenged, Reason.PUSH_BUDGET_SPENT)


def denied_for_cool_down(challenged: Decision) -> Decision:
    """Return what a challenge becomes where the user has refused another prompt in between."""
    return _denied_after_all(challenged, Reason.PUSH_COOL_DOWN)


def _denied_after_all(challenged: Decision, reason: Reason) -> Decision:
    return Decision(
        type=ResultType.LOGIN_DENIED,
        reason=reason,
        decided_at=challenged.decided_at,
        settings_version=challenged.settings_version,
        traceparent=challenged.traceparent,
        trace=(*challenged.trace[:-1], reason.value.replace("_", "-")),
        recorded=challenged.recorded,
    )
