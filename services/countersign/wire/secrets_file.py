"""Reads a file of secret values: a `NAME=VALUE` a line, `ACTION.NAME=VALUE` for one Action's alone.

Law 9: what is wrong is told by the line's number and never by what stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from countersign.core.errors import Problem, SettingsError


class SecretValues(NamedTuple):
    """The values of a file.

    Attributes:
        shared: by name: for every Action that names it.
        own: by Action and name: for that Action, before a shared one.
        lines: by Action ("" for all) and name: the line that gives it.
    """

    shared: Mapping[str, str] = {}
    own: Mapping[tuple[str, str], str] = {}
    lines: Mapping[tuple[str, str], int] = {}

    def value(self, action: str, name: str) -> str | None:
        """Return a secret's value; None where the file gives none."""
        return self.own.get((action, name), self.shared.get(name))


_LINE: Final = re.compile(r"(?:export\s+)?(?P<name>[^\s=]+)\s*=\s*(?P<value>.*)", re.DOTALL)
_DOUBLE: Final = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_SINGLE: Final = re.compile(r"'(?P<text>[^']*)'\s*(?:#.*)?")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


def read_secrets(text: bytes, source: str) -> SecretValues:
    r"""Return the values that a file gives.

    Empty lines and those that begin with `#` are passed over. A value in double quotes may have the
    escapes \n, \r, \t, \" and \\; one in single quotes is what it is; one without quotes is the rest of
    the line.

    Args:
        text: the file.
        source: its name, for messages.

    Raises:
        SettingsError: a line says nothing clear; each that is wrong is named by its number.
    """
    try:
        lines = text.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        problem = Problem(key="file", problem="is not UTF-8", remedy="Save it as UTF-8")
        raise SettingsError(source=source, problems=[problem]) from None
    values: dict[tuple[str, str], str] = {}
    places: dict[tuple[str, str], int] = {}
    found: list[Problem] = []
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        value = _value(match["value"]) if match is not None else None
        if match is None or value is None:
            found.append(_unclear(number, named=match is not None))
            continue
        action, dot, name = match["name"].partition(".")
        key = (action, name) if dot else ("", action)
        found += _flaws(number, value, twice=key in values)
        values[key], places[key] = value, number
    if found:
        raise SettingsError(source=source, problems=found)
    return SecretValues(
        shared={name: value for (action, name), value in values.items() if not action},
        own={key: value for key, value in values.items() if key[0]},
        lines=places,
    )


def _value(text: str) -> str | None:
    """Return what a value says; None where its quotes don't close."""
    if text.startswith('"'):
        match = _DOUBLE.fullmatch(text)
        return match and re.sub(
            r"\\(.)", lambda each: _ESCAPES.get(each[1], each[1]), match["text"]
        )
    if text.startswith("'"):
        match = _SINGLE.fullmatch(text)
        return match and match["text"]
    return text


def _unclear(number: int, *, named: bool) -> Problem:
    if named:
        problem, remedy = "has quotes that don't close", 'Close them, or write \\" within them'
    else:
        problem, remedy = "is no NAME=VALUE", "Write NAME=VALUE, or # before a comment"
    return Problem(key=f"line {number}", problem=problem, remedy=remedy)


def _flaws(number: int, value: str, *, twice: bool) -> Iterator[Problem]:
    if twice:
        yield Problem(
            key=f"line {number}", problem="gives a name once more", remedy="Give each name once"
        )
    if not value:
        yield Problem(
            key=f"line {number}",
            problem="has no value",
            remedy="Give one, or leave the line out to keep the value in force",
        )
