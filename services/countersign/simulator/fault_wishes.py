"""Reads which fault somebody wants to inject, as JSON or as a form has it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec

from countersign.simulator.errors import WishError
from countersign.simulator.fault import Endpoint, Fault

Word = TypeVar("Word", bound=StrEnum)

_FIELDS: Final = frozenset({"fault", "endpoint", "username", "client_id", "times", "seconds"})


def read_json(body: bytes) -> dict[str, Any]:
    """Return the arguments for `Faults.inject` from JSON.

    Raises:
        WishError: it isn't JSON, or not this.
    """
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WishError(field="body", detail="is no JSON.") from error
    if not isinstance(given, dict):
        raise WishError(field="body", detail=f"is no object with some of: {_listed(_FIELDS)}.")
    if unknown := given.keys() - _FIELDS:
        detail = f"is none of: {_listed(_FIELDS)}."
        raise WishError(field=min(unknown)[:40], detail=detail)
    return {
        "fault": _word(Fault, "fault", given.get("fault")),
        "endpoint": _wordless(Endpoint, "endpoint", given.get("endpoint")),
        "username": _text("username", given.get("username")),
        "client_id": _text("client_id", given.get("client_id")),
        "times": _whole("times", given.get("times", 1)),
        "seconds": _number("seconds", given.get("seconds")),
    }


def read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments for `Faults.inject` from a form, where an empty field says nothing.

    Raises:
        WishError: a field holds what it can't.
    """
    given = {name: text for name, text in form.items() if text.strip()}
    return {
        "fault": _word(Fault, "fault", given.get("fault")),
        "endpoint": _wordless(Endpoint, "endpoint", given.get("endpoint")),
        "username": given.get("username"),
        "client_id": given.get("client_id"),
        "times": _whole("times", _parsed("times", int, given.get("times"))),
        "seconds": _number("seconds", _parsed("seconds", float, given.get("seconds"))),
    }


def _word(words: type[Word], name: str, value: object) -> Word:
    if not isinstance(value, str) or value not in set(words):
        raise WishError(field=name, detail=f"is one of: {', '.join(words)}.")
    return words(value)


def _wordless(words: type[Word], name: str, value: object) -> Word | None:
    return None if value is None else _word(words, name, value)


def _text(name: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise WishError(field=name, detail="is a text, or null: for all.")
    return value


def _whole(name: str, value: object) -> int | None:
    # A bool is an int to Python, and `true` is no number to anybody else.
    if value is not None and type(value) is not int:
        raise WishError(field=name, detail="is a whole number, or null: until it is removed.")
    return value


def _number(name: str, value: object) -> float | None:
    if value is None:
        return None
    if type(value) not in {int, float}:
        raise WishError(field=name, detail="is a number.")
    try:
        return float(value)  # type: ignore[arg-type]  # it is a number
    except OverflowError as error:
        raise WishError(field=name, detail="is too large.") from error


def _parsed(name: str, kind: type[int | float], text: str | None) -> int | float | None:
    try:
        return None if text is None else kind(text)
    except ValueError as error:
        raise WishError(field=name, detail="is no such number.") from error


def _listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
