"""The schemas of `login-events` and `read_event` accept and refuse the same."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.core.errors import Defect, InvalidEventError
from countersign.wire.inbound import (
    LOGIN_ATTEMPTED,
    LOGIN_RETURNED,
    SECURITY_SIGNAL,
    read_event,
)
from countersign.wire.signals import KNOWN
from tests.contract import schema_files as files
from tests.contract.schema_files import declared, schemas
from tests.contract.schema_mutations import FEW_PROBES, PROBES, changed, dotted, mutated, paths
from tests.contract.schema_records import (
    DATA,
    EXAMPLES,
    Example,
    Record,
    accepts,
    examples,
    json_value,
    load,
    schema_accepts,
)

unhurried = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

_ENVELOPE = [("content-type", b"application/cloudevents+json")]
_LEAST = ("user", "client", "tenant")
"""What a login has to have, where no `tenantid` comes with it."""


def _defect(record: Record) -> Defect | None:
    try:
        read_event(*record)
    except InvalidEventError as error:
        return error.defect
    return None


def _agree(record: Record) -> None:
    assert (_defect(record) is None) is accepts(record)


@cache
def _login() -> dict[str, Any]:
    """Return the data of a login with every field that is declared."""
    example: Example = load(EXAMPLES / "login.attempted" / "valid" / "full-auth0-event.json")
    data: dict[str, Any] = json_value(example.record.value)
    return data


def _returned() -> dict[str, Any]:
    user = {"user_id": "auth0|alice"}
    return {"event_id": "login-1", "code": "kq3Zt0v9", "user": user, "tenant": {"id": "acme"}}


def _envelope(data: object, kind: str = LOGIN_ATTEMPTED) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "event-1",
        "source": "https://shop.example.com",
        "type": kind,
        "time": "2026-03-02T09:00:00.123Z",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "data": data,
    }


def _key(data: object, tenant: object = None) -> bytes:
    """Return the key that the record should have, as far as what is in it can be read."""
    try:
        name = tenant or data["tenant"]["id"]  # type: ignore[index]  # else there is no key
        return f"{name}:{data['user']['user_id']}".encode()  # type: ignore[index]  # as above
    except (LookupError, TypeError):
        return b""


def _structured(envelope: dict[str, Any]) -> Record:
    key = _key(envelope.get("data"), envelope.get("tenantid"))
    return Record(key, json.dumps(envelope).encode(), _ENVELOPE)


_MESSAGES = ("login.attempted", "login.returned", "browsers.forget", "security.signal")


@pytest.mark.parametrize("example", [p for m in _MESSAGES for p in examples(m, "valid")])
def test_a_valid_example_is_read(example: Example) -> None:
    """The schemas accept it and the reader reads it."""
    assert schema_accepts(example.record)
    assert accepts(example.record)
    assert _defect(example.record) is None


@pytest.mark.parametrize("example", [p for m in _MESSAGES for p in examples(m, "invalid")])
def test_an_invalid_example_is_refused_for_its_defect(example: Example) -> None:
    """The reader names the example's defect, and the schemas refuse whatever a schema can."""
    assert example.defect is not None
    assert _defect(example.record) is example.defect
    verdict = schema_accepts(example.record)
    # What is marked as beyond them is really beyond them.
    assert verdict is False if example.beyond_schema is None else verdict is not False


def test_the_full_example_has_every_declared_field() -> None:
    """So a change at each of its paths is a change at each declared path."""
    here = {dotted(path) for path in paths(_login())}
    assert {path for path, _ in declared(schemas()[files.LOGIN_ATTEMPTED])} <= here


def _limited_fields() -> set[str]:
    """Return the fields that a schema says more of than their types."""
    limits = {"$ref", "anyOf", "minimum"}
    fields = declared(schemas()[files.LOGIN_ATTEMPTED])
    return {path for path, field in fields if limits & field.keys()}


@pytest.mark.parametrize("section", sorted(_login()))
def test_both_say_the_same_of_every_probe_at_every_path(section: str) -> None:
    """Each probe in place of each field of a part of a login, one at a time."""
    data = {name: _login()[name] for name in (*_LEAST, section)}
    limited = _limited_fields()
    for path in [path for path in paths(data) if path[0] == section]:
        for probe in PROBES if dotted(path) in limited else FEW_PROBES:
            _agree(_structured(_envelope(changed(data, path, probe))))


@pytest.mark.parametrize("form", ["structured", "tenantid", "bare", "headers", "returned"])
def test_both_say_the_same_of_every_probe_in_each_envelope(form: str) -> None:
    """Likewise for the attributes of each form, and for a return."""
    least = {name: _login()[name] for name in _LEAST}
    envelope = _envelope(least) if form != "returned" else _envelope(_returned(), LOGIN_RETURNED)
    if form == "tenantid":  # the tenant stands outside alone
        del least["tenant"]
        envelope["tenantid"] = "acme"
    if form == "bare":
        envelope = {"id": "login-1", "time": "2026-03-02T09:00:00Z", **least}
    attributes = [path for path in paths(envelope) if form == "returned" or len(path) == 1]
    for path in [*attributes, ("tenantid",)]:
        for probe in PROBES:
            document = changed(envelope, path, probe)
            if form == "bare":
                _agree(Record(_key(document), json.dumps(document).encode(), []))
            elif form == "headers":
                _agree(_binary(document))
            else:
                _agree(_structured(document))


def _binary(envelope: dict[str, Any]) -> Record:
    """Return the binary form; what is no string can't be a header, so it is left out."""
    headers = [
        (f"ce_{name}", value.encode())
        for name, value in envelope.items()
        if name != "data" and isinstance(value, str)
    ]
    data = envelope.get("data")
    return Record(_key(data, envelope.get("tenantid")), json.dumps(data).encode(), headers)


def _signal() -> dict[str, Any]:
    alice = {"format": "opaque", "id": "auth0|alice"}
    issuer = "https://id.example.com"
    return {
        "iss": issuer,
        "aud": ["https://mfa.example.com"],
        "jti": "signal-1",
        "iat": 1772442000,
        "sub_id": {"format": "complex", "user": alice},
        "events": {
            KNOWN[0]: {"subject": {"format": "iss_sub", "iss": issuer, "sub": "auth0|alice"}},
            KNOWN[2]: {"change_direction": "decrease", "subject": None},
        },
    }


def _agree_on_signal(claims: Any) -> None:  # noqa: ANN401  # any JSON
    envelope = {**_envelope(claims, SECURITY_SIGNAL), "tenantid": "acme"}
    key = b"acme:auth0|alice"
    _agree(Record(key, json.dumps(envelope).encode(), _ENVELOPE))
    headers = [(f"ce_{name}", text.encode()) for name, text in envelope.items() if name != "data"]
    _agree(Record(key, json.dumps(claims).encode(), headers))


def test_both_say_the_same_of_every_probe_in_a_signal() -> None:
    """Each probe in place of each claim, one at a time, as an envelope and with headers."""
    more = [("sub_id", "subject_type"), ("sub_id", "id"), ("sub_id", "user", "subject_type")]
    more += [("sub_id", part) for part in ("tenant", "org_unit", "group", "session")]
    named = ({"format": "opaque"}, {"subject_type": "iss-sub"}, {"id": "auth0|alice"}, "opaque")
    for path in [*paths(_signal()), *more]:
        limited = path[-1] in {"iss", "jti", "iat", "id", "sub"}
        for probe in (*(PROBES if limited else FEW_PROBES), *named):
            _agree_on_signal(changed(_signal(), path, probe))


@unhurried
@given(
    mutated(
        _signal(),
        ("exp",),
        ("sub_id", "subject_type"),
        ("sub_id", "group"),
        ("events", "https://other"),
    )
)
def test_both_say_the_same_of_a_changed_signal(claims: dict[str, Any]) -> None:
    """A signal with up to three claims changed at random."""
    _agree_on_signal(claims)


@unhurried
@given(mutated(_envelope(_login()), ("tenantid",), ("data", "ldap_groups")))
def test_both_say_the_same_of_a_changed_login(envelope: dict[str, Any]) -> None:
    """A login with up to three fields changed at random, in the structured form."""
    _agree(_structured(envelope))


@unhurried
@given(mutated(_envelope({name: _login()[name] for name in _LEAST}), ("tenantid",), ("shard",)))
def test_both_say_the_same_of_changed_headers(envelope: dict[str, Any]) -> None:
    """A login with up to three attributes or fields changed at random, in the binary form."""
    _agree(_binary(envelope))


@unhurried
@given(
    mutated({"id": "login-1", "time": "2026-03-02T09:00:00Z", **_login()}, ("specversion",)),
    st.sampled_from([[], [("content-type", b"application/json")]]),
)
def test_both_say_the_same_of_a_changed_bare_login(
    document: dict[str, Any], headers: list[tuple[str, bytes]]
) -> None:
    """A login without an envelope, with up to three fields changed at random."""
    _agree(Record(_key(document), json.dumps(document).encode(), headers))


@unhurried
@given(st.data(), st.sampled_from(sorted(DATA)))
def test_both_say_the_same_of_the_other_types(drawn: st.DataObject, kind: str) -> None:
    """The data of a return under any type, with up to three fields changed at random."""
    _agree(_structured(drawn.draw(mutated(_envelope(_returned(), kind)))))
