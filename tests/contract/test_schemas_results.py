"""Whatever Countersign publishes on `mfa-results` is as the schemas say, and reads back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.core.budget import Refusal, Refused
from countersign.core.challenge import (
    Challenge,
    Signal,
    claim,
    come_back,
    deny,
    expire,
    fail,
    give_up,
    skip,
)
from countersign.core.decision import decide, denied_for_budget, denied_for_cool_down
from countersign.core.effect import Effect, Provider
from countersign.core.errors import InvalidEventError
from countersign.core.facts import Facts
from countersign.core.identity import EventIdentity
from countersign.core.login import LoginAttempted
from countersign.core.result import (
    Assurance,
    Decision,
    DuoDetails,
    Outcome,
    Reason,
    ResultType,
    Ruling,
)
from countersign.core.tenant import DuoUsername, Factors, Mfa, Policy, TenantSettings
from countersign.wire.results import read_result, write_result
from tests import strategies
from tests.builders import (
    DUO_SAID,
    NOW,
    PSEUDONYMS,
    a_browser,
    a_challenge,
    a_link,
    a_login,
    a_proven_challenge,
    a_tenant,
    a_visit,
    decided,
)
from tests.contract import schema_files as files
from tests.contract.schema_files import complaints
from tests.contract.schema_records import Example, Record, examples, headers_object, json_value

unhurried = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

CODE = "the-right-code"
_TERM = timedelta(seconds=15)


def _complaints(record: Record) -> list[str]:
    """Return what the schemas of headers, of every value and of this type's value have against it."""
    headers, value = headers_object(record.headers), json_value(record.value)
    kind = headers.get("ce_type", "").removeprefix("countersign.").removesuffix(".v1")
    references = [files.RESULT]
    if kind in set(ResultType):
        references.append(f"{files.RESULT}#/$defs/{kind}")
    return [
        *complaints(files.RESULT_HEADERS, headers),
        *(complaint for reference in references for complaint in complaints(reference, value)),
    ]


@pytest.mark.parametrize("example", examples("result", "valid"))
def test_a_valid_example_is_read(example: Example) -> None:
    """The schemas accept it and the client's reader reads it."""
    assert _complaints(example.record) == []
    assert example.record.value is not None
    read_result(example.record.value, example.record.headers)


@pytest.mark.parametrize("example", examples("result", "invalid"))
def test_an_invalid_example_is_refused(example: Example) -> None:
    """The schemas refuse it; the reader names its defect, or takes what the example calls lenient."""
    assert _complaints(example.record) != []
    assert example.record.value is not None
    if example.defect is None:
        assert example.lenient
        read_result(example.record.value, example.record.headers)
        return
    with pytest.raises(InvalidEventError) as refused:
        read_result(example.record.value, example.record.headers)
    assert refused.value.defect is example.defect


def _denied(
    challenge: Challenge,
    now: datetime,
    *,
    signal: Signal = Signal.DUO_DENIED,
    duo: DuoDetails | None = None,
) -> Challenge:
    claimed = claim(challenge, "holder", now, _TERM)
    return deny(claimed, "holder", now, signal=signal, duo=duo)


def _failed(challenge: Challenge, now: datetime) -> Challenge:
    return fail(claim(challenge, "holder", now, _TERM), "holder", now)


def _expired(challenge: Challenge, now: datetime) -> Challenge:
    return expire(challenge, challenge.deadline + (now - NOW))


def _returned(code: str, assurance: Assurance) -> Callable[[Challenge, datetime], Challenge]:
    def end(challenge: Challenge, now: datetime) -> Challenge:
        if assurance is Assurance.FAIL_OPEN:
            proven = skip(challenge, PSEUDONYMS.code(challenge.id, CODE), a_visit(at=now), now)
        else:
            proven = a_proven_challenge(assurance=assurance, duo=DUO_SAID)
        return come_back(proven, PSEUDONYMS.code(proven.id, code), now)

    return end


_ENDS: dict[str, Callable[[Challenge, datetime], Challenge]] = {
    "passed": _returned(CODE, Assurance.MFA),
    "bypassed": _returned(CODE, Assurance.DUO_BYPASS),
    "failed open": _returned(CODE, Assurance.FAIL_OPEN),
    "wrong code": _returned("another-code", Assurance.MFA),
    "denied": _denied,
    "denied, all said": lambda challenge, now: _denied(challenge, now, duo=DUO_SAID),
    "bypass not accepted": lambda challenge, now: _denied(
        challenge, now, signal=Signal.DUO_BYPASSED
    ),
    "fraud": lambda challenge, now: _denied(challenge, now, signal=Signal.FRAUD_REPORTED),
    "expired": _expired,
    "failed": _failed,
    "given up": lambda challenge, now: give_up(challenge, None, now),
}

_DECISIONS: dict[str, Callable[[], Decision]] = {
    "not due": lambda: decided(tenant=a_tenant(policy=Policy.NEVER)),
    "remembered": lambda: decided(facts=Facts(remembered=a_browser())),
    "challenged": decided,
    "challenged until the login's own end": lambda: decided(
        a_login(expires_at=NOW + timedelta(seconds=90, microseconds=1500))
    ),
    "delegated": lambda: decided(effect=Effect(provider=Provider.GUARDIAN)),
    "denied": lambda: decided(effect=Effect(denied=Reason.ACTION_DENIED)),
    "redirected": lambda: decided(
        effect=Effect(denied=Reason.REDIRECTED, redirect_url="https://acme.example/why")
    ),
    "failed": lambda: decided(effect=Effect(denied=Reason.ACTION_ERROR)),
    "no factor": lambda: decided(tenant=a_tenant(factors=Factors())),
    "nameless": lambda: decided(
        a_login(user={"email_verified": False}),
        tenant=a_tenant(mfa=Mfa(policy=Policy.ALL_APPLICATIONS, duo_username=DuoUsername.EMAIL)),
    ),
    "no return URL": lambda: decided(a_login(return_url=None)),
    "budget spent": lambda: decided(facts=Facts(prompts=(NOW,) * 5)),
    "budget spent in between": lambda: denied_for_budget(decided()),
    "cooling down": lambda: decided(facts=Facts(refusals=(Refusal(NOW, Refused.FRAUD),))),
    "cooling down since": lambda: denied_for_cool_down(decided()),
    "late": lambda: decided(a_login(expires_at=NOW)),
}


def _outcome(end: str, now: datetime = NOW) -> Outcome:
    outcome = _ENDS[end](a_challenge(), now).outcome
    assert outcome is not None
    return outcome


def _publishes(ruling: Ruling, identity: EventIdentity, subject: str, **rest: Any) -> None:  # noqa: ANN401  # write_result's own
    record = write_result("mfa-results", identity, subject, "shop", ruling, **rest)
    assert record.value is not None
    assert _complaints(Record(record.key, record.value, record.headers)) == []
    result = read_result(record.value, record.headers)
    assert (result.type, result.identity) == (ruling.type, identity)
    body = result.body
    assert (body.tenant, body.event_id, body.subject, body.client_id) == (
        identity.tenant,
        identity.event_id,
        subject,
        "shop",
    )
    fields = ("verdict", "reason", "assurance", "decided_at", "settings_version", "trace")
    for field in fields:
        assert getattr(body, field) == getattr(ruling, field)
    link = getattr(ruling, "challenge", None)
    assert body.challenge_url == (link.url if link else None)
    assert body.challenge_expires_at == getattr(ruling, "challenge_expires_at", None)
    assert body.provider == getattr(ruling, "provider", None)
    assert body.access_denied == getattr(ruling, "access_denied", None)
    assert body.redirect_url == getattr(ruling, "redirect_url", None)
    assert body.factors == getattr(ruling, "factors", ())
    # JSON knows no tuple.
    assert msgspec.to_builtins(body.effects) == msgspec.to_builtins(getattr(ruling, "recorded", ()))


def test_every_type_and_reason_is_published_as_the_schema_says() -> None:
    """Between them these decisions and outcomes are of every type and have every reason."""
    rulings = [decide_it() for decide_it in _DECISIONS.values()] + [_outcome(end) for end in _ENDS]
    for ruling in rulings:
        _publishes(ruling, EventIdentity("acme", "https://shop.example.com", "e"), "auth0|alice")
    assert {ruling.type for ruling in rulings} == set(ResultType)
    assert {ruling.reason for ruling in rulings} == set(Reason)
    assert {ruling.assurance for ruling in rulings} == set(Assurance)


_printable = st.characters(codec="utf-8", min_codepoint=0x20, exclude_characters="\x7f")
_identities = st.builds(
    EventIdentity,
    st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True),
    st.text(_printable, min_size=1, max_size=40),
    st.text(_printable, min_size=1, max_size=40),
)
_subjects = st.text(_printable, min_size=1, max_size=40)
_traceparents = st.one_of(
    st.none(),
    st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True),
)
_instants = st.integers(0, 60_000).map(lambda number: NOW + timedelta(milliseconds=number))


@unhurried
@given(
    login=strategies.logins(),
    tenant=strategies.tenants(),
    effect=strategies.effects,
    facts=strategies.facts,
    now=_instants,
    identity=_identities,
    subject=_subjects,
    traceparent=_traceparents,
)
def test_every_decision_is_published_as_the_schema_says(  # noqa: PLR0913  # a decision's inputs
    *,
    login: LoginAttempted,
    tenant: TenantSettings,
    effect: Effect,
    facts: Facts,
    now: datetime,
    identity: EventIdentity,
    subject: str,
    traceparent: str | None,
) -> None:
    """Whatever is decided, for whatever names, is valid and reads back as it was."""
    decision = decide(login, tenant, effect, facts, now, a_link(login))
    _publishes(decision, identity, subject, traceparent=traceparent)


@unhurried
@given(st.sampled_from(sorted(_ENDS)), _instants, _identities, _subjects, _traceparents)
def test_every_outcome_is_published_as_the_schema_says(
    end: str, now: datetime, identity: EventIdentity, subject: str, traceparent: str | None
) -> None:
    """However a challenge ends, for whatever names, its result is valid and reads back as it was."""
    _publishes(_outcome(end, now), identity, subject, traceparent=traceparent)
