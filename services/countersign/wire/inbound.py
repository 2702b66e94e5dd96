"""Reads a record of `login-events`: CloudEvents 1.0, binary or structured, or bare JSON.

A record becomes one event or one `InvalidEventError` that names the field and the remedy, and never
holds a value of the event (law 9). Nothing else leaves this file, whatever the bytes are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.identity import EventIdentity, murmur2, user_key
from countersign.core.login import (
    BrowserHandle,
    BrowsersForget,
    Identifier,
    Inbound,
    LoginAttempted,
    LoginReturned,
    PostLoginEvent,
    ReturnCode,
    SecuritySignal,
    Subject,
    TenantRef,
    control_character_in,
)
from countersign.wire.decoding import convert_attributes, decode
from countersign.wire.forms import (
    Attributes,
    Bare,
    Form,
    Headers,
    Structured,
    form_of,
    header_texts,
)
from countersign.wire.signals import Signal, read_claims, read_token

MAX_EVENT_BYTES = 256 * 1024
"""A larger event is a dead letter: a login has no use for so much."""

LOGIN_ATTEMPTED = "countersign.login.attempted.v1"
LOGIN_RETURNED = "countersign.login.returned.v1"
BROWSERS_FORGET = "countersign.browsers.forget.v1"
SECURITY_SIGNAL = "countersign.security.signal.v1"

_SET = "application/secevent+jwt"  # RFC 8417, section 7.2

# W3C Trace Context, section 3.2: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class _SubjectOnly(msgspec.Struct, frozen=True):
    user_id: Subject


class _Returned(msgspec.Struct, frozen=True, kw_only=True):
    event_id: Identifier
    code: ReturnCode
    user: _SubjectOnly
    tenant: TenantRef | None = None


class _Forget(msgspec.Struct, frozen=True, kw_only=True):
    user: _SubjectOnly
    tenant: TenantRef | None = None
    browser: BrowserHandle | None = None


_structured = msgspec.json.Decoder(Structured)
_text = msgspec.json.Decoder(str)
_bare = msgspec.json.Decoder(Bare)
_attempted = msgspec.json.Decoder(PostLoginEvent)
_returned = msgspec.json.Decoder(_Returned)
_forget = msgspec.json.Decoder(_Forget)


def read_event(key: bytes | None, value: bytes | None, headers: Headers) -> Inbound:
    """Return the event that a record of `login-events` holds.

    Args:
        key: the record's key; has to be `tenant:subject`, or a user's events could overtake each
            other on different partitions.
        value: the record's value.
        headers: the record's headers.

    Raises:
        InvalidEventError: it holds none; the error says what is wrong and what to do.
    """
    if not value:
        raise InvalidEventError(Defect.EMPTY, "the record has no value; send the event as JSON")
    if len(value) > MAX_EVENT_BYTES:
        raise InvalidEventError(
            Defect.TOO_LARGE,
            f"the value has {len(value)} bytes, at most {MAX_EVENT_BYTES} are taken;"
            " send less metadata",
        )
    _refuse_other_encodings(value)
    texts = header_texts(headers)
    match form_of(value, texts):
        case Form.STRUCTURED:
            event = _structured_event(value)
        case Form.BINARY:
            content_type = texts.pop("content-type", "").lower().partition(";")[0].rstrip()
            token = value if content_type == _SET else None
            event = _event(convert_attributes(texts, Attributes), value, token)
        case Form.BARE:
            event = _bare_event(value)
    if key != event.key:
        raise InvalidEventError(
            Defect.KEY_MISMATCH,
            "the record's key is not tenant:user_id; send it, so that a user's events keep their order",
        )
    return event


def _refuse_other_encodings(value: bytes) -> None:
    """Check all of the value, since decoding skips the fields that it doesn't know."""
    try:
        value.decode()
    except UnicodeDecodeError:
        raise InvalidEventError(
            Defect.NOT_JSON, "the value is not UTF-8; send one JSON object in UTF-8"
        ) from None


def _structured_event(value: bytes) -> Inbound:
    envelope = decode(_structured, value)
    data = bytes(envelope.data)
    token = decode(_text, data).encode() if data.startswith(b'"') else None
    return _event(envelope, data, token)


def _event(attributes: Attributes, data: bytes, token: bytes | None) -> Inbound:
    match attributes.type:
        case "countersign.login.attempted.v1":
            return _login(attributes, decode(_attempted, data), data)
        case "countersign.login.returned.v1":
            returned = decode(_returned, data)
            common = _common(attributes, returned.tenant, returned.user.user_id, data)
            _refuse_control_characters({"event_id": returned.event_id})
            identity: EventIdentity = common["identity"]
            login = EventIdentity(identity.tenant, identity.source, returned.event_id)
            return LoginReturned(**common, login=login, code=returned.code)
        case "countersign.browsers.forget.v1":
            forget = decode(_forget, data)
            common = _common(attributes, forget.tenant, forget.user.user_id, data)
            return BrowsersForget(**common, browser=forget.browser)
        case "countersign.security.signal.v1":
            signal = read_claims(data) if token is None else read_token(token.decode())
            return _security_signal(attributes, signal, data)
        case _:
            raise InvalidEventError(
                Defect.UNKNOWN_TYPE,
                f"type is none of {LOGIN_ATTEMPTED}, {LOGIN_RETURNED}, {BROWSERS_FORGET}, {SECURITY_SIGNAL}",
            )


def _security_signal(attributes: Attributes, signal: Signal, data: bytes) -> SecuritySignal:
    """Return the event; the issuer and its `jti` identify it, in whatever envelope it comes."""
    more = {"iss": signal.issuer, "jti": signal.jti}
    common = _common(attributes, None, signal.subject, data, more)
    common["identity"] = EventIdentity(attributes.tenantid or "", signal.issuer, signal.jti)
    # Neither may be from the future.
    common["time"] = max(attributes.time, signal.issued_at)
    return SecuritySignal(
        **common, audience=signal.audience, revokes=signal.revokes, token=signal.token
    )


def _bare_event(value: bytes) -> LoginAttempted:
    bare = decode(_bare, value)
    attributes = Attributes(
        specversion="1.0",
        id=bare.id,
        source=bare.client.client_id,
        type=LOGIN_ATTEMPTED,
        time=bare.time,
    )
    return _login(attributes, bare, value)


def _login(attributes: Attributes, event: PostLoginEvent, data: bytes) -> LoginAttempted:
    more = {"client.client_id": event.client.client_id}
    if event.login.browser_id is not None:
        more["login.browser_id"] = event.login.browser_id
    common = _common(attributes, event.tenant, event.user.user_id, data, more)
    return LoginAttempted(**common, event=event, data=data)


def _common(
    attributes: Attributes,
    tenant: TenantRef | None,
    subject: str,
    data: bytes,
    more: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the fields that every kind of event has; `more` are identifiers that its kind has."""
    name = attributes.tenantid
    if tenant is not None:
        if name is not None and name != tenant.id:
            raise InvalidEventError(
                Defect.INVALID_EVENT, "tenantid and tenant.id differ; send one tenant"
            )
        name = tenant.id
    if name is None:
        raise InvalidEventError(
            Defect.INVALID_EVENT, "tenantid is missing; send it, or tenant.id in the data"
        )
    _refuse_control_characters(
        {"id": attributes.id, "source": attributes.source, "user.user_id": subject, **more}
    )
    key = user_key(name, subject)
    traceparent = attributes.traceparent
    return {
        "identity": EventIdentity(name, attributes.source, attributes.id),
        "subject": subject,
        "key": key,
        "key_hash": murmur2(key),
        "time": attributes.time,
        "digest": _digest(attributes.type, attributes.time, key, data),
        # W3C Trace Context, section 4.3: what doesn't parse is ignored.
        "traceparent": traceparent
        if traceparent is not None and _TRACEPARENT.fullmatch(traceparent)
        else None,
    }


def _refuse_control_characters(identifiers: Mapping[str, str]) -> None:
    position = control_character_in(*identifiers.values())
    if position is not None:
        raise InvalidEventError(
            Defect.INVALID_EVENT,
            f"{list(identifiers)[position]} holds a control character; send it without",
        )


_DIGEST = hashlib.blake2b(digest_size=16)


def _digest(kind: str, time: datetime, key: bytes, data: bytes) -> bytes:
    state = _DIGEST.copy()
    state.update(f"{kind}\n{time.isoformat()}\n{len(key)}\n".encode())
    state.update(key)
    state.update(data)
    return state.digest()
