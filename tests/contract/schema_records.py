"""Reads the records in `schemas/examples/`, and says what the schemas make of a login event.

The format of the examples is described in `schemas/examples/README.md`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from countersign.core.errors import Defect
from countersign.wire.signals import KNOWN
from tests.contract.schema_files import (
    BARE,
    BINARY_HEADERS,
    BROWSERS_FORGET,
    LOGIN_ATTEMPTED,
    LOGIN_RETURNED,
    SCHEMAS,
    SECURITY_SIGNAL,
    STRUCTURED,
    TOKEN,
    validator,
)

EXAMPLES = SCHEMAS / "examples"

DATA = {
    "countersign.login.attempted.v1": LOGIN_ATTEMPTED,
    "countersign.login.returned.v1": LOGIN_RETURNED,
    "countersign.browsers.forget.v1": BROWSERS_FORGET,
    "countersign.security.signal.v1": SECURITY_SIGNAL,
}
"""The schema of the data, by the event's type."""


class Record(NamedTuple):
    """A Kafka record, as the readers take it."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Example(NamedTuple):
    """A record out of a file.

    Attributes:
        record: the record.
        defect: what the reader makes of it; None where it reads it, or has no such list.
        lenient: the reader takes it, though no service writes it.
        beyond_schema: why no schema can tell; None where one can.
    """

    record: Record
    defect: Defect | None
    lenient: bool
    beyond_schema: str | None


def examples(message: str, kind: str) -> list[Any]:
    """Return the `valid` or `invalid` examples of a message, as parameters named by their files."""
    paths = sorted((EXAMPLES / message / kind).glob("*.json"))
    return [pytest.param(load(path), id=path.stem) for path in paths]


def load(path: Path) -> Example:
    """Return the example that a file holds."""
    text = path.read_text("utf-8")
    for name, repeated in json.loads(text).get("stands_for", {}).items():
        text = text.replace(name, repeated["text"] * repeated["times"])
    content = json.loads(text)
    key, headers = content["key"], content["headers"]
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Example(
        Record(
            None if key is None else key.encode(),
            _value(content),
            [(name, _bytes(header)) for name, header in pairs],
        ),
        Defect(content["defect"]) if "defect" in content else None,
        content.get("lenient", False),
        content.get("beyond_schema"),
    )


def _value(content: dict[str, Any]) -> bytes | None:
    if "value_text" in content:
        return str(content["value_text"]).encode()
    if "value_base64" in content:
        return base64.b64decode(content["value_base64"])
    value = content["value"]
    return None if value is None else json.dumps(value).encode()


def _bytes(header: str | dict[str, str]) -> bytes:
    return header.encode() if isinstance(header, str) else base64.b64decode(header["base64"])


def headers_object(headers: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    """Return headers as the schemas see them: names in small letters, the last of a name counts."""
    return {name.lower(): value.decode(errors="replace") for name, value in headers}


def json_value(value: bytes | None) -> Any:  # noqa: ANN401  # any JSON
    """Return the JSON of a value.

    Raises:
        ValueError: it is none.
    """
    if value is None:
        message = "a tombstone"
        raise ValueError(message)
    return json.loads(value.decode(), parse_constant=_refuse)


def event_value(record: Record) -> Any:  # noqa: ANN401  # any JSON
    """Return what the schemas see of a value: its JSON, or a token's text.

    Raises:
        ValueError: it is neither.
    """
    if _is_token(headers_object(record.headers)):
        return (record.value or b"").decode()
    return json_value(record.value)


def _is_token(headers: dict[str, str]) -> bool:
    content_type = headers.get("content-type", "").lower().partition(";")[0].rstrip()
    return content_type == "application/secevent+jwt"


def _user(data: Any) -> object:  # noqa: ANN401  # any JSON
    """Return whom data are about; of a signal that names several, or another issuer's, none."""
    if "events" not in data:
        return data["user"]["user_id"]
    known = (data["events"].get(uri) or {} for uri in KNOWN)
    subjects = [data.get("sub_id"), *(payload.get("subject") for payload in known)]
    names = {_name(subject, data["iss"]) for subject in subjects if subject is not None}
    return names.pop() if len(names) == 1 else None


def _name(subject: dict[str, Any], issuer: str) -> object:
    kind = subject.get("format") or subject.get("subject_type") or "complex"
    if kind == "complex":
        return _name(subject["user"], issuer)
    if kind == "opaque":
        return subject["id"]
    return subject["sub"] if subject["iss"] == issuer else None


def _claims(token: str) -> Any:  # noqa: ANN401  # any JSON
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def form_of(record: Record, value: object) -> str:
    """Tell the form, as the schemas of the three forms say: by headers and a `specversion`."""
    headers = headers_object(record.headers)
    if headers.get("content-type", "").lower().startswith("application/cloudevents"):
        return "structured"
    specversion = value.get("specversion") if isinstance(value, dict) else None
    if "ce_specversion" not in headers and specversion is not None:
        return "structured"
    return "binary" if any(name.startswith("ce_") for name in headers) else "bare"


def schema_accepts(record: Record) -> bool | None:
    """Say what the schemas make of a login event; None where the value is no JSON."""
    headers = headers_object(record.headers)
    try:
        value = event_value(record)
    except (ValueError, RecursionError):
        return None
    match form_of(record, value):
        case "structured":
            return validator(STRUCTURED).is_valid(value)
        case "bare":
            return validator(BARE).is_valid(value)
        case _:
            signal = headers.get("ce_type") == "countersign.security.signal.v1"
            data = TOKEN if signal and _is_token(headers) else DATA.get(headers.get("ce_type", ""))
            fits = data is not None and validator(data).is_valid(value)
            return fits and validator(BINARY_HEADERS).is_valid(headers)


def accepts(record: Record) -> bool:
    """Say what the schemas make of a login event with the two rules that no schema can say.

    They are: envelope and data name the same tenant, where both do; the key is `tenant:user_id`.
    """
    if not schema_accepts(record):
        return False
    value = event_value(record)
    form = form_of(record, value)
    structured = form == "structured"
    envelope = value if structured else headers_object(record.headers)
    data = value["data"] if structured else value
    outer = envelope.get("tenantid" if structured else "ce_tenantid")
    data = _claims(data) if isinstance(data, str) else data
    signal = "events" in data
    inner = data["tenant"]["id"] if data.get("tenant") is not None and not signal else None
    tenants = {tenant for tenant in (outer, inner) if tenant is not None}
    # Of the binary form alone no schema sees both places where the tenant may be named.
    assert tenants or form == "binary"
    return len(tenants) == 1 and record.key == f"{tenants.pop()}:{_user(data)}".encode()
