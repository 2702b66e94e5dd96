"""Reads one login event from a file, as leniently as somebody who tries things out would like.

Auth0's `event` as it is printed there has no id, no time and no tenant of ours; what is missing is given.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from countersign.cli.event_files import MAX_LINE_BYTES, Entry, RefusedEventError, to_record
from countersign.core.errors import CountersignError
from countersign.core.login import LoginAttempted
from countersign.wire.inbound import read_event

_ID: Final = "explained"
_TOPIC: Final = "login-events"
"""The record goes nowhere; it only has the form that is read."""


def read_login(path: Path, tenant: str | None, now: datetime) -> LoginAttempted:
    """Return the login event that a file holds.

    Args:
        path: one JSON object: a bare event, a CloudEvent, or a record in full.
        tenant: whose login it is; None where the event says so.
        now: the time of an event that has none.

    Raises:
        CountersignError: it holds none, or another tenant's.
    """
    try:
        text = path.read_bytes().strip()
    except OSError as error:
        message = (
            f"{path} can't be read: {error.strerror}. Give a file with one login event in JSON"
        )
        raise CountersignError(message) from error
    if len(text) > MAX_LINE_BYTES:
        message = f"{path} is longer than {MAX_LINE_BYTES} bytes; Kafka takes no record as large"
        raise CountersignError(message)
    try:
        record = to_record(_TOPIC, Entry(1, _completed(text, tenant, now)), raw=False)
    except RefusedEventError as error:
        message = f"{path}: {error}"
        raise CountersignError(message) from None
    event = read_event(record.key, record.value, record.headers)
    if not isinstance(event, LoginAttempted):
        message = f"{path} holds no login.attempted; only that is decided"
        raise CountersignError(message)
    if tenant is not None and event.identity.tenant != tenant:
        message = f"{path} is a login of {event.identity.tenant}, not of {tenant}"
        raise CountersignError(message)
    return event


def instant(given: datetime | None) -> datetime:
    """Return the instant to decide at: now, where none is given; UTC, where it names no zone."""
    if given is None:
        return datetime.now(UTC)
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


def _completed(text: bytes, tenant: str | None, now: datetime) -> bytes:
    """Return the text of an event, with what a bare one lacks; all others as they stand."""
    try:
        event: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text  # whoever reads it next says what is wrong
    if not isinstance(event, dict) or "user" not in event or "specversion" in event:
        return text
    lacking: dict[str, Any] = {}
    if "id" not in event:
        lacking["id"] = _ID
    if "time" not in event:
        lacking["time"] = now.isoformat()
    named = event.get("tenant")
    if tenant is not None and not (isinstance(named, dict) and "id" in named):
        lacking["tenant"] = {"id": tenant}
    elif tenant is not None and isinstance(named, dict) and named["id"] != tenant:
        # Auth0's own name of the tenant, in an event that was copied from there.
        lacking["tenant"] = {**named, "id": tenant}
    return msgspec.json.encode({**event, **lacking}) if lacking else text
