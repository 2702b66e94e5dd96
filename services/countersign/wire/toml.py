"""What all files in TOML have in common: how they are read, and how what is wrong in them is said."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from countersign.core.errors import Problem, SettingsError
from countersign.core.login import TenantId


def read_toml(text: bytes, source: str) -> dict[str, Any]:
    """Return the document that a file holds.

    Raises:
        SettingsError: it is no TOML; the error names the place.
    """
    try:
        return tomllib.loads(text.decode())
    except UnicodeDecodeError:
        problem = Problem(key="file", problem="is not UTF-8", remedy="Save it as UTF-8")
        raise SettingsError(source=source, problems=[problem]) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # TOML's own text says what was expected and where, and quotes no value.
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        problem = Problem(key="file", problem=f"is not TOML: {reason}", remedy="Correct that place")
        raise SettingsError(source=source, problems=[problem]) from None


def unknown_keys(
    prefix: str, given: Mapping[str, object], known: Sequence[str]
) -> Iterator[Problem]:
    """Name each key that nobody knows, with those that were probably meant."""
    for name in given:
        if name in known:
            continue
        close = difflib.get_close_matches(name, known, n=3)
        remedy = f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(known)}"
        yield Problem(key=prefix + name, problem="is unknown", remedy=remedy)


def tenant_problems(document: Mapping[str, object], remedy: str) -> Iterator[Problem]:
    """Say what is wrong with the name of the tenant at a document's top.

    Args:
        document: the document.
        remedy: what to do where it is missing: a sentence to which the example is added.
    """
    if "tenant" not in document:
        yield Problem(
            key="tenant",
            problem="is missing",
            remedy=f'{remedy}, as in tenant = "acme", above the first section',
        )
        return
    try:
        msgspec.convert(document["tenant"], TenantId)
    except msgspec.ValidationError:
        yield Problem(
            key="tenant",
            problem="is no tenant's name",
            remedy="Use 1 to 63 of the characters a-z, 0-9 and -",
        )


_MESSAGE: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(?P<field>[^`]*)`")


def explained(place: str, error: msgspec.ValidationError, remedy: Callable[[str], str]) -> Problem:
    """Return msgspec's complaint as key, problem and remedy.

    Args:
        place: the key of what was read.
        error: the complaint.
        remedy: says what to write as a field, by its name.
    """
    match = _MESSAGE.match(str(error))
    assert match is not None  # noqa: S101  # the pattern matches every text
    path = match["path"] or ""
    if missing := _MISSING.search(match["what"]):
        field = missing["field"]
        return Problem(key=f"{place}.{field}", problem="is missing", remedy=remedy(field))
    field = re.split(r"[.\[]", path.lstrip("."), maxsplit=1)[0]
    what = match["what"]
    return Problem(key=f"{place}{path}", problem=what[:1].lower() + what[1:], remedy=remedy(field))
