"""Changes JSON documents, one field at a time or a few: what a sender might get wrong, or just right."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

from hypothesis import strategies as st

Path = tuple[str | int, ...]

LEFT_OUT: Final = object()
"""Stands for a field that is not there."""

_INSTANTS = (
    "2026-03-02T09:00:00Z",
    "2026-03-02T09:00:00",
    "2026-03-02t09:00:00.5+0130",
    "2026-03-02 09:00:00-23:59",
    "2026-03-02T09:00:00+24:00",
    "2026-03-02T09:00:00.Z",
    "2026-03-02T09:00:60Z",
    "2026-03-02T24:00:00Z",
    "2026-03-02T09:00:00Z\n",
    "2024-02-29T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.9999994Z",
    "9999-12-31T23:59:59.9999995Z",
    "٢026-03-02T09:00:00Z",
)
_DURATIONS = ("P7D", "PT300S", "pt1h", "-PT1S", "PT1.5M", "PT1.5M1S", "P1W", "P1M", "PT", "P1D\n")
_TEXTS = (
    "",
    "acme",
    "Acme",
    "acme\n",
    "ac:me",
    "a\x00",
    "\x7f",
    "ü🦊",
    "1.0",
    "aes-gcm",
    "closed",
    "countersign.browsers.forget.v1",
    *("x" * length for length in (15, 16, 63, 64, 256, 257, 512, 513, 2048, 2049)),
)
_OTHERS: tuple[Any, ...] = (
    *(LEFT_OUT, None, True, 0, 1, 100, 101, -1, 0.5, 10**20),
    *([], [None], ["x"], [0], [{}], [{"name": "pwd"}]),
    *({}, {"id": "acme"}, {"id": None}, {"user_id": "auth0|bob"}, {"client_id": ""}),
)
PROBES: Final = (*_INSTANTS, *_DURATIONS, *_TEXTS, *_OTHERS)
"""Values on both sides of every limit that the schemas have."""
FEW_PROBES: Final = ("", "acme", "a\x00", *_OTHERS)
"""Values of every kind, for fields that have a type and no limit."""


def paths(document: object, here: Path = ()) -> Iterator[Path]:
    """Yield the path of every field and item of a document."""
    if here:
        yield here
    if isinstance(document, dict):
        for name, value in document.items():
            yield from paths(value, (*here, name))
    elif isinstance(document, list):
        for position, value in enumerate(document):
            yield from paths(value, (*here, position))


def dotted(path: Path) -> str:
    """Return a path as `schema_files.declared` writes it."""
    text = ".".join("[]" if isinstance(step, int) else step for step in path)
    return text.replace(".[]", "[]")


def changed(document: Any, path: Path, value: object) -> Any:  # noqa: ANN401  # any JSON
    """Return a document with another value at a path; where the path is gone, nothing changes."""
    result = copy.deepcopy(document)
    parent = result
    for step in path[:-1]:
        try:
            parent = parent[step]
        except (KeyError, IndexError, TypeError):
            return result
    _put(parent, path[-1], value)
    return result


def _put(parent: object, step: str | int, value: object) -> None:
    if isinstance(parent, dict) and isinstance(step, str):
        parent.pop(step, None)
        if value is not LEFT_OUT:
            parent[step] = copy.deepcopy(value)
    elif isinstance(parent, list) and isinstance(step, int) and step < len(parent):
        parent[step : step + 1] = [] if value is LEFT_OUT else [copy.deepcopy(value)]


def _no_integer(number: float) -> bool:
    # To JSON Schema 1.0 is an integer, to the reader it is none; an example shows it.
    return not number.is_integer()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False).filter(_no_integer)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
"""Any JSON."""


@st.composite
def mutated(draw: st.DrawFn, document: dict[str, Any], *more: Path) -> dict[str, Any]:
    """Draw the document with one to three changes, at its own paths or at some that it lacks."""
    places = st.sampled_from([*paths(document), *more])
    for _ in range(draw(st.integers(1, 3))):
        value = draw(st.one_of(st.sampled_from(PROBES), json_values))
        document = changed(document, draw(places), value)
    return document
