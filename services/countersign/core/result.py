"""What goes out: the kinds of results, why, how sure, and the record that a result is made from.

A result is rebuilt, byte for byte, from the event and the recorded ruling (law 2), so a ruling holds
whatever the event doesn't.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class ResultType(StrEnum):
    """The kinds of results; `ce_type` is `countersign.<kind>.v1`."""

    LOGIN_ALLOWED = "login.allowed"
    LOGIN_DENIED = "login.denied"
    LOGIN_CHALLENGED = "login.challenged"
    LOGIN_DELEGATED = "login.delegated"
    CHALLENGE_PASSED = "challenge.passed"
    CHALLENGE_FAILED_OPEN = "challenge.failed_open"
    CHALLENGE_DENIED = "challenge.denied"
    CHALLENGE_EXPIRED = "challenge.expired"
    CHALLENGE_FAILED = "challenge.failed"


class Verdict(StrEnum):
    """What the relying party does: let in, turn away, or wait for what comes next."""

    ALLOW = "allow"
    DENY = "deny"
    PENDING = "pending"


VERDICTS = {
    ResultType.LOGIN_ALLOWED: Verdict.ALLOW,
    ResultType.LOGIN_DENIED: Verdict.DENY,
    ResultType.LOGIN_CHALLENGED: Verdict.PENDING,
    ResultType.LOGIN_DELEGATED: Verdict.PENDING,
    ResultType.CHALLENGE_PASSED: Verdict.ALLOW,
    ResultType.CHALLENGE_FAILED_OPEN: Verdict.ALLOW,
    ResultType.CHALLENGE_DENIED: Verdict.DENY,
    ResultType.CHALLENGE_EXPIRED: Verdict.DENY,
    ResultType.CHALLENGE_FAILED: Verdict.DENY,
}


class Reason(StrEnum):
    """Why; a closed list."""

    # login.allowed
    MFA_NOT_DUE = "mfa_not_due"
    REMEMBERED_BROWSER = "remembered_browser"
    # login.challenged, login.delegated
    MFA_DUE = "mfa_due"
    # login.denied
    ACTION_DENIED = "action_denied"
    ACTION_ERROR = "action_error"
    NO_USABLE_FACTOR = "no_usable_factor"
    DUO_USERNAME_MISSING = "duo_username_missing"
    RETURN_URL_NOT_ALLOWED = "return_url_not_allowed"
    PUSH_BUDGET_SPENT = "push_budget_spent"
    PUSH_COOL_DOWN = "push_cool_down"
    LOGIN_EXPIRED = "login_expired"
    REDIRECTED = "redirected"
    # challenge.*
    DUO_ALLOWED = "duo_allowed"
    DUO_DENIED = "duo_denied"
    DUO_BYPASSED = "duo_bypassed"
    FRAUD_REPORTED = "fraud_reported"
    DUO_UNAVAILABLE = "duo_unavailable"
    DUO_FAILED = "duo_failed"
    WRONG_RETURN_CODE = "wrong_return_code"
    NOT_BACK_IN_TIME = "not_back_in_time"


class Assurance(StrEnum):
    """What stands behind an allow; never one dressed as another."""

    MFA = "mfa"
    REMEMBERED = "remembered"
    DUO_BYPASS = "duo_bypass"
    FAIL_OPEN = "fail_open"
    NONE = "none"


class Ruling(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What was found, and why.

    Attributes:
        type: the kind of result that it makes.
        reason: the one reason, of the closed list.
        assurance: what stands behind it.
        decided_at: when, in milliseconds.
        settings_version: the version of the tenant's settings that was used.
        trace: the rules that spoke, in order.
    """

    type: ResultType
    reason: Reason
    assurance: Assurance = Assurance.NONE
    decided_at: datetime
    settings_version: int
    trace: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """What the relying party does about it."""
        return VERDICTS[self.type]


class ChallengeLink(msgspec.Struct, frozen=True):
    """A challenge as the browser meets it.

    Attributes:
        id: the challenge.
        url: our own stable URL for it (never Duo's, which is a bearer link of 300 s).
    """

    id: str
    url: str


class AccessDenied(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an Action said when it denied the login (Auth0: `access_denied`).

    Attributes:
        reason: for people, in the Action's words.
        code: for programs, if it gave one.
    """

    reason: str
    code: str | None = None


class Factor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A built-in factor that an Action's flow waits for (Auth0: `challengeWith`, `enrollWith`).

    Attributes:
        type: `otp`, `email`, `push-notification`, `phone`, `webauthn-platform`, `webauthn-roaming` or
            `recovery-code`.
        enroll: whether the user is to enroll it first.
        options: what the Action gave besides.
    """

    type: str
    enroll: bool = False
    options: dict[str, Any] | None = None


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A call of an Action that changes nothing here; the relying party may act on it.

    Attributes:
        call: the api's member, such as `user.setUserMetadata`.
        arguments: what it was called with.
    """

    call: str
    arguments: tuple[Any, ...] = ()


class Decision(Ruling, frozen=True, kw_only=True, array_like=True):
    """What was decided for a login event; the record that makes a redelivery answer the same.

    Attributes:
        challenge: where to send the browser, if challenged.
        challenge_expires_at: until when.
        provider: who is due, if delegated.
        may_remember: whether passing the challenge makes the browser a remembered one.
        traceparent: W3C trace context of the login event, passed through.
        access_denied: what the Action that denied it said.
        redirect_url: where an Action wants the browser.
        factors: what the login waits for, if delegated by an Action.
        recorded: calls of Actions for the relying party to act on.
    """

    challenge: ChallengeLink | None = None
    challenge_expires_at: datetime | None = None
    provider: str | None = None
    may_remember: bool = False
    traceparent: str | None = None
    access_denied: AccessDenied | None = None
    redirect_url: str | None = None
    factors: tuple[Factor, ...] = ()
    recorded: tuple[Recorded, ...] = ()


class DuoDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Duo said of a prompt beyond allow and deny; every field may be missing, its values are Duo's.

    Attributes:
        factor: how the user answered, in Duo's words; an open list.
        reason: why Duo said what it said, likewise.
        device: what the user calls the device.
        location: where Duo thinks that the browser was.
        ip: the browser's address, as Duo saw it.
        username: the user's name at Duo.
    """

    factor: str | None = None
    reason: str | None = None
    device: str | None = None
    location: str | None = None
    ip: str | None = None
    username: str | None = None


class Outcome(Ruling, frozen=True, kw_only=True, array_like=True):
    """How a challenge ended.

    Attributes:
        duo: what Duo said of the prompt, as far as the tenant lets it out; None where Duo said nothing.
    """

    duo: DuoDetails | None = None


def to_milliseconds(instant: datetime) -> datetime:
    """Return the instant in whole milliseconds, which is how precisely anything is recorded."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
