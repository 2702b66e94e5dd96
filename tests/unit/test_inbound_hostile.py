"""Whatever the bytes are, the reader gives an event or an `InvalidEventError` (law 1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.login import Inbound
from countersign.wire.inbound import read_event
from tests.builders import ALICE, a_login_record, login_data

GOOD = a_login_record()
assert GOOD.value is not None
BODY = GOOD.value

names = st.one_of(
    st.sampled_from([name for name, _ in GOOD.headers] + ["ce_traceparent", "CE_TYPE", "ce_", ""]),
    st.text(max_size=12),
    st.text(max_size=8).map("ce_".__add__),
)
raw = st.one_of(st.binary(max_size=40), st.sampled_from([text for _, text in GOOD.headers]))
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**50), 10**50),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from((ALICE, "2026-03-02T09:00:00Z", "9999-12-31T23:59:59-12:00")),
)
document = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)


def outcome(key: bytes | None, value: bytes | None, headers: Any) -> Inbound | Defect:  # noqa: ANN401
    """Return the event or the defect; anything else is raised on and fails the test."""
    try:
        return read_event(key, value, headers)
    except InvalidEventError as error:
        return error.defect


@pytest.mark.law(1)
@given(
    key=st.one_of(st.none(), st.binary(max_size=40), st.just(GOOD.key)),
    value=st.one_of(st.none(), st.binary(max_size=200), st.just(BODY)),
    headers=st.lists(st.tuples(names, raw), max_size=10),
)
@settings(max_examples=200)
def test_any_record_is_an_event_or_a_defect(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    """Law 1: arbitrary keys, values and headers never raise anything else."""
    outcome(key, value, headers)


@pytest.mark.law(1)
@given(part=st.sampled_from(sorted(login_data())), value=document)
@settings(max_examples=200)
def test_any_json_in_any_part_is_an_event_or_a_defect(part: str, value: object) -> None:
    """Law 1: a good event with one part replaced by anything JSON can say, NaN included."""
    outcome(GOOD.key, json.dumps({**login_data(), part: value}).encode(), GOOD.headers)


@pytest.mark.law(1)
@given(at=st.integers(0, len(BODY)), what=st.binary(min_size=1, max_size=4), cut=st.integers(0, 4))
@example(at=1, what=b"\x00", cut=0)
def test_a_record_that_was_damaged_is_an_event_or_a_defect(at: int, what: bytes, cut: int) -> None:
    """Law 1: bytes changed, put in or lost anywhere."""
    outcome(GOOD.key, BODY[:at] + what + BODY[at + cut :], GOOD.headers)


def inside(value: str) -> bytes:
    """Return the good value with raw JSON in a field that decisions read as it comes."""
    return BODY.replace(b'"query": {}', b'"query": {"x": ' + value.encode() + b"}")


@pytest.mark.law(1)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(inside("1"), Inbound, id="the replacement itself is taken"),
        pytest.param(inside("[" * 60_000 + "]" * 60_000), Defect.NOT_JSON, id="deep arrays"),
        pytest.param(
            inside('{"a":' * 40_000 + "1" + "}" * 40_000), Defect.NOT_JSON, id="deep maps"
        ),
        pytest.param(inside("9" * 200_000), Defect.INVALID_EVENT, id="a huge integer"),
        pytest.param(inside("1e999999"), Defect.INVALID_EVENT, id="a huge float"),
        pytest.param(inside("NaN"), Defect.NOT_JSON, id="NaN"),
        pytest.param(inside("-Infinity"), Defect.NOT_JSON, id="infinity"),
        pytest.param(inside('"\\ud800"'), Defect.NOT_JSON, id="a lone surrogate"),
        pytest.param(inside('"\\udc00\\ud800"'), Defect.NOT_JSON, id="swapped surrogates"),
        pytest.param(inside('{"\\ud800": 1}'), Defect.NOT_JSON, id="a lone surrogate as key"),
        pytest.param(
            BODY.replace(b'"Users"', b'"\xed\xa0\x80"'), Defect.NOT_JSON, id="a surrogate in UTF-8"
        ),
        pytest.param(
            BODY.replace(b'"name": "Users"', b'"unlisted": "\xff"'),
            Defect.NOT_JSON,
            id="other bytes in a field that nobody reads",
        ),
        pytest.param(BODY.decode().encode("utf-16"), Defect.NOT_JSON, id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf" + BODY, Defect.NOT_JSON, id="a byte order mark"),
        pytest.param(BODY + BODY, Defect.NOT_JSON, id="two objects"),
        pytest.param(BODY + b"\x00", Defect.NOT_JSON, id="a trailing zero byte"),
        pytest.param(b"a" * 300_000, Defect.TOO_LARGE, id="300 kB"),
        pytest.param(b" " * 1000, Defect.NOT_JSON, id="blanks"),
        pytest.param(b"\x00" * 100, Defect.NOT_JSON, id="zero bytes"),
        pytest.param(b"1" * 5000, Defect.INVALID_EVENT, id="a number"),
        pytest.param(b'{"specversion": ' + b"[" * 100_000, Defect.NOT_JSON, id="half an envelope"),
    ],
)
def test_a_hostile_value_is_refused(value: bytes, expected: Defect | type) -> None:
    """Law 1: each known trick has its defect, and the next event flows."""
    found = outcome(GOOD.key, value, GOOD.headers)
    assert found is expected or (isinstance(expected, type) and isinstance(found, expected))


def test_a_repeated_json_key_counts_as_the_last_one() -> None:
    """The reader's answer to a repeated key is one and the same event, checked against the key."""
    twice = b'{"user": {"user_id": "auth0|mallory"}, ' + BODY[1:]
    event = read_event(GOOD.key, twice, GOOD.headers)
    assert event.subject == ALICE
    assert outcome(b"acme:auth0|mallory", twice, GOOD.headers) is Defect.KEY_MISMATCH


@pytest.mark.law(1)
@pytest.mark.parametrize(
    "header",
    [
        ("ce_id", None),
        ("content-type", None),
        ("ce_id", "text"),
        ("ce_id", 7),
        ("ce_x", None),
        (None, b"x"),
        (b"ce_id", b"x"),
        (7, b"x"),
        ("\ud800", b"x"),
        ("ce_\ud800", b"x"),
        ("ce_" + "x" * 100_000, b"\xff"),
        ("\u212a", b"x"),
        ("CE_\u0130", b"\xff"),
    ],
)
def test_a_weird_header_is_an_event_or_a_defect(header: tuple[object, object]) -> None:
    """Law 1: null and foreign types, which a client library may hand on, raise nothing else."""
    for headers in ([header], [header, *GOOD.headers], [*GOOD.headers, header], [header, header]):
        outcome(GOOD.key, BODY, headers)
