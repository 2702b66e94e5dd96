"""Tells the three forms apart in which an event comes, and reads the headers of the binary one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Literal

import msgspec

from countersign.core.errors import Defect, InvalidEventError
from countersign.core.login import (
    Identifier,
    Instant,
    PostLoginEvent,
    SourceUri,
    TenantId,
)
from countersign.wire.decoding import decode

Headers = Sequence[tuple[str, bytes]]

# CloudEvents' Kafka binding, section 3: what starts so is structured, whatever headers come with it.
_CLOUDEVENTS = "application/cloudevents"
_STRUCTURED = "application/cloudevents+json"


class Form(Enum):
    """How an event stands in its record."""

    BINARY = "binary"
    """Attributes as headers, data as the value."""
    STRUCTURED = "structured"
    """Attributes and data in one JSON object."""
    BARE = "bare"
    """The data of a login, with `id` and `time` beside them."""


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """CloudEvents' context attributes, those that are read."""

    specversion: Literal["1.0"]
    id: Identifier
    source: SourceUri
    type: str
    time: Instant
    tenantid: TenantId | None = None
    traceparent: str | None = None


class Structured(Attributes, frozen=True, kw_only=True):
    """The structured form: attributes and data in one JSON object."""

    data: msgspec.Raw


class Bare(PostLoginEvent, frozen=True, kw_only=True):
    """A `login.attempted` without an envelope; the client id stands for the source."""

    id: Identifier
    time: Instant


class _Sniffed(msgspec.Struct, frozen=True):
    """Tells an envelope from a bare event that has such a key somewhere inside."""

    specversion: Any = None


_READ = {
    "content-type": "content-type",
    **{f"ce_{f.encode_name}": f.encode_name for f in msgspec.structs.fields(Attributes)},
}
"""The headers that are read, and the attributes that they are; a sender may add any others."""

_sniffed = msgspec.json.Decoder(_Sniffed)


def header_texts(headers: Headers) -> dict[str, str]:
    """Return the headers that are read, by their attribute's name.

    Raises:
        InvalidEventError: one stands twice, or is no text.
    """
    texts: dict[str, str] = {}
    for raw_name, raw in headers:
        name = _READ.get(raw_name) or _READ.get(str(raw_name).lower())
        if name is None:
            continue
        if name in texts:
            raise InvalidEventError(
                Defect.INVALID_HEADERS, f"header {_header(name)} stands twice; send it once"
            )
        try:
            texts[name] = raw.decode()
        except (UnicodeDecodeError, AttributeError):
            raise InvalidEventError(
                Defect.INVALID_HEADERS, f"header {_header(name)} is not UTF-8; send it as UTF-8"
            ) from None
    return texts


def form_of(value: bytes, texts: Mapping[str, str]) -> Form:
    """Return the form of a record.

    Args:
        value: its value.
        texts: its headers, as `header_texts` gives them.

    Raises:
        InvalidEventError: it is in none.
    """
    content_type = texts.get("content-type", "").lower()
    if content_type.startswith(_CLOUDEVENTS):
        if content_type.partition(";")[0].rstrip() != _STRUCTURED:
            raise InvalidEventError(
                Defect.INVALID_HEADERS,
                "content-type is a CloudEvents batch or a format that is not read;"
                f" send each event in a record of its own, as {_STRUCTURED}",
            )
        return Form.STRUCTURED
    if "specversion" in texts:
        return Form.BINARY
    if b'"specversion"' in value and decode(_sniffed, value).specversion is not None:
        return Form.STRUCTURED
    if texts.keys() - {"content-type"}:
        raise InvalidEventError(
            Defect.INVALID_HEADERS, 'ce_specversion is missing; send it with the value "1.0"'
        )
    return Form.BARE


def _header(attribute: str) -> str:
    return attribute if attribute == "content-type" else f"ce_{attribute}"
