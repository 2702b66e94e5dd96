"""Decodes what senders have written, and says what is wrong in words that hold none of it (law 9)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from countersign.core.errors import Defect, InvalidEventError

_T = TypeVar("_T")


def convert_attributes(attributes: Mapping[str, str], kind: type[_T]) -> _T:
    """Return CloudEvents attributes, as they stood in headers, as a value of this kind.

    Raises:
        InvalidEventError: they are none; the error names the header and the remedy.
    """
    try:
        return msgspec.convert(attributes, kind)
    except msgspec.ValidationError as error:
        raise InvalidEventError(Defect.INVALID_HEADERS, _explained(error, "header ce_")) from None


def decode(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T:
    """Return what the JSON says.

    Raises:
        InvalidEventError: it is no JSON, or not of this shape; the error names the field and the remedy.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise InvalidEventError(Defect.INVALID_EVENT, _explained(error, "")) from None
    except msgspec.DecodeError as error:
        # The reasons are msgspec's own, such as "JSON is malformed: invalid character (byte 3)".
        raise InvalidEventError(
            Defect.NOT_JSON, f"{error}; send one JSON object in UTF-8"
        ) from None
    except RecursionError:
        raise InvalidEventError(
            Defect.NOT_JSON, "the JSON is nested too deeply; send it flatter"
        ) from None


_PATH = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")


def _explained(error: msgspec.ValidationError, prefix: str) -> str:
    """Return msgspec's complaint as field, flaw and remedy; it never quotes a value but enums."""
    match = _PATH.match(str(error))
    assert match is not None  # noqa: S101  # the pattern matches every text
    what = match["what"]
    path = (match["path"] or "$").removeprefix("$").removeprefix(".")
    if missing := _MISSING.match(what):
        field = f"{path}.{missing['field']}" if path else missing["field"]
        return f"{prefix}{field} is missing; send it"
    if what.startswith("Invalid enum value"):  # quotes what came
        what = 'Expected "1.0"' if path == "specversion" else "Invalid value"
    return f"{prefix}{path or 'the event'}: {what}; send it as the schema says"
