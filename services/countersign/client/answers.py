"""What a relying party gets back: a decision on a login, or how its challenge ended.

Law: an answer allows only where a result of a known kind says so in every place; whatever is unknown,
or contradicts itself, is no answer at all.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.result import (
    VERDICTS,
    AccessDenied,
    Assurance,
    Factor,
    Reason,
    Recorded,
    ResultType,
    Verdict,
)
from countersign.wire.forms import Headers
from countersign.wire.results import Result, read_result


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What decisions and outcomes have in common.

    Attributes:
        event_id: the login event that it answers.
        verdict: let in, turn away, or wait.
        reason: why; of a closed list.
        assurance: what stands behind an allow.
        trace: the rules that spoke, in order.
        result: the whole result, as it stood on the bus.
    """

    event_id: str
    verdict: Verdict
    reason: Reason
    assurance: Assurance
    trace: tuple[str, ...]
    result: Result

    @property
    def allowed(self) -> bool:
        """The login may go on. The only property that says so."""
        return self.verdict is Verdict.ALLOW

    @property
    def denied(self) -> bool:
        """The login ends here."""
        return self.verdict is Verdict.DENY


class LoginDecision(_Answer, frozen=True, kw_only=True):
    """What was decided on a login; see `_Answer` for the attributes that it shares.

    Attributes:
        challenge_url: where to send the browser, if challenged.
        challenge_expires_at: until when the browser has to be back.
        provider: who challenges instead of Duo, if delegated; its outcome doesn't come from here.
        factors: the built-in factors that are waited for, if an Action delegated.
        access_denied: what an Action said when it denied the login; text for people, never markup.
        redirect_url: where an Action wants the browser; look at it before you follow it (`may_follow`).
        effects: calls of Actions, such as changes of metadata, that you may act on.
    """

    challenge_url: str | None = None
    challenge_expires_at: datetime | None = None
    provider: str | None = None
    factors: tuple[Factor, ...] = ()
    access_denied: AccessDenied | None = None
    redirect_url: str | None = None
    effects: tuple[Recorded, ...] = ()

    @property
    def challenged(self) -> bool:
        """Send the browser to `challenge_url`, and complete the login when it comes back."""
        return self.verdict is Verdict.PENDING and self.challenge_url is not None

    @property
    def delegated(self) -> bool:
        """Have `provider` challenge the user; Countersign says no more about this login."""
        return self.verdict is Verdict.PENDING and self.provider is not None


def may_follow(url: str) -> bool:
    """Say whether a browser may be sent to an Action's `redirect_url`: https, or http on this machine."""
    if not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    loopback = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and loopback)
    )


class LoginOutcome(_Answer, frozen=True, kw_only=True):
    """How a challenge ended: allowed or denied, never pending."""


def read_answer(value: bytes | None, headers: Headers) -> Result:
    """Return the result that a record holds, checked against itself.

    Raises:
        InvalidEventError: it isn't one of Countersign's, is of a later version, or contradicts itself.
    """
    if value is None:
        raise InvalidEventError(Defect.EMPTY, "the record has no value")
    result = read_result(value, headers)
    body = result.body
    if (body.tenant, body.event_id) != (result.identity.tenant, result.identity.event_id):
        raise InvalidEventError(Defect.INVALID_EVENT, "value and headers name different events")
    if body.verdict is not VERDICTS[result.type]:
        raise InvalidEventError(Defect.INVALID_EVENT, "the verdict is not the type's")
    if result.type is ResultType.LOGIN_CHALLENGED and body.challenge_url is None:
        raise InvalidEventError(Defect.INVALID_EVENT, "a challenge without challenge_url")
    return result


def decision_of(result: Result) -> LoginDecision:
    """Return a result as a decision."""
    body = result.body
    return LoginDecision(
        event_id=body.event_id,
        verdict=body.verdict,
        reason=body.reason,
        assurance=body.assurance,
        trace=body.trace,
        result=result,
        challenge_url=body.challenge_url,
        challenge_expires_at=body.challenge_expires_at,
        provider=body.provider,
        factors=body.factors,
        access_denied=body.access_denied,
        redirect_url=body.redirect_url,
        effects=body.effects,
    )


def outcome_of(result: Result) -> LoginOutcome:
    """Return a terminal result as an outcome."""
    body = result.body
    return LoginOutcome(
        event_id=body.event_id,
        verdict=body.verdict,
        reason=body.reason,
        assurance=body.assurance,
        trace=body.trace,
        result=result,
    )
