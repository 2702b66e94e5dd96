"""What is wrong with an Action or a Rule, told before anybody logs in with it.

Law: lint reads the syntax and runs nothing of it; whatever the source, it ends within its limits and never
raises. What works is `members`, the table that the realm is built from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Final

import msgspec
import quickjs

from countersign.actions.duo_template import correct_duo_template
from countersign.actions.members import MEMBERS
from countersign.actions.realm import MAX_STACK, compiled
from countersign.actions.vocabulary import FACTORS
from countersign.core.action import MAX_SOURCE_BYTES, ActionKind
from countersign.core.effect import Provider

MAX_EXCERPT: Final = 100
"""Characters of a line that an excerpt shows."""
_TIME_LIMIT: Final = 10.0
"""Seconds of processor time; 100 kB of the densest code take about eight, what people write 0.02."""
_MEMORY_LIMIT: Final = 256 * 1024 * 1024
_STACK_LIMIT: Final = 4 * 1024 * 1024
"""Half of what a thread has: a parser goes down twenty calls for a bracket."""
_FILES: Final = ("reading", "shape", "uses", "calls", "run")
"""In the order in which they build on each other."""
_PLACE: Final = re.compile(r" \(line (\d+)\)$")
_LINE_END: Final = re.compile("\r\n|[\n\r\u2028\u2029]")
_NO_TREE: Final = ("syntax", "es-module", "unreadable")
"""What is told where there was nothing more to look at."""
_BEYOND: Final = 0xFFFF


class Severity(StrEnum):
    """What comes of a finding."""

    ERROR = "error"
    """Logins would be denied, or the Action can't be published."""
    WARNING = "warning"
    """It is run, and hardly does what was meant."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong with a source.

    Attributes:
        severity: what comes of it.
        line: counted from 1.
        column: in characters, counted from 1.
        rule: its name, for whoever sorts findings.
        message: what is wrong.
        remedy: what to do; for a template that can be corrected, the whole text.
        excerpt: the line, and a caret below the place.
    """

    severity: Severity
    line: int
    column: int
    rule: str
    message: str
    remedy: str
    excerpt: str


class _Found(msgspec.Struct, frozen=True):
    severity: Severity
    line: int
    column: int
    rule: str
    message: str
    remedy: str


def lint(
    source: str | bytes,
    *,
    kind: ActionKind,
    secrets: Collection[str] | None,
    modules: Collection[str],
) -> list[Finding]:
    """Find what is wrong with a source.

    Args:
        source: the code.
        kind: `action` or `rule`.
        secrets: the names of the secrets that it will have; None: nobody knows yet.
        modules: the names that `require` will know.

    Returns:
        What was found, in the order of the source.
    """
    try:
        text = source.decode() if isinstance(source, bytes) else source
        size = len(text.encode())
    except UnicodeError as error:
        return [_unreadable(error)]
    text = text.removeprefix("\ufeff")
    lines = _LINE_END.split(text)
    if size > MAX_SOURCE_BYTES:
        found = _Found(
            Severity.ERROR,
            1,
            0,
            "too-large",
            f"It has {size} bytes, an Action's code has at most {MAX_SOURCE_BYTES}",
            "Put parts of it into modules, or leave out what it doesn't use",
        )
        return [_shown(found, lines)]
    found_all = _read(text, kind, secrets, modules)
    if not any(each.rule in _NO_TREE for each in found_all):
        found_all = [*_uncompilable(text, kind), *found_all]
    if any(each.rule == "syntax" for each in found_all) and (
        correction := correct_duo_template(text)
    ):
        before = _LINE_END.split(text[: correction.at])
        template = _Found(
            Severity.ERROR,
            len(before),
            _utf16_length(before[-1]),
            "duo-template",
            "It is the Action of Auth0's page about Duo, which isn't JavaScript as it is printed there",
            f"Put this in its place:\n{correction.text}",
        )
        found_all = [template]
    return [_shown(each, lines) for each in found_all]


def _unreadable(error: UnicodeError) -> Finding:
    start = error.start if isinstance(error, UnicodeDecodeError | UnicodeEncodeError) else 0
    before = error.object[:start] if isinstance(error, UnicodeDecodeError) else b""
    if isinstance(error, UnicodeEncodeError):
        before = error.object[:start].encode()
    text = _LINE_END.split(before.decode())
    found = _Found(
        Severity.ERROR,
        len(text),
        _utf16_length(text[-1]),
        "not-utf-8",
        "It is no text in UTF-8",
        "Save it as UTF-8",
    )
    return _shown(found, text)


def _read(
    text: str, kind: ActionKind, secrets: Collection[str] | None, modules: Collection[str]
) -> list[_Found]:
    given = {
        "source": text,
        "kind": kind.value,
        "secrets": None if secrets is None else sorted(secrets),
        "modules": sorted(modules),
        "members": [list(member) for member in MEMBERS],
        "providers": list(Provider),
        "factors": FACTORS,
    }
    context = quickjs.Context()
    context.set_memory_limit(_MEMORY_LIMIT)
    context.set_max_stack_size(_STACK_LIMIT)
    context.set_time_limit(_TIME_LIMIT)
    try:
        context.eval(_program())
        told = context.eval(f"lint.run({json.dumps(given)})")
    except quickjs.JSException as error:
        problem = _Found(
            Severity.ERROR,
            1,
            0,
            "unreadable",
            "It is nested too deeply, or takes too long to read",
            "Write it with fewer brackets in each other",
        )
        if not _is_limit(error):
            raise
        return [problem]
    return msgspec.json.decode(told, type=list[_Found])


def _uncompilable(text: str, kind: ActionKind) -> list[_Found]:
    """Return what the engine has against a source that the parser takes, such as `const module`."""
    context = quickjs.Context()
    context.set_memory_limit(_MEMORY_LIMIT)
    context.set_max_stack_size(MAX_STACK)
    context.set_time_limit(_TIME_LIMIT)
    _, failure = compiled(context, text, kind)
    if failure is None:
        return []
    place = _PLACE.search(failure)
    said = _PLACE.sub("", failure).removeprefix("SyntaxError: ").strip()
    message = f"The engine doesn't take it: {said}"
    line = int(place[1]) if place else 1
    return [_Found(Severity.ERROR, line, 0, "syntax", message, "Write it in another way")]


def _is_limit(error: quickjs.JSException) -> bool:
    told = str(error).strip()
    return told == "null" or any(word in told for word in ("stack", "memory", "interrupted"))


@cache
def _program() -> str:
    """Return the parser and the rules, one after the other."""
    folder = resources.files("countersign.actions") / "javascript"
    files = [folder / "bundles" / "syntax.js", *(folder / "lint" / f"{name}.js" for name in _FILES)]
    return "\n".join(file.read_text("utf-8") for file in files)


def _shown(found: _Found, lines: list[str]) -> Finding:
    """Return a finding with its place as people count, and the line that it is in."""
    number = min(max(found.line, 1), len(lines))
    line = lines[number - 1]
    column = _characters(line, found.column)
    start = max(0, column - MAX_EXCERPT * 3 // 4) if len(line) > MAX_EXCERPT else 0
    shown = "".join(
        each if each.isprintable() else " " for each in line[start : start + MAX_EXCERPT]
    )
    return Finding(
        severity=found.severity,
        line=number,
        column=column + 1,
        rule=found.rule,
        message=found.message,
        remedy=found.remedy,
        excerpt=f"{shown}\n{' ' * (column - start)}^",
    )


def _characters(line: str, units: int) -> int:
    """Return how many characters so many of JavaScript's UTF-16 units are."""
    passed = 0
    for position, each in enumerate(line):
        if passed >= units:
            return position
        passed += 2 if ord(each) > _BEYOND else 1
    return len(line)


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
