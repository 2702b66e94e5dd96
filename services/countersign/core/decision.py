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


class _Row(NamedTuple):
    rule: str
    when: Callable[[Case], bool]
    then: Callable[[Case, list[str]], Decision] | None


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
TABLE: tuple[_Row, ...] = (
    #    the rule                    speaks when                    and says
    _Row("login-expired",            Case.expired,                  _deny(Reason.LOGIN_EXPIRED)),
    _Row("action-denied",            Case.action_denied,            _deny(Reason.ACTION_DENIED)),
    _Row("action-redirects",         Case.action_redirects,         _deny(Reason.REDIRECTED)),
    _Row("action-failed",            Case.action_failed,            _deny(Reason.ACTION_ERROR)),

    _Row("step-up-acr",              lambda c: c.acr_asks,          _SPEAK),
    _Row("step-up-max-age",          lambda c: c.max_age_asks,      _SPEAK),
    _Row("action-asks",              lambda c: c.action_asks,       _SPEAK),
    _Row("action-suppresses",        Case.action_suppresses,        _SPEAK),
    _Row("policy-all-applications",  lambda c: c.all_applications,  _SPEAK),
    _Row("policy-low-confidence",    lambda c: c.low_confidence,    _SPEAK),
    _Row("mfa-not-due",              Case.not_due,                  _allow(Reason.MFA_NOT_DUE)),

    _Row("no-usable-factor",         Case.no_provider,              _deny(Reason.NO_USABLE_FACTOR)),
    _Row("other-provider",           Case.delegated,                _delegate),

    _Row("browser-ignored",          Case.browser_ignored,          _SPEAK),
    _Row("remembered-browser",       Case.browser_counts,           _allow(Reason.REMEMBERED_BROWSER)),

    _Row("duo-username-missing",     Case.nameless,                 _deny(Reason.DUO_USERNAME_MISSING)),
    _Row("return-url-not-allowed",   Case.return_url_refused,       _deny(Reason.RETURN_URL_NOT_ALLOWED)),
    _Row("push-cool-down",           Case.cooling_down,             _deny(Reason.PUSH_COOL_DOWN)),
    _Row("push-budget-spent",        Case.budget_spent,             _deny(Reason.PUSH_BUDGET_SPENT)),
    _Row("duo-challenge",            lambda _: True,                _challenge),
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
    for rule, when, then in TABLE:
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
