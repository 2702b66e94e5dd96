"""A challenge's life: one transition table, and below it what each signal does to the value.

Law 5: a challenge has exactly one outcome. Whoever wants to move it computes the next value here, and
stores it by a compare-and-set on the revision that it started from; who comes second starts again
from what stands. Law 6: `passed` is reached only from `proven`, and only by the right code.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from countersign.core.budget import Refusal, Refused
from countersign.core.errors import IllegalTransitionError
from countersign.core.identity import EventIdentity
from countersign.core.result import Assurance, DuoDetails, Outcome, Reason, ResultType
from countersign.core.tenant import DuoAccount


class State(StrEnum):
    """Where a challenge stands."""

    PENDING = "pending"
    EXCHANGING = "exchanging"
    PROVEN = "proven"
    PASSED = "passed"
    FAILED_OPEN = "failed_open"
    DENIED = "denied"
    EXPIRED = "expired"
    FAILED = "failed"


class Signal(StrEnum):
    """What can happen to a challenge."""

    VISITED = "visited"
    """A browser is sent to a prompt of its own."""
    CLAIMED = "claimed"
    """A callback takes the lease to exchange Duo's code."""
    DUO_ALLOWED = "duo_allowed"
    DUO_DENIED = "duo_denied"
    DUO_BYPASSED = "duo_bypassed"
    """Duo allowed without a second factor, and the tenant doesn't accept that."""
    FRAUD_REPORTED = "fraud_reported"
    """The user told Duo that somebody else asked for the prompt."""
    DUO_FAILED = "duo_failed"
    DUO_UNREACHABLE = "duo_unreachable"
    """Duo is out of reach, and that is the end: the failmode is closed, or it went away on the way."""
    DUO_SKIPPED = "duo_skipped"
    """Duo is out of reach before a prompt was opened, and the tenant's failmode is open."""
    RETURNED = "returned"
    """The browser came back with the right code, after a proof by Duo."""
    RETURNED_UNPROVEN = "returned_unproven"
    """The browser came back with the right code, after a fail-open."""
    RETURNED_WRONG = "returned_wrong"
    OVERDUE = "overdue"


TRANSITIONS: dict[tuple[State, Signal], State] = {
    (State.PENDING, Signal.VISITED): State.PENDING,
    (State.PENDING, Signal.CLAIMED): State.EXCHANGING,
    (State.PENDING, Signal.DUO_SKIPPED): State.PROVEN,
    (State.PENDING, Signal.DUO_DENIED): State.DENIED,
    (State.PENDING, Signal.DUO_FAILED): State.FAILED,
    (State.PENDING, Signal.DUO_UNREACHABLE): State.FAILED,
    (State.PENDING, Signal.RETURNED_WRONG): State.DENIED,
    (State.PENDING, Signal.OVERDUE): State.EXPIRED,
    # A lease that ran out: the exchange crashed. Its callback may come again, or the browser start anew.
    (State.EXCHANGING, Signal.VISITED): State.PENDING,
    (State.EXCHANGING, Signal.CLAIMED): State.EXCHANGING,
    (State.EXCHANGING, Signal.DUO_ALLOWED): State.PROVEN,
    (State.EXCHANGING, Signal.DUO_DENIED): State.DENIED,
    (State.EXCHANGING, Signal.DUO_BYPASSED): State.DENIED,
    (State.EXCHANGING, Signal.FRAUD_REPORTED): State.DENIED,
    (State.EXCHANGING, Signal.DUO_FAILED): State.FAILED,
    (State.EXCHANGING, Signal.DUO_UNREACHABLE): State.FAILED,
    (State.EXCHANGING, Signal.RETURNED_WRONG): State.DENIED,
    (State.EXCHANGING, Signal.OVERDUE): State.EXPIRED,
    (State.PROVEN, Signal.RETURNED): State.PASSED,
    (State.PROVEN, Signal.RETURNED_UNPROVEN): State.FAILED_OPEN,
    (State.PROVEN, Signal.RETURNED_WRONG): State.DENIED,
    (State.PROVEN, Signal.OVERDUE): State.EXPIRED,
}
"""What is not in the table does not happen. No state with an outcome has a way out."""

MAX_VISITS = 20
"""How many visits of a challenge are kept; of more, the earliest can't come back any more."""

PUBLICATION_GRACE = timedelta(seconds=10)
"""How long an outcome may take to the bus before a sweeper takes care of it: whoever found it crashed."""

TERMINAL = frozenset({State.PASSED, State.FAILED_OPEN, State.DENIED, State.EXPIRED, State.FAILED})

_OUTCOMES: dict[Signal, tuple[ResultType, Reason]] = {
    Signal.DUO_DENIED: (ResultType.CHALLENGE_DENIED, Reason.DUO_DENIED),
    Signal.DUO_BYPASSED: (ResultType.CHALLENGE_DENIED, Reason.DUO_BYPASSED),
    Signal.FRAUD_REPORTED: (ResultType.CHALLENGE_DENIED, Reason.FRAUD_REPORTED),
    Signal.DUO_FAILED: (ResultType.CHALLENGE_FAILED, Reason.DUO_FAILED),
    Signal.DUO_UNREACHABLE: (ResultType.CHALLENGE_FAILED, Reason.DUO_UNAVAILABLE),
    Signal.RETURNED: (ResultType.CHALLENGE_PASSED, Reason.DUO_ALLOWED),
    Signal.RETURNED_UNPROVEN: (ResultType.CHALLENGE_FAILED_OPEN, Reason.DUO_UNAVAILABLE),
    Signal.RETURNED_WRONG: (ResultType.CHALLENGE_DENIED, Reason.WRONG_RETURN_CODE),
    Signal.OVERDUE: (ResultType.CHALLENGE_EXPIRED, Reason.NOT_BACK_IN_TIME),
}

_REFUSED: dict[Reason, Refused] = {
    Reason.DUO_DENIED: Refused.DENIED,
    Reason.FRAUD_REPORTED: Refused.FRAUD,
    Reason.NOT_BACK_IN_TIME: Refused.LEFT,
    # Whoever drives the browser isn't always the user: these ends are a thief's to choose, too.
    Reason.WRONG_RETURN_CODE: Refused.LEFT,
    Reason.DUO_FAILED: Refused.LEFT,
}


class Visit(msgspec.Struct, frozen=True):
    """A browser on its way through a challenge, and the cookie that it is known by again.

    Attributes:
        id: the keyed hash of the `state` that Duo gives back.
        cookie: the keyed hash of the cookie's value.
        at: when the browser came.
    """

    id: str
    cookie: str
    at: datetime


class Lease(msgspec.Struct, frozen=True):
    """Who is exchanging Duo's code now.

    Attributes:
        holder: an unguessable name, new for each claim.
        until: when another may claim.
    """

    holder: str
    until: datetime


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """What Duo said, waiting for the browser to come back.

    Attributes:
        assurance: `mfa`, `duo_bypass` or `fail_open`.
        code_hash: the keyed hash of the one-time return code.
        visit: whose browser gets the code.
        duo: what Duo said besides, as far as the tenant lets it out.
    """

    assurance: Assurance
    code_hash: str
    visit: Visit
    duo: DuoDetails | None = None


class Challenge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An issued MFA prompt.

    Attributes:
        id: bucket and keyed hash of the login event.
        identity: the login event.
        subject: the user.
        client_id: the relying party.
        created_at: when it was decided.
        deadline: when it expires.
        duo_username: the user's name at Duo, exactly as it is sent.
        return_url: where the browser goes afterwards; the tenant's settings allowed it.
        settings_version: the version of the settings that decided it.
        duo: the Duo account that an Action named for it; None: the tenant's.
        browser: keyed hash of the browser to remember on `passed`; None = don't.
        ui_locales: the languages that the relying party asked for, the dearest first.
        traceparent: W3C trace context of the login event.
        state: where it stands.
        visits: the browsers that were sent to a prompt, each with a prompt of its own.
        lease: who is exchanging, in `exchanging`.
        proof: what Duo said, from `proven` on.
        outcome: how it ended, in a terminal state.
        revision: counts the changes; a compare-and-set names it.
    """

    id: str
    identity: EventIdentity
    subject: str
    client_id: str
    created_at: datetime
    deadline: datetime
    duo_username: str
    return_url: str
    settings_version: int
    duo: DuoAccount | None = None
    browser: str | None = None
    ui_locales: tuple[str, ...] = ()
    traceparent: str | None = None
    state: State = State.PENDING
    visits: tuple[Visit, ...] = ()
    lease: Lease | None = None
    proof: Proof | None = None
    outcome: Outcome | None = None
    revision: int = 0


def visit(challenge: Challenge, visit: Visit, now: datetime) -> Challenge:
    """Send a browser to a prompt of its own.

    Raises:
        IllegalTransitionError: an exchange is under way, or the state takes no visit.
    """
    if now >= challenge.deadline:
        return expire(challenge, now)
    _leave_alone(challenge, now)
    visits = (*challenge.visits, visit)[-MAX_VISITS:]
    return msgspec.structs.replace(_moved(challenge, Signal.VISITED), visits=visits, lease=None)


def claim(challenge: Challenge, holder: str, now: datetime, term: timedelta) -> Challenge:
    """Take the lease to exchange Duo's code.

    Raises:
        IllegalTransitionError: another holds a lease that still runs, or the state takes no claim.
    """
    if now >= challenge.deadline:
        return expire(challenge, now)
    _leave_alone(challenge, now)
    moved = _moved(challenge, Signal.CLAIMED)
    return msgspec.structs.replace(moved, lease=Lease(holder=holder, until=now + term))


def prove(challenge: Challenge, holder: str, proof: Proof, now: datetime) -> Challenge:
    """Record that Duo allowed; the browser still has to come back.

    Raises:
        IllegalTransitionError: the lease is another's by now, or the state takes no proof.
    """
    _hold(challenge, holder)
    if proof.assurance not in {Assurance.MFA, Assurance.DUO_BYPASS}:
        message = f"{proof.assurance.value} is no proof by Duo"
        raise IllegalTransitionError(message)
    if now >= challenge.deadline:
        return expire(challenge, now)
    return msgspec.structs.replace(_moved(challenge, Signal.DUO_ALLOWED), proof=proof, lease=None)


def skip(challenge: Challenge, code_hash: str, visit: Visit, now: datetime) -> Challenge:
    """Record that Duo is out of reach and the failmode is open; the browser has to come back.

    Raises:
        IllegalTransitionError: a prompt was opened already, or the state takes no skip.
    """
    _unprompted(challenge)
    if now >= challenge.deadline:
        return expire(challenge, now)
    proof = Proof(assurance=Assurance.FAIL_OPEN, code_hash=code_hash, visit=visit)
    return msgspec.structs.replace(_moved(challenge, Signal.DUO_SKIPPED), proof=proof)


def deny(
    challenge: Challenge,
    holder: str | None,
    now: datetime,
    *,
    signal: Signal = Signal.DUO_DENIED,
    duo: DuoDetails | None = None,
) -> Challenge:
    """Record that Duo denied, or allowed in a way that counts as no.

    Args:
        challenge: as it stands.
        holder: who exchanges the code; None: nobody does, Duo said so in place of a code.
        now: the instant.
        signal: `DUO_DENIED`, `DUO_BYPASSED` or `FRAUD_REPORTED`.
        duo: what Duo said besides, as far as the tenant lets it out.

    Raises:
        IllegalTransitionError: the lease is another's by now, or the challenge has ended.
    """
    _hold(challenge, holder)
    return _ended(challenge, signal, now, duo)


def fail(challenge: Challenge, holder: str | None, now: datetime) -> Challenge:
    """Record that Duo, or its configuration, failed; see `deny` for the arguments.

    Raises:
        IllegalTransitionError: the lease is another's by now, or the challenge has ended.
    """
    _hold(challenge, holder)
    return _ended(challenge, Signal.DUO_FAILED, now)


def give_up(challenge: Challenge, holder: str | None, now: datetime) -> Challenge:
    """Record that Duo is out of reach, and nothing else is allowed; see `deny` for the arguments.

    Raises:
        IllegalTransitionError: the lease is another's by now, a prompt is open that may still be
            answered, or the challenge has ended.
    """
    _hold(challenge, holder)
    if holder is None:
        _unprompted(challenge)
    return _ended(challenge, Signal.DUO_UNREACHABLE, now)


def expire(challenge: Challenge, now: datetime) -> Challenge:
    """End a challenge whose deadline has passed.

    Raises:
        IllegalTransitionError: it has not, or the challenge has ended.
    """
    if now < challenge.deadline:
        message = "the challenge's deadline has not passed"
        raise IllegalTransitionError(message)
    return _ended(challenge, Signal.OVERDUE, now)


def come_back(challenge: Challenge, code_hash: str, now: datetime) -> Challenge:
    """Settle a challenge by the browser's return with a code.

    Only the right code after a proof and before the deadline passes. A code before the proof can't
    be right, since none has been given out.

    Args:
        challenge: as it stands.
        code_hash: the keyed hash of the code that came.
        now: the instant.

    Raises:
        IllegalTransitionError: the challenge has ended; its outcome stands.
    """
    if challenge.state not in TERMINAL and now >= challenge.deadline:
        return expire(challenge, now)
    proof = challenge.proof
    if challenge.state is not State.PROVEN or proof is None:
        return _ended(challenge, Signal.RETURNED_WRONG, now)
    if not hmac.compare_digest(proof.code_hash, code_hash):
        return _ended(challenge, Signal.RETURNED_WRONG, now)
    if proof.assurance is Assurance.FAIL_OPEN:
        return _ended(challenge, Signal.RETURNED_UNPROVEN, now)
    return _ended(challenge, Signal.RETURNED, now)


def earns_remembering(challenge: Challenge) -> bool:
    """Say whether the browser is to be remembered: passed by real MFA alone (law 7)."""
    return (
        challenge.state is State.PASSED
        and challenge.proof is not None
        and challenge.proof.assurance is Assurance.MFA
        and challenge.browser is not None
    )


def refusal(challenge: Challenge) -> Refusal | None:
    """Return how the user refused the prompt that the challenge ended with; None where nobody refused.

    A prompt that was opened and not approved counts, however the challenge ended, since a denial at Duo is
    silence as a rule; an outage of Duo's and a bypass that the tenant doesn't accept are nobody's no.
    """
    outcome = challenge.outcome
    if outcome is None:
        return None
    kind = _REFUSED.get(outcome.reason)
    if kind is Refused.LEFT and (challenge.proof is not None or not challenge.visits):
        return None
    return Refusal(outcome.decided_at, kind) if kind is not None else None


def may_be_heard_late(challenge: Challenge) -> bool:
    """Say whether a browser that is back from Duo too late may still bring a report of fraud.

    A wrong return code ended the challenge while nobody was asking Duo: whoever relays a link can bring
    that about, and it is not to keep the report from being heard.
    """
    outcome = challenge.outcome
    return (
        outcome is not None
        and outcome.reason is Reason.WRONG_RETURN_CODE
        and outcome.trace[0] == _was(State.PENDING)
    )


def next_state(state: State, signal: Signal) -> State:
    """Look the table up.

    Raises:
        IllegalTransitionError: it has no such row.
    """
    try:
        return TRANSITIONS[state, signal]
    except KeyError:
        message = f"a challenge that is {state.value} takes no {signal.value}"
        raise IllegalTransitionError(message) from None


def prompt_name(challenge: Challenge) -> str:
    """Return what the push budget knows the latest visit's prompt by.

    The first prompt was charged when the challenge was opened, under the challenge's own name.
    """
    latest = challenge.visits[-1]
    return challenge.id if len(challenge.visits) == 1 else f"{challenge.id}.{latest.id}"


def due_at(challenge: Challenge) -> datetime:
    """Return when a sweeper has to look after the challenge, unless its outcome is on the bus."""
    if challenge.outcome is None:
        return challenge.deadline
    return challenge.outcome.decided_at + PUBLICATION_GRACE


def _hold(challenge: Challenge, holder: str | None) -> None:
    lease = challenge.lease
    if holder is None and lease is None:
        return
    if holder is None or lease is None or not hmac.compare_digest(lease.holder, holder):
        message = "the lease is another's"
        raise IllegalTransitionError(message)


def _leave_alone(challenge: Challenge, now: datetime) -> None:
    lease = challenge.lease
    if challenge.state is State.EXCHANGING and lease is not None and now < lease.until:
        message = "another callback is exchanging the code"
        raise IllegalTransitionError(message)


def _unprompted(challenge: Challenge) -> None:
    if challenge.visits:
        message = "a prompt was opened already"
        raise IllegalTransitionError(message)


def _moved(challenge: Challenge, signal: Signal) -> Challenge:
    return msgspec.structs.replace(
        challenge,
        state=next_state(challenge.state, signal),
        revision=challenge.revision + 1,
    )


def _was(state: State) -> str:
    return f"challenge-{state.value}"


def _ended(
    challenge: Challenge, signal: Signal, now: datetime, duo: DuoDetails | None = None
) -> Challenge:
    moved = _moved(challenge, signal)
    kind, reason = _OUTCOMES[signal]
    proof = challenge.proof
    allowed = signal in {Signal.RETURNED, Signal.RETURNED_UNPROVEN}
    outcome = Outcome(
        type=kind,
        reason=reason,
        assurance=proof.assurance if allowed and proof is not None else Assurance.NONE,
        decided_at=now,
        settings_version=challenge.settings_version,
        trace=(_was(challenge.state), signal.value.replace("_", "-")),
        duo=proof.duo if allowed and proof is not None else duo,
    )
    return msgspec.structs.replace(moved, outcome=outcome, lease=None)
