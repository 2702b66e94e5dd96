r"""What the signature of an event covers, and where the signature stands.

Law: it covers everything that an event is decided by, in each form alike: the bytes
`id LF source LF type LF time LF tenant LF data`. The first five hold no line feed, so no two events
have the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from countersign.core.errors import Defect, InvalidEventError
from countersign.wire.decoding import decode
from countersign.wire.forms import Form, Headers, form_of, header_texts
from countersign.wire.inbound import LOGIN_ATTEMPTED

HEADER = "ce_signature"
"""The header of a signature, CloudEvents' extension attribute `signature`; for a bare event, too."""

Signer = Callable[[bytes], str]
"""Returns the detached signature of what an event's signature covers: a JWS whose middle part is empty."""


class SignedPart(NamedTuple):
    """What is to be verified.

    Attributes:
        signature: as it was sent, empty where it was no text; None where none was.
        content: the bytes that it covers.
    """

    signature: str | None
    content: bytes


class _Envelope(msgspec.Struct, frozen=True):
    """A structured event, its time as the text that was sent."""

    id: str
    source: str
    type: str
    time: str
    data: msgspec.Raw
    signature: msgspec.Raw = msgspec.Raw(b"null")


class _Client(msgspec.Struct, frozen=True):
    client_id: str


class _Bare(msgspec.Struct, frozen=True):
    """A bare event, its time as the text that was sent."""

    id: str
    time: str
    client: _Client


_envelope = msgspec.json.Decoder(_Envelope)
_bare = msgspec.json.Decoder(_Bare)


def signed_part(value: bytes, headers: Headers, tenant: str) -> SignedPart:
    """Return what is to be verified of an event.

    Args:
        value: the record's value.
        headers: the record's headers.
        tenant: the event's tenant, wherever it is named.

    Raises:
        InvalidEventError: several signatures came with it.
    """
    texts = header_texts(headers)
    match form_of(value, texts):
        case Form.STRUCTURED:
            envelope = decode(_envelope, value)
            names = (envelope.id, envelope.source, envelope.type, envelope.time)
            return SignedPart(
                _member(envelope.signature), _content(*names, tenant, bytes(envelope.data))
            )
        case Form.BINARY:
            names = (texts["id"], texts["source"], texts["type"], texts["time"])
        case Form.BARE:
            bare = decode(_bare, value)
            names = (bare.id, bare.client.client_id, LOGIN_ATTEMPTED, bare.time)
    return SignedPart(_in_headers(headers), _content(*names, tenant, value))


def with_signature(
    value: bytes, headers: Headers, tenant: str, signer: Signer
) -> tuple[bytes, Headers]:
    """Return value and headers of an event, which has none yet, with its signature.

    Args:
        value: the record's value.
        headers: the record's headers.
        tenant: the event's tenant.
        signer: signs.

    Raises:
        InvalidEventError: it has one already.
    """
    present, content = signed_part(value, headers, tenant)
    if present is not None:
        raise InvalidEventError(Defect.INVALID_SIGNATURE, "the event is signed already")
    signature = signer(content)
    if form_of(value, header_texts(headers)) is Form.STRUCTURED:
        # In front, so that the bytes of the data stay as they were signed.
        member = b'{"signature":' + msgspec.json.encode(signature) + b","
        return member + value.lstrip()[1:], headers
    return value, [*headers, (HEADER, signature.encode())]


def _content(id_: str, source: str, kind: str, time: str, tenant: str, data: bytes) -> bytes:
    return f"{id_}\n{source}\n{kind}\n{time}\n{tenant}\n".encode() + data


def _member(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=str | None)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _in_headers(headers: Headers) -> str | None:
    found = [text for name, text in headers if str(name).lower() == HEADER]
    if len(found) > 1:
        raise InvalidEventError(
            Defect.INVALID_SIGNATURE, f"header {HEADER} stands twice; send it once"
        )
    # Of a header that is null or no text, the replacement is no signature either.
    return (found[0] or b"").decode(errors="replace") if found else None
