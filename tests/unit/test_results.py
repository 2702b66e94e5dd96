"""Results on the bus: the same bytes for the same event and ruling, and read back as they were."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.challenge import come_back, expire
from countersign.core.effect import Effect
from countersign.core.errors import InvalidEventError
from countersign.core.facts import Facts
from countersign.core.identity import Stage, murmur2, partition_of, result_id
from countersign.core.login import LoginAttempted
from countersign.core.result import (
    VERDICTS,
    Outcome,
    Reason,
    ResultType,
    Ruling,
    Verdict,
    to_milliseconds,
)
from countersign.core.tenant import TenantSettings
from countersign.wire.records import pack, unpack_decision
from countersign.wire.results import OutboundRecord, cause, read_result, write_result
from tests import strategies
from tests.builders import (
    ACME,
    ALICE,
    NOW,
    SHOP,
    SOURCE,
    a_decision,
    a_login,
    a_proven_challenge,
    an_identity,
    decided,
)

TOPIC = "mfa-results"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def written(login: LoginAttempted, ruling: Ruling) -> OutboundRecord:
    """Return the record that answers a login."""
    client_id = login.event.client.client_id
    return write_result(
        TOPIC, login.identity, login.subject, client_id, ruling, traceparent=login.traceparent
    )


@pytest.mark.law(2)
def test_a_challenged_login_is_published_in_these_bytes() -> None:
    """Law 2: key, value and headers are the same for ever; relying parties parse and dedupe them."""
    record = written(a_login(traceparent=TRACE), decided())
    assert record == OutboundRecord(
        topic=TOPIC,
        key=b"acme:auth0|alice",
        value=(
            b'{"event_id":"login-1","tenant":"acme","subject":"auth0|alice","client_id":"sho'
            b'p","verdict":"pending","reason":"mfa_due","assurance":"none","decided_at":"202'
            b'6-03-02T09:00:00Z","settings_version":1,"trace":["policy-all-applications","du'
            b'o-challenge"],"challenge_url":"https://mfa.example.com/c/60rVI4nWNzq1M03q3Ihw6'
            b'l2w","challenge_expires_at":"2026-03-02T09:05:00Z"}'
        ),
        headers=[
            ("content-type", b"application/json"),
            ("ce_specversion", b"1.0"),
            ("ce_source", b"/countersign"),
            ("ce_id", b"2211cbd2-b62d-5714-947f-2f1938efddaf"),
            ("ce_type", b"countersign.login.challenged.v1"),
            ("ce_time", b"2026-03-02T09:00:00Z"),
            ("ce_tenantid", b"acme"),
            ("ce_partitionkey", b"acme:auth0|alice"),
            ("ce_causationid", b"login-1"),
            ("ce_causationsource", SOURCE.encode()),
            ("ce_traceparent", TRACE.encode()),
        ],
        key_hash=murmur2(b"acme:auth0|alice"),
    )


@pytest.mark.law(2)
@given(
    login=strategies.logins(),
    tenant=strategies.tenants(),
    effect=strategies.effects,
    facts=strategies.facts,
    late=st.integers(0, 10**9),
)
def test_a_recorded_decision_gives_the_same_bytes(
    *, login: LoginAttempted, tenant: TenantSettings, effect: Effect, facts: Facts, late: int
) -> None:
    """Law 2: what a redelivery rebuilds from event and record is what was published at first."""
    now = to_milliseconds(NOW + timedelta(microseconds=late))
    decision = decided(login, tenant=tenant, effect=effect, facts=facts, now=now)
    again = unpack_decision(pack(decision))
    assert again == decision
    assert written(login, again) == written(login, decision)


@given(
    login=strategies.logins(),
    tenant=strategies.tenants(),
    effect=strategies.effects,
    facts=strategies.facts,
)
def test_a_decision_is_read_as_it_was_written(
    login: LoginAttempted, tenant: TenantSettings, effect: Effect, facts: Facts
) -> None:
    """Whoever reads a result learns which login it answers, and all that was decided."""
    decision = decided(login, tenant=tenant, effect=effect, facts=facts)
    record = written(login, decision)
    result = read_result(record.value or b"", record.headers)
    assert result.id == result_id(login.identity, Stage.DECISION)
    assert (result.type, result.identity) == (decision.type, login.identity)
    body = result.body
    assert (body.event_id, body.tenant) == (login.identity.event_id, login.identity.tenant)
    assert (body.subject, body.client_id) == (login.subject, SHOP)
    assert (body.verdict, body.reason, body.assurance, body.trace) == (
        decision.verdict,
        decision.reason,
        decision.assurance,
        decision.trace,
    )
    assert (body.decided_at, body.settings_version) == (NOW, tenant.version)
    assert body.challenge_url == (decision.challenge.url if decision.challenge else None)
    assert body.challenge_expires_at == decision.challenge_expires_at
    assert body.provider == decision.provider


def test_an_outcome_is_a_second_result_of_the_same_event() -> None:
    """Decision and outcome have ids of their own, and answer the same login."""
    proven = a_proven_challenge()
    for ended in (
        come_back(proven, proven.proof.code_hash if proven.proof else "", NOW),
        expire(proven, proven.deadline),
    ):
        assert isinstance(ended.outcome, Outcome)
        record = written(a_login(), ended.outcome)
        result = read_result(record.value or b"", record.headers)
        assert result.id == result_id(an_identity(), Stage.OUTCOME)
        assert result.id != result_id(an_identity(), Stage.DECISION)
        assert (result.identity, result.type) == (an_identity(), ended.outcome.type)


@pytest.mark.law(3)
def test_a_users_results_keep_to_one_partition() -> None:
    """Law 3: the record's key is the user's, and the hash beside it chooses its partition."""
    record = written(a_login(), decided())
    assert record.key == a_login().key
    assert record.key_hash is not None
    assert partition_of(record.key_hash, 12) == (murmur2(record.key or b"") & 0x7FFFFFFF) % 12


@pytest.mark.law(9)
def test_nothing_secret_stands_in_a_result() -> None:
    """Law 9: neither the browser's id nor the return URL of the login goes out."""
    login = a_login()
    record = written(login, decided(login))
    text = repr(record)
    assert str(login.event.login.browser_id) not in text
    assert str(login.event.login.return_url) not in text


def test_every_kind_has_a_verdict() -> None:
    """Only three kinds let a user in, and only two leave a user waiting."""
    assert set(VERDICTS) == set(ResultType)
    assert {kind for kind in ResultType if VERDICTS[kind] is Verdict.ALLOW} == {
        ResultType.LOGIN_ALLOWED,
        ResultType.CHALLENGE_PASSED,
        ResultType.CHALLENGE_FAILED_OPEN,
    }
    assert {kind for kind in ResultType if VERDICTS[kind] is Verdict.PENDING} == {
        ResultType.LOGIN_CHALLENGED,
        ResultType.LOGIN_DELEGATED,
    }


def test_the_value_names_only_what_is_there() -> None:
    """An allow has no challenge, so its value doesn't speak of one."""
    value = json.loads(written(a_login(), a_decision()).value or b"")
    assert value == {
        "event_id": "login-1",
        "tenant": ACME,
        "subject": ALICE,
        "client_id": SHOP,
        "verdict": "allow",
        "reason": Reason.MFA_NOT_DUE,
        "assurance": "none",
        "decided_at": "2026-03-02T09:00:00Z",
        "settings_version": 1,
        "trace": ["mfa-not-due"],
    }


def test_instants_are_recorded_in_whole_milliseconds() -> None:
    """What is finer is cut off, never rounded up into the future."""
    fine = NOW + timedelta(microseconds=1999)
    assert to_milliseconds(fine) == NOW + timedelta(milliseconds=1)
    assert to_milliseconds(NOW + timedelta(microseconds=123_456)).microsecond == 123_000
    assert to_milliseconds(NOW) == NOW


GOOD = written(a_login(), decided())
CANARY = b"canary-7f3a"


def changed(name: str, text: bytes | None) -> list[tuple[str, Any]]:
    """Return the good headers with one changed."""
    return [(each, text if each == name else value) for each, value in GOOD.headers]


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (GOOD.value, []),
        (GOOD.value, changed("ce_type", b"countersign.login.forgotten.v1")),
        (GOOD.value, changed("ce_type", b"\xff")),
        (GOOD.value, changed("ce_type", None)),
        (GOOD.value, changed("ce_id", None)),
        (GOOD.value, changed("ce_tenantid", None)),
        (GOOD.value, changed("ce_causationid", b"\xff")),
        (b"", GOOD.headers),
        (b"\xff", GOOD.headers),
        (b'{"event_id": "\xff"}', GOOD.headers),
        (b"{}", GOOD.headers),
        (b"[" * 100_000, GOOD.headers),
        (b'{"x": ' + b"[" * 100_000, GOOD.headers),
        ((GOOD.value or b"").replace(b'"mfa_due"', b'"' + CANARY + b'"'), GOOD.headers),
    ],
)
def test_what_is_no_result_is_refused(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    """A strange record on the topic is refused as such, without repeating what stands in it."""
    with pytest.raises(InvalidEventError) as caught:
        read_result(value, headers)
    assert CANARY.decode() not in str(caught.value)


@given(
    value=st.one_of(st.binary(max_size=60), st.just(GOOD.value or b"")),
    headers=st.lists(
        st.tuples(
            st.sampled_from([name for name, _ in GOOD.headers]),
            st.one_of(st.binary(max_size=12), st.sampled_from([text for _, text in GOOD.headers])),
        ),
        max_size=12,
    ),
)
def test_any_record_is_a_result_or_refused(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    """Nothing but `InvalidEventError` comes of a record from elsewhere."""
    cause(headers)
    try:
        read_result(value, headers)
    except InvalidEventError:
        return


def test_a_cause_is_told_by_the_headers_alone() -> None:
    """A consumer can skip the results of other instances' logins without reading the value."""
    assert cause(GOOD.headers) == an_identity()
    assert cause([("ce_id", b"x")]) is None
