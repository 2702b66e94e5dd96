"""Each defect that the reader finds: its class, the field, and a remedy, and never a value (law 9)."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from countersign.core.errors import Defect, InvalidEventError
from countersign.wire.inbound import MAX_EVENT_BYTES, read_event
from tests.builders import (
    ALICE,
    BOB,
    InboundRecord,
    a_forget_record,
    a_login_record,
    a_return_record,
    login_data,
)

GOOD = a_login_record()
CANARY = "canary-7f3a"


def with_headers(*extra: tuple[str, bytes], **changes: bytes | None) -> InboundRecord:
    """Return the good record with headers changed by name (None: left out) and more at the end."""
    headers = {**dict(GOOD.headers), **changes}
    kept = [(name, text) for name, text in headers.items() if text is not None]
    return GOOD._replace(headers=[*kept, *extra])


def with_data(**parts: object) -> InboundRecord:
    """Return the good record with parts of its data changed."""
    return GOOD._replace(value=json.dumps(login_data(**parts)).encode())  # type: ignore[arg-type]


def refusal(record: InboundRecord) -> InvalidEventError:
    """Return the error that the reader raises."""
    with pytest.raises(InvalidEventError) as caught:
        read_event(*record)
    return caught.value


@pytest.mark.law(1)
@pytest.mark.parametrize(
    ("record", "defect", "says"),
    [
        (GOOD._replace(value=None), Defect.EMPTY, "has no value"),
        (GOOD._replace(value=b""), Defect.EMPTY, "send the event as JSON"),
        (
            GOOD._replace(value=b" " * (MAX_EVENT_BYTES + 1)),
            Defect.TOO_LARGE,
            "has 262145 bytes, at most 262144",
        ),
        (GOOD._replace(value=b"{"), Defect.NOT_JSON, "truncated"),
        (GOOD._replace(value=b"login"), Defect.NOT_JSON, "malformed"),
        (GOOD._replace(value=b"\xef\xbb\xbf{}"), Defect.NOT_JSON, "send one JSON object in UTF-8"),
        (GOOD._replace(value=b'"\xff"'), Defect.NOT_JSON, "not UTF-8"),
        (GOOD._replace(value=b"NaN"), Defect.NOT_JSON, "malformed"),
        (GOOD._replace(value=b"[" * 100_000), Defect.INVALID_EVENT, "Expected `object`"),
        (GOOD._replace(value=b"null"), Defect.INVALID_EVENT, "the event: Expected `object`"),
        (GOOD._replace(value=b"{}"), Defect.INVALID_EVENT, "user is missing; send it"),
        (with_data(user={"user_id": 7}), Defect.INVALID_EVENT, "user.user_id: Expected `str`"),
        (with_data(user={"user_id": ""}), Defect.INVALID_EVENT, "user.user_id: Expected `str` of"),
        (
            with_data(authentication={"methods": [{"name": "mfa"}, {}]}),
            Defect.INVALID_EVENT,
            "authentication.methods[1].name is missing",
        ),
        (
            with_data(transaction={"max_age": -1}),
            Defect.INVALID_EVENT,
            "transaction.max_age: Expected `int` >= 0",
        ),
        (
            with_data(login={"browser_id": "short"}),
            Defect.INVALID_EVENT,
            "login.browser_id: Expected `str` of length >= 16",
        ),
        (
            with_data(login={"expires_at": "2026-03-02T09:00:00"}),
            Defect.INVALID_EVENT,
            "login.expires_at: Expected `datetime` with a timezone",
        ),
        (with_data(tenant="globex"), Defect.INVALID_EVENT, "tenantid and tenant.id differ"),
        (with_headers(ce_tenantid=None), Defect.INVALID_EVENT, "tenantid is missing"),
        (with_headers(ce_tenantid=b"Acme"), Defect.INVALID_HEADERS, "header ce_tenantid"),
        (with_headers(ce_tenantid=b"acme\n"), Defect.INVALID_HEADERS, "header ce_tenantid"),
        (with_headers(ce_id=b"login-1\n"), Defect.INVALID_EVENT, "id holds a control"),
        (with_headers(ce_id=b"a" * 257), Defect.INVALID_HEADERS, "length <= 256"),
        (with_headers(ce_id=b""), Defect.INVALID_HEADERS, "length >= 1"),
        (with_headers(ce_id=None), Defect.INVALID_HEADERS, "header ce_id is missing; send it"),
        (with_headers(ce_source=b"a\x00"), Defect.INVALID_EVENT, "source holds a control"),
        (with_headers(ce_time=b"yesterday"), Defect.INVALID_HEADERS, "header ce_time"),
        (with_headers(ce_time=b"2026-03-02"), Defect.INVALID_HEADERS, "header ce_time"),
        (with_headers(ce_specversion=b"0.3"), Defect.INVALID_HEADERS, 'Expected "1.0"'),
        (
            with_headers(ce_specversion=None),
            Defect.INVALID_HEADERS,
            'ce_specversion is missing; send it with the value "1.0"',
        ),
        (with_headers(("CE_ID", b"x")), Defect.INVALID_HEADERS, "header ce_id stands twice"),
        (with_headers(ce_id=b"\xff"), Defect.INVALID_HEADERS, "header ce_id is not UTF-8"),
        (
            with_headers(**{"content-type": b"application/cloudevents-batch+json"}),
            Defect.INVALID_HEADERS,
            "batch or a format that is not read; send each event in a record of its own",
        ),
        (
            with_headers(**{"content-type": b"application/cloudevents+avro"}),
            Defect.INVALID_HEADERS,
            "as application/cloudevents+json",
        ),
        (
            with_headers(ce_type=b"user.created"),
            Defect.UNKNOWN_TYPE,
            "type is none of countersign.",
        ),
        (GOOD._replace(key=None), Defect.KEY_MISMATCH, "key is not tenant:user_id; send it"),
        (GOOD._replace(key=f"acme:{BOB}".encode()), Defect.KEY_MISMATCH, "keep their order"),
        (GOOD._replace(key=f"globex:{ALICE}".encode()), Defect.KEY_MISMATCH, "tenant:user_id"),
    ],
)
def test_a_defect_is_named_with_its_field_and_its_remedy(
    record: InboundRecord, defect: Defect, says: str
) -> None:
    """Law 1: what can't be taken becomes one dead letter that says what to do."""
    error = refusal(record)
    assert error.defect is defect
    assert says in error.detail
    assert str(error) == f"{defect.value}: {error.detail}"


def test_the_largest_event_that_is_taken() -> None:
    """Exactly 256 kB are taken."""
    assert GOOD.value is not None
    padded = GOOD.value + b" " * (MAX_EVENT_BYTES - len(GOOD.value))
    assert read_event(GOOD.key, padded, GOOD.headers).subject == ALICE


CONTROLS = [chr(code) for code in (*range(0x20), 0x7F)]


@pytest.mark.law(10)
@pytest.mark.parametrize(
    ("field", "put_in"),
    [
        ("id", lambda text: a_login_record(event_id=text)),
        ("source", lambda text: a_login_record(source=text)),
        ("user.user_id", lambda text: a_login_record(subject=text)),
        ("client.client_id", lambda text: a_login_record(client_id=text)),
        ("login.browser_id", lambda text: a_login_record(browser_id=text)),
        ("id", lambda text: a_return_record(event_id=text)),
        ("user.user_id", lambda text: a_return_record(subject=text)),
        ("event_id", lambda text: a_return_record(login_id=text)),
        ("source", lambda text: a_forget_record(source=text)),
        ("user.user_id", lambda text: a_forget_record(subject=text)),
    ],
)
def test_no_identifier_holds_a_control_character(
    field: str, put_in: Callable[[str], InboundRecord]
) -> None:
    """Law 10: none of them forges a name that is joined by line feeds, a header or a log line."""
    plain = "an identifier of some length"
    assert read_event(*put_in(plain))
    for control in CONTROLS:
        for text in (plain + control, control + plain, f"an identifier{control}of some length"):
            error = refusal(put_in(text))
            assert error.detail == f"{field} holds a control character; send it without"


@pytest.mark.parametrize(
    ("put_in", "least", "most"),
    [
        (lambda text: a_login_record(event_id=text), 1, 256),
        (lambda text: a_login_record(source=text), 1, 512),
        (lambda text: a_login_record(subject=text), 1, 512),
        (lambda text: a_login_record(client_id=text), 1, 256),
        (lambda text: a_login_record(browser_id=text), 16, 256),
        (lambda text: a_login_record(return_url=text), 1, 2048),
        (lambda text: a_return_record(code=text), 1, 256),
        (lambda text: a_login_record(tenant=text), 1, 63),
    ],
)
def test_identifiers_have_lengths(
    put_in: Callable[[str], InboundRecord], least: int, most: int
) -> None:
    """The shortest and the longest are taken; one character more or less is refused by name."""
    assert read_event(*put_in("a" * least))
    assert read_event(*put_in("a" * most))
    for length in (least - 1, most + 1):
        assert refusal(put_in("a" * length)).defect in {
            Defect.INVALID_EVENT,
            Defect.INVALID_HEADERS,
        }


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401
    """Find every place in a JSON value."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def put(value: Any, path: tuple[str | int, ...], what: object) -> Any:  # noqa: ANN401
    """Return a copy of a JSON value with something else at a place."""
    if not path:
        return what
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], what)
    return copy


FULL = login_data(
    tenant="acme",
    user={
        "created_at": "2026-01-01T00:00:00Z",
        "app_metadata": {"a": {"b": 1}},
        "identities": [{"provider": "auth0"}],
        "multifactor": ["duo"],
        "enrolledFactors": [{"type": "otp"}],
    },
    request={"geoip": {"latitude": 1.5}, "query": {"max_age": "1"}, "ip": "203.0.113.7"},
    authentication={
        "methods": [{"name": "mfa", "timestamp": "2026-01-01T00:00:00Z", "type": "otp"}],
        "riskAssessment": {"confidence": "low", "assessments": {"NewDevice": {"code": "x"}}},
    },
    transaction={"acr_values": ["a"], "max_age": 1, "prompt": ["login"], "metadata": {"k": "v"}},
    authorization={"roles": ["r"]},
    stats={"logins_count": 1},
    session={"id": "s", "created_at": "2026-01-01T00:00:00Z"},
    organization={"id": "o", "metadata": {}},
)
ODDITIES: tuple[object, ...] = (
    CANARY,
    CANARY + "\n",
    f"{CANARY} - at `$.{CANARY}`",
    CANARY * 500,
    [CANARY],
    {CANARY: CANARY},
    {CANARY: {"user_id": CANARY}},
    [{CANARY: 1}],
)


def canaries() -> Iterator[InboundRecord]:
    """Yield records with a canary in every place where a sender could put a secret."""
    for path in places(FULL):
        for oddity in ODDITIES:
            yield GOOD._replace(value=json.dumps(put(FULL, path, oddity)).encode())
    canary = CANARY.encode()
    for name, text in GOOD.headers:
        for odd in (canary, canary + b"\n", canary + b"\xff", text + b" - at `$." + canary + b"`"):
            yield with_headers(**{name: odd})
    yield with_headers(("ce_" + CANARY, b"1"), ("ce_" + CANARY, b"1"))
    yield with_headers(("ce_" + CANARY, canary + b"\xff"))
    yield GOOD._replace(key=canary)
    yield GOOD._replace(value=b'{"' + canary)
    yield GOOD._replace(value=canary)
    yield GOOD._replace(value=b'{"user": "\\u00zz' + canary)
    yield GOOD._replace(
        value=GOOD.value, headers=[("content-type", b"application/cloudevents+" + canary)]
    )
    back = a_return_record()
    document = json.loads(back.value or b"")
    for path in places(document):
        for oddity in ODDITIES:
            yield back._replace(value=json.dumps(put(document, path, oddity)).encode())


@pytest.mark.law(9)
def test_no_error_repeats_what_came() -> None:
    """Law 9: whatever a sender puts wherever, the dead letter's text doesn't hold it."""
    refused = 0
    for record in canaries():
        try:
            read_event(*record)
        except InvalidEventError as error:
            refused += 1
            told = (str(error), repr(error), *traceback.format_exception(error))
            assert not [text for text in told if CANARY in text]
    assert refused > 300
