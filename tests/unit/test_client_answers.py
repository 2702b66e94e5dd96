"""An answer allows only where a result of a known kind says so in every place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.client.answers import decision_of, outcome_of, read_answer
from countersign.core.errors import InvalidEventError
from countersign.core.result import VERDICTS, Assurance, Reason, ResultType, Verdict
from countersign.wire.results import OutboundRecord
from tests.builders import CHALLENGER, NOW
from tests.client_bus import a_result

_OUTCOMES = [kind for kind in ResultType if kind.value.startswith("challenge.")]


def _changed(record: OutboundRecord, **changes: object) -> bytes:
    body: dict[str, Any] = msgspec.json.decode(record.value or b"")
    return msgspec.json.encode({**body, **changes})


def _typed(record: OutboundRecord, kind: bytes) -> list[tuple[str, bytes]]:
    return [(name, kind if name == "ce_type" else value) for name, value in record.headers]


@pytest.mark.parametrize("kind", ResultType)
def test_every_kind_of_result_is_told_as_its_verdict(kind: ResultType) -> None:
    """Exactly the kinds whose verdict is allow are `allowed`, and so with `denied`."""
    record = a_result(kind)
    decision = decision_of(read_answer(record.value, record.headers))
    assert decision.verdict is VERDICTS[kind]
    assert decision.allowed == (VERDICTS[kind] is Verdict.ALLOW)
    assert decision.denied == (VERDICTS[kind] is Verdict.DENY)
    assert decision.challenged == (kind is ResultType.LOGIN_CHALLENGED)
    assert decision.delegated == (kind is ResultType.LOGIN_DELEGATED)


def test_a_challenge_says_where_and_until_when() -> None:
    """A challenged decision carries our URL, its end, the reason and the trace."""
    record = a_result(ResultType.LOGIN_CHALLENGED)
    decision = decision_of(read_answer(record.value, record.headers))
    assert decision.event_id == "login-1"
    assert decision.challenge_url == f"{CHALLENGER}/c/c1"
    assert decision.challenge_expires_at is not None
    assert decision.challenge_expires_at > NOW
    assert decision.reason is Reason.MFA_DUE
    assert decision.trace[-1] == "duo-challenge"
    assert decision.result.type is ResultType.LOGIN_CHALLENGED


@pytest.mark.parametrize("kind", _OUTCOMES)
def test_an_outcome_is_never_pending(kind: ResultType) -> None:
    """Every outcome allows or denies, and one that stands on nothing says so."""
    record = a_result(kind)
    outcome = outcome_of(read_answer(record.value, record.headers))
    assert outcome.allowed != outcome.denied
    if kind is ResultType.CHALLENGE_FAILED_OPEN:
        assert outcome.assurance is Assurance.NONE


_DENIED = a_result(ResultType.LOGIN_DENIED)


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        pytest.param(None, _DENIED.headers, id="no value"),
        pytest.param(b"", _DENIED.headers, id="empty"),
        pytest.param(b"{", _DENIED.headers, id="cut off"),
        pytest.param(b"\xff\xfe", _DENIED.headers, id="no text"),
        pytest.param(b"[" * 100_000, _DENIED.headers, id="nested too deeply"),
        pytest.param(_changed(_DENIED, verdict="allow"), _DENIED.headers, id="another verdict"),
        pytest.param(_changed(_DENIED, verdict="maybe"), _DENIED.headers, id="a new verdict"),
        pytest.param(_changed(_DENIED, reason="mood"), _DENIED.headers, id="a new reason"),
        pytest.param(_changed(_DENIED, assurance="dna"), _DENIED.headers, id="a new assurance"),
        pytest.param(_changed(_DENIED, event_id="login-2"), _DENIED.headers, id="another event"),
        pytest.param(_changed(_DENIED, tenant="globex"), _DENIED.headers, id="another tenant"),
        pytest.param(_changed(_DENIED, subject=7), _DENIED.headers, id="no subject"),
        pytest.param(
            _DENIED.value, _typed(_DENIED, b"countersign.login.allowed.v1"), id="an allow by header"
        ),
        pytest.param(
            _DENIED.value, _typed(_DENIED, b"countersign.login.denied.v2"), id="a later version"
        ),
        pytest.param(_DENIED.value, _typed(_DENIED, b"\xff"), id="a type that is no text"),
        pytest.param(
            _changed(a_result(ResultType.LOGIN_CHALLENGED), challenge_url=None),
            a_result(ResultType.LOGIN_CHALLENGED).headers,
            id="a challenge without a URL",
        ),
        pytest.param(_DENIED.value, [], id="no headers"),
    ],
)
def test_what_is_not_understood_is_no_answer(
    value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    """A result that is broken, of a later version, or contradicts itself is refused."""
    with pytest.raises(InvalidEventError):
        read_answer(value, headers)


@given(st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=20))))
def test_any_bytes_are_refused_as_no_answer(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    """Nothing but `InvalidEventError` leaves the reader, whatever stands on the topic."""
    for mixed in (headers, [*_DENIED.headers, *headers]):
        try:
            read_answer(value, mixed)
        except InvalidEventError:
            continue
        pytest.fail("random bytes made an answer")
