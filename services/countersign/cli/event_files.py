"""Reads events to send from files: JSON Lines, or one JSON document in a file whose name ends in .json.

Law: a file is never in memory as a whole. An event is a record in full (`key`, `headers`, `value`), a
CloudEvent in the structured form, or a bare login event; its bytes are sent as they stand in the file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from countersign.core.errors import CountersignError, InvalidEventError
from countersign.core.identity import murmur2, user_key
from countersign.wire.forms import Headers
from countersign.wire.inbound import read_event
from countersign.wire.outbound_events import signed
from countersign.wire.results import OutboundRecord
from countersign.wire.signed_part import Signer

MAX_LINE_BYTES: Final = 1024 * 1024
"""The longest line, or .json file; Kafka takes no larger record."""

_STRUCTURED: Final = (("content-type", b"application/cloudevents+json"),)


class RefusedEventError(CountersignError):
    """What stands in a file is no event that can be sent; the text says what and what to do."""


class Entry(NamedTuple):
    """What stands at one place of a file.

    Attributes:
        line: the number of the line, from 1; 1 for a document.
        text: the bytes, without white space around them; None where they are more than is taken.
    """

    line: int
    text: bytes | None


class _Record(msgspec.Struct, forbid_unknown_fields=True):
    """A record in full; what an example says about itself besides is passed over."""

    key: str | msgspec.UnsetType | None = msgspec.UNSET
    headers: dict[str, Any] | list[tuple[str, Any]] = msgspec.field(default_factory=dict)
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    value_text: str | msgspec.UnsetType = msgspec.UNSET
    value_base64: str | msgspec.UnsetType = msgspec.UNSET
    about: Any = None
    defect: Any = None
    lenient: Any = None
    beyond_schema: Any = None


class _Kind(msgspec.Struct):
    """Tells a record in full, a structured CloudEvent and a bare event apart."""

    specversion: Any = None
    user: Any = None
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    value_text: Any = msgspec.UNSET
    value_base64: Any = msgspec.UNSET

    @property
    def in_full(self) -> bool:
        values = (self.value, self.value_text, self.value_base64)
        return self.user is None and any(value is not msgspec.UNSET for value in values)


class _Named(msgspec.Struct):
    id: str | None = None
    user_id: str | None = None


class _Owner(msgspec.Struct):
    """What a key is made of, wherever an event has it."""

    tenantid: str | None = None
    tenant: _Named | None = None
    user: _Named | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_kind = msgspec.json.Decoder(_Kind)
_record = msgspec.json.Decoder(_Record)
_owner = msgspec.json.Decoder(_Owner)


async def split(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[Entry]]:
    """Return the lines of a stream, as many at once as a chunk completes; empty ones are left out."""
    number, rest, overlong = 0, b"", False
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        entries: list[Entry] = []
        for text in whole:
            number += 1
            entries += _entry(number, text, overlong=overlong)
            overlong = False
        if len(rest) > MAX_LINE_BYTES:
            rest, overlong = b"", True
        if entries:
            yield entries
    if last := list(_entry(number + 1, rest, overlong=overlong)):
        yield last


async def whole(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[Entry]]:
    """Return a document as one entry."""
    text = b""
    async for chunk in chunks:
        text += chunk
        if len(text) > MAX_LINE_BYTES:
            yield [Entry(1, None)]
            return
    yield list(_entry(1, text, overlong=False))


def _entry(number: int, text: bytes, *, overlong: bool) -> Iterator[Entry]:
    text = text.strip()
    if overlong or len(text) > MAX_LINE_BYTES:
        yield Entry(number, None)
    elif text:
        yield Entry(number, text)


def to_record(
    topic: str, entry: Entry, *, raw: bool, signer: Signer | None = None
) -> OutboundRecord:
    """Return the record to send for an entry.

    Args:
        topic: where it goes.
        entry: what stands in the file.
        raw: send it even if no service will take it; what is no JSON is sent as it is.
        signer: signs it, unless it is sent raw.

    Raises:
        RefusedEventError: it can't be sent.
    """
    if entry.text is None:
        message = f"longer than {MAX_LINE_BYTES} bytes; Kafka takes no record as large"
        raise RefusedEventError(message)
    record = _built(topic, entry.text, raw=raw)
    if not raw:
        try:
            event = read_event(record.key, record.value, record.headers)
            if signer is not None:
                return signed(record, event.identity.tenant, signer)
        except InvalidEventError as error:
            raise RefusedEventError(str(error)) from None
    return record


def _built(topic: str, text: bytes, *, raw: bool) -> OutboundRecord:
    try:
        kind = _kind.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if raw:
            return _keyed(topic, None, text, ())
        message = f"{error}; write one JSON object a line, or name a file with one object .json"
        raise RefusedEventError(message) from None
    if kind.in_full:
        return _in_full(topic, text)
    headers = _STRUCTURED if kind.specversion is not None else ()
    return _keyed(topic, _key(text, headers), text, headers)


def _in_full(topic: str, text: bytes) -> OutboundRecord:
    try:
        record = _record.decode(text)
    except msgspec.DecodeError as error:
        message = f"{error}; a record has key, headers, and value, value_text or value_base64"
        raise RefusedEventError(message) from None
    headers = record.headers.items() if isinstance(record.headers, dict) else record.headers
    sent = tuple((name, _header(name, value)) for name, value in headers)
    value = _value(record)
    if record.key is msgspec.UNSET:
        key = _key(value, sent) if value is not None else None
    else:
        key = record.key.encode() if record.key is not None else None
    return _keyed(topic, key, value, sent)


def _value(record: _Record) -> bytes | None:
    if record.value_text is not msgspec.UNSET:
        return record.value_text.encode()
    if record.value_base64 is not msgspec.UNSET:
        return _bytes("value_base64", record.value_base64)
    value = b"" if record.value is msgspec.UNSET else bytes(record.value)
    return None if value == b"null" else value


def _header(name: str, value: Any) -> bytes:  # noqa: ANN401  # as it stands in the file
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and isinstance(value.get("base64"), str):
        return _bytes(f"header {name!a}", value["base64"])
    message = f'header {name!a} is neither a text nor {{"base64": …}}; write one of them'
    raise RefusedEventError(message)


def _bytes(field: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        message = f"{field} is not base64"
        raise RefusedEventError(message) from None


def _key(value: bytes, headers: Headers) -> bytes | None:
    """Return the key that an event has to have; None where it doesn't say whose it is."""
    try:
        outer = _owner.decode(value)
        inner = outer if outer.data is msgspec.UNSET else _owner.decode(outer.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    named = {name.lower(): text for name, text in headers}.get("ce_tenantid")
    tenant = named.decode(errors="replace") if named is not None else outer.tenantid
    if tenant is None and inner.tenant is not None:
        tenant = inner.tenant.id
    subject = inner.user.user_id if inner.user is not None else None
    return user_key(tenant, subject) if tenant is not None and subject is not None else None


def _keyed(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> OutboundRecord:
    return OutboundRecord(
        topic, key, value, list(headers), murmur2(key) if key is not None else None
    )
