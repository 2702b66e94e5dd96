"""Law of `wire.outbound_events`: whatever is written reads back, and the rest is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.core.errors import InvalidEventError
from countersign.core.identity import EventIdentity, murmur2
from countersign.core.login import (
    BrowsersForget,
    LoginAttempted,
    LoginReturned,
    PostLoginEvent,
)
from countersign.wire.inbound import read_event
from countersign.wire.outbound_events import (
    write_browsers_forget,
    write_login_attempted,
    write_login_returned,
)
from tests.builders import ALICE, NOW, an_identity, login_data

TOPIC = "login-events"

_printable = st.characters(exclude_categories=("Cs", "Cc"))
_names = st.text(_printable, min_size=1, max_size=40)
_identities = st.builds(
    EventIdentity,
    tenant=st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True),
    source=_names,
    event_id=_names,
)
_times = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone itself
    max_value=datetime(9998, 1, 1),  # noqa: DTZ001  # likewise
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda n: timezone(timedelta(minutes=n))),
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=8,
)
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=4),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=10,
)


@given(_identities, _times, _names, _json)
def test_a_written_login_reads_back(
    identity: EventIdentity, time: datetime, subject: str, extra: object
) -> None:
    """Identity, instant, user and data come back as they went in, and fields unknown here travel along."""
    data = login_data(subject=subject, unheard_of=extra)
    record = write_login_attempted(TOPIC, identity, time, data)
    event = read_event(record.key, record.value, record.headers)
    assert isinstance(event, LoginAttempted)
    assert (event.identity, event.subject, event.time) == (identity, subject, time)
    assert record.key_hash == murmur2(record.key or b"")
    assert msgspec.json.decode(record.value or b"") == data


@given(_identities, _times, _names, _names, st.text(_printable, min_size=1, max_size=256))
def test_a_written_return_reads_back(
    identity: EventIdentity, time: datetime, subject: str, login_id: str, code: str
) -> None:
    """A return names its login, within its own tenant and source, and carries the code."""
    record = write_login_returned(
        TOPIC, identity, time, subject, login_event_id=login_id, code=code
    )
    event = read_event(record.key, record.value, record.headers)
    assert isinstance(event, LoginReturned)
    assert event.login == EventIdentity(identity.tenant, identity.source, login_id)
    assert (event.subject, event.code, event.time) == (subject, code, time)


@given(
    _identities,
    _times,
    _names,
    st.none() | st.from_regex(r"[A-Za-z0-9_-]{22}", fullmatch=True),
)
def test_a_written_forget_reads_back(
    identity: EventIdentity, time: datetime, subject: str, browser: str | None
) -> None:
    """A "forget" names its user, and the browser if it means one alone."""
    record = write_browsers_forget(TOPIC, identity, time, subject, browser=browser)
    event = read_event(record.key, record.value, record.headers)
    assert isinstance(event, BrowsersForget)
    assert (event.identity, event.subject, event.time) == (identity, subject, time)
    assert event.browser == browser


@given(st.dictionaries(st.sampled_from(("user", "client", "login", "x")), _anything))
def test_any_mapping_is_written_or_refused(data: dict[str, Any]) -> None:
    """Whatever a mapping holds, it is written so that it reads back, or refused with `InvalidEventError`."""
    try:
        record = write_login_attempted(TOPIC, an_identity(), NOW, data)
    except InvalidEventError:
        return
    read_event(record.key, record.value, record.headers)


@given(st.text(), st.text(), st.text(), st.text())
def test_any_identity_is_written_or_refused(
    tenant: str, source: str, event_id: str, subject: str
) -> None:
    """No tenant, source, id or user, however odd, makes a record that reads back as something else."""
    identity = EventIdentity(tenant, source, event_id)
    try:
        record = write_browsers_forget(TOPIC, identity, NOW, subject)
    except InvalidEventError:
        return
    event = read_event(record.key, record.value, record.headers)
    assert (event.identity, event.subject) == (identity, subject)


def test_a_struct_is_written_as_its_mapping_is() -> None:
    """A `PostLoginEvent` and the mapping that it was made from read back as the same event."""
    data = login_data()
    struct = msgspec.convert(data, PostLoginEvent)
    events = []
    for form in (data, struct):
        record = write_login_attempted(TOPIC, an_identity(), NOW, form)
        event = read_event(record.key, record.value, record.headers)
        assert isinstance(event, LoginAttempted)
        events.append(event.event)
    assert events[0] == events[1] == struct


def test_trace_context_is_passed_through() -> None:
    """A `traceparent` arrives with the event."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    record = write_login_attempted(TOPIC, an_identity(), NOW, login_data(), traceparent=parent)
    assert read_event(record.key, record.value, record.headers).traceparent == parent


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"client": {"client_id": "shop"}}, "user is missing"),
        ({**login_data(), "user": {"email": "a@b.c"}}, "user.user_id is missing"),
        ({**login_data(), "user": {"user_id": ""}}, "user.user_id"),
        ({**login_data(), "login": {"browser_id": "short"}}, "login.browser_id"),
        ({**login_data(), "login": {"expires_at": datetime(2026, 1, 1)}}, "login.expires_at"),  # noqa: DTZ001  # that is the point
        ({**login_data(), "tenant": {"id": "globex"}}, "tenantid and tenant.id differ"),
        ({**login_data(), "x": object()}, "can't be written as JSON"),
        ({**login_data(), "x": "\ud800"}, "can't be written as JSON"),
        ({**login_data(), "x": "a" * 300_000}, "send less metadata"),
    ],
)
def test_a_refusal_names_the_field(data: dict[str, Any], says: str) -> None:
    """What would become a dead letter is refused before it is sent, with the field and the remedy."""
    with pytest.raises(InvalidEventError, match=says):
        write_login_attempted(TOPIC, an_identity(), NOW, data)


def test_a_time_without_a_zone_is_refused() -> None:
    """A naive `time` is refused: nobody could say which instant it is."""
    with pytest.raises(InvalidEventError, match="time zone"):
        write_browsers_forget(TOPIC, an_identity(), NOW.replace(tzinfo=None), ALICE)
    with pytest.raises(InvalidEventError):
        write_browsers_forget(
            TOPIC, an_identity(), datetime.min.replace(tzinfo=UTC).replace(tzinfo=_EAST), ALICE
        )


_EAST = timezone(timedelta(hours=14))
