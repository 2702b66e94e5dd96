"""Reads what may come on `login-events`: three forms, three kinds, and one event out of each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from countersign.core.errors import InvalidEventError
from countersign.core.identity import EventIdentity, murmur2
from countersign.core.login import (
    BrowsersForget,
    LoginAttempted,
    LoginReturned,
    PostLoginEvent,
    refuse_from_the_future,
)
from countersign.wire.inbound import LOGIN_ATTEMPTED, read_event
from tests.builders import (
    ACME,
    ALICE,
    LAPTOP,
    NOW,
    RETURN_URL,
    SHOP,
    SOURCE,
    InboundRecord,
    a_forget_record,
    a_login,
    a_login_record,
    a_return,
    a_return_record,
    login_data,
)

KEY = f"{ACME}:{ALICE}".encode()
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def structured(data: dict[str, Any] | None = None, **changes: object) -> bytes:
    """Return Alice's login in the structured form; None leaves an attribute out."""
    envelope = {
        "specversion": "1.0",
        "id": "login-1",
        "source": SOURCE,
        "type": LOGIN_ATTEMPTED,
        "time": NOW.isoformat(),
        "tenantid": ACME,
        "data": login_data() if data is None else data,
        **changes,
    }
    return json.dumps(
        {name: value for name, value in envelope.items() if value is not None}
    ).encode()


def bare(**changes: object) -> bytes:
    """Return Alice's login as bare JSON."""
    return json.dumps(
        {**login_data(tenant=ACME), "id": "login-1", "time": NOW.isoformat(), **changes}
    ).encode()


def read_login(value: bytes, *headers: tuple[str, bytes]) -> LoginAttempted:
    """Read a login of Alice's."""
    event = read_event(KEY, value, headers)
    assert isinstance(event, LoginAttempted)
    return event


def test_a_login_is_read_whole() -> None:
    """Identity, user, key, time and everything that a decision asks about come out."""
    login = a_login(traceparent=TRACE, expires_at=NOW + timedelta(minutes=1))
    assert login.identity == EventIdentity(ACME, SOURCE, "login-1")
    assert (login.subject, login.key, login.key_hash) == (ALICE, KEY, murmur2(KEY))
    assert (login.time, login.traceparent) == (NOW, TRACE)
    assert login.event.login.browser_id == LAPTOP
    assert login.event.login.return_url == RETURN_URL
    assert login.event.login.expires_at == NOW + timedelta(minutes=1)
    assert login.event.client.client_id == SHOP
    assert login.event.user.email_verified is True


def test_the_structured_form_gives_the_same_event() -> None:
    """With or without its content type, an envelope says what the headers would."""
    binary = a_login()
    for headers in (
        (),
        (("content-type", b"application/cloudevents+json"),),
        (("Content-Type", b"Application/CloudEvents+JSON; charset=UTF-8"),),
        (("content-type", b"application/json"),),
    ):
        login = read_login(structured(), *headers)
        assert (login.identity, login.subject, login.time, login.event) == (
            binary.identity,
            binary.subject,
            binary.time,
            binary.event,
        )


def test_the_bare_form_gives_the_same_event_from_the_client() -> None:
    """Top-level id and time stand for the attributes, and the client id for the source."""
    login = read_login(bare())
    expected = a_login(tenant=ACME)
    assert login.identity == EventIdentity(ACME, SHOP, "login-1")
    assert (login.subject, login.time) == (expected.subject, expected.time)
    for field in PostLoginEvent.__struct_fields__:
        if field != "tenant":
            assert getattr(login.event, field) == getattr(expected.event, field)


def test_a_content_type_that_says_structured_wins() -> None:
    """CloudEvents' Kafka binding: the content type tells the form, whatever headers come along."""
    headers = [("ce_specversion", b"1.0"), ("content-type", b"application/cloudevents+json")]
    assert read_login(structured(), *headers).identity == a_login().identity


@pytest.mark.parametrize(
    "parts",
    [
        {"request": {"query": {"specversion": "1.0"}}},
        {"user": {"user_id": ALICE, "user_metadata": {"specversion": "1.0"}}},
        {"connection": {"name": '"specversion"'}},
    ],
)
def test_a_bare_event_with_such_a_word_inside_stays_bare(parts: dict[str, Any]) -> None:
    """A query or metadata, which users can write, doesn't make an envelope of an event."""
    assert read_login(bare(**parts)).identity.source == SHOP


def test_the_tenant_may_stand_in_the_data_the_headers_or_both() -> None:
    """One of the two is enough, and both may say the same."""
    both = a_login_record()
    data = login_data(tenant=ACME)
    without = [header for header in both.headers if header[0] != "ce_tenantid"]
    for headers in (both.headers, without):
        event = read_event(KEY, json.dumps(data).encode(), headers)
        assert event.identity.tenant == ACME


def test_fields_that_nobody_lists_are_left_alone() -> None:
    """Senders may add fields and extension attributes of their own, as Auth0 does."""
    record = a_login_record(experiment={"arm": "b"}, user={"ldap_groups": ["staff"]})
    headers = [*record.headers, ("ce_partitionkey", b"x"), ("other", b"\xff")]
    assert read_event(record.key, record.value, headers).subject == ALICE


def test_a_return_names_the_login_that_it_answers() -> None:
    """The same tenant and source, the login's own id, and the code."""
    event = read_event(*a_return_record(login_id="login-7", code="c0de"))
    assert isinstance(event, LoginReturned)
    assert event.identity == EventIdentity(ACME, SOURCE, "return-1")
    assert event.login == EventIdentity(ACME, SOURCE, "login-7")
    assert (event.code, event.subject) == ("c0de", ALICE)


@pytest.mark.law(9)
def test_a_returns_code_is_not_shown() -> None:
    """Law 9: an event that ends up in a log or a traceback doesn't bring the code along."""
    assert "c0de" not in repr(a_return(code="c0de"))


def test_a_forget_names_the_user() -> None:
    """Nothing but the user is needed to forget the browsers."""
    event = read_event(*a_forget_record())
    assert isinstance(event, BrowsersForget)
    assert (event.subject, event.identity.event_id, event.browser) == (ALICE, "forget-1", None)


@pytest.mark.parametrize(
    "browser", ["", LAPTOP, "x" * 21, "x" * 23, "x" * 21 + "\n", "x" * 22 + "\n", "ä" * 22]
)
def test_a_forget_that_names_no_browser_forgets_nothing(browser: str) -> None:
    """What can be no browser's hash is refused: all of them is not what was asked for."""
    with pytest.raises(InvalidEventError, match="browser: Expected `str` matching"):
        read_event(*a_forget_record(browser=browser))


@pytest.mark.law(2)
def test_a_redelivery_is_told_from_another_event_under_the_same_id() -> None:
    """Law 2: the digest is the same for the same record, and another for any other payload."""
    digests = {
        read_event(*record).digest
        for record in (
            a_login_record(),
            a_login_record(browser_id=None),
            a_login_record(time=NOW + timedelta(seconds=1)),
            a_login_record(subject="auth0|bob"),
            a_forget_record(event_id="login-1"),
            a_return_record(event_id="login-1"),
        )
    }
    assert len(digests) == 6
    assert a_login().digest == a_login().digest


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        (TRACE, True),
        (TRACE.upper(), False),
        (TRACE + "\n", False),
        ("00-abc", False),
        ("", False),
        ("canary" * 1000, False),
    ],
)
def test_a_traceparent_that_does_not_parse_is_ignored(text: str, *, passes: bool) -> None:
    """W3C Trace Context: it is dropped, and the event is taken all the same."""
    assert a_login(traceparent=text).traceparent == (text if passes else None)


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-02T09:00:00Z",
        "2026-03-02T10:00:00+01:00",
        "2026-03-02T09:00:00.000000000Z",
        "2026-03-02t09:00:00z",
    ],
)
def test_an_instant_may_be_written_in_any_zone(time: str) -> None:
    """RFC 3339 is read whole; the same instant is equal however it is written."""
    assert read_login(structured(time=time)).time == NOW


def test_an_events_time_may_be_a_little_ahead_and_no_more() -> None:
    """Five minutes of difference between clocks are borne."""
    refuse_from_the_future(NOW + timedelta(minutes=5), NOW)
    refuse_from_the_future(datetime(1, 1, 1, tzinfo=UTC), NOW)
    for late in (NOW + timedelta(minutes=5, microseconds=1), datetime.max.replace(tzinfo=UTC)):
        with pytest.raises(InvalidEventError, match="set the sender's clock right"):
            refuse_from_the_future(late, NOW)


def test_events_are_values() -> None:
    """What was read can't be changed, and is equal to what is read again."""
    login = a_login()
    with pytest.raises(AttributeError):
        login.subject = "auth0|mallory"  # type: ignore[misc]  # the point of the test
    assert login == a_login()
    assert msgspec.structs.replace(login, subject="x") != login


def test_the_builders_records_are_what_they_say() -> None:
    """A record's key, value and headers stand in the order that the reader takes them."""
    record = a_login_record()
    assert record == InboundRecord(record.key, record.value, record.headers)
    assert record.key == KEY
