"""Writes the records of `login-events`, for relying parties: CloudEvents 1.0 in the binary form.

Law: whatever is written reads back through `read_event`; what would not is refused before it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import EventIdentity, user_key
from countersign.core.login import PostLoginEvent
from countersign.wire.inbound import BROWSERS_FORGET, LOGIN_ATTEMPTED, LOGIN_RETURNED, read_event
from countersign.wire.results import OutboundRecord
from countersign.wire.signed_part import Signer, with_signature

_encoder = msgspec.json.Encoder()


def write_login_attempted(
    topic: str,
    identity: EventIdentity,
    time: datetime,
    data: PostLoginEvent | Mapping[str, Any],
    *,
    traceparent: str | None = None,
) -> OutboundRecord:
    """Return the record of a login that has passed the first factor.

    Args:
        topic: the login events' topic.
        identity: tenant, source and the login event's own id.
        time: when it happened; aware.
        data: Auth0's post-login `event` plus `login`. Of a mapping every field is sent, known or not.
        traceparent: W3C trace context.

    Raises:
        InvalidEventError: it would be no login event; the error names the field and the remedy.
    """
    subject = data.user.user_id if isinstance(data, PostLoginEvent) else _subject(data)
    return _record(topic, identity, time, (LOGIN_ATTEMPTED, subject, data), traceparent)


def write_login_returned(  # an event is made of these
    topic: str,
    identity: EventIdentity,
    time: datetime,
    subject: str,
    *,
    login_event_id: str,
    code: str,
    traceparent: str | None = None,
) -> OutboundRecord:
    """Return the record of a browser that came back from a challenge with a one-time return code.

    Args:
        topic: the login events' topic.
        identity: the login's tenant and source, and this event's own id.
        time: when it came back; aware.
        subject: the user.
        login_event_id: the login event that was challenged, as the browser's session names it.
        code: the code, as the browser brought it.
        traceparent: W3C trace context.

    Raises:
        InvalidEventError: it would be no such event; the error names the field and the remedy.
    """
    data = {"event_id": login_event_id, "code": code, "user": {"user_id": subject}}
    return _record(topic, identity, time, (LOGIN_RETURNED, subject, data), traceparent)


def write_browsers_forget(
    topic: str,
    identity: EventIdentity,
    time: datetime,
    subject: str,
    *,
    browser: str | None = None,
    traceparent: str | None = None,
) -> OutboundRecord:
    """Return the record that makes remembered browsers of a user be forgotten.

    Args:
        topic: the login events' topic.
        identity: tenant, source and this event's own id.
        time: when it was asked for; aware.
        subject: the user.
        browser: the keyed hash of the one to forget; None: every one.
        traceparent: W3C trace context.

    Raises:
        InvalidEventError: it would be no such event; the error names the field and the remedy.
    """
    data: dict[str, Any] = {"user": {"user_id": subject}}
    if browser is not None:
        data["browser"] = browser
    return _record(topic, identity, time, (BROWSERS_FORGET, subject, data), traceparent)


def signed(record: OutboundRecord, tenant: str, signer: Signer) -> OutboundRecord:
    """Return the record of an event with its signature.

    Args:
        record: an event's record, in any form, not signed yet.
        tenant: the event's tenant.
        signer: signs.

    Raises:
        InvalidEventError: it is signed already.
    """
    value, headers = with_signature(record.value or b"", record.headers, tenant, signer)
    return record._replace(value=value, headers=headers)


def _subject(data: Mapping[str, Any]) -> str:
    """Return the user that the data name; where they don't, reading back says what is wrong."""
    user = data.get("user")
    subject = user.get("user_id") if isinstance(user, Mapping) else None
    return subject if isinstance(subject, str) else ""


def _record(
    topic: str,
    identity: EventIdentity,
    time: datetime,
    content: tuple[str, str, object],
    traceparent: str | None,
) -> OutboundRecord:
    kind, subject, data = content
    if time.tzinfo is None:
        raise InvalidEventError(
            Defect.INVALID_EVENT, "time has no time zone; give an aware datetime"
        )
    try:
        value = _encoder.encode(data)
        key = user_key(identity.tenant, subject)
        attributes = {
            "specversion": "1.0",
            "id": identity.event_id,
            "source": identity.source,
            "type": kind,
            "time": time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "tenantid": identity.tenant,
            "partitionkey": key.decode(),
        }
        if traceparent is not None:
            attributes["traceparent"] = traceparent
        headers = [
            ("content-type", b"application/json"),
            *((f"ce_{name}", text.encode()) for name, text in attributes.items()),
        ]
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        # Not its text: that could quote a value.
        raise InvalidEventError(
            Defect.INVALID_EVENT,
            f"the event can't be written as JSON in UTF-8 ({type(error).__name__});"
            " send strings, numbers, lists, mappings and aware datetimes",
        ) from None
    event = read_event(key, value, headers)
    return OutboundRecord(topic, event.key, value, headers, event.key_hash)
