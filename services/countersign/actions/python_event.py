"""What a Python Action reads of a login: a view of the event's JSON that nobody can change through it.

The list of an event's fields is open, and most of them are optional. So an attribute that isn't there is
None, as it is `undefined` to a JavaScript Action, while an item that isn't there is a `KeyError` that names
the field: `event.user.department` for what a user may lack, `event.user["email"]` for what has to be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from random import Random
from typing import Any, Final, NoReturn, overload

import msgspec

from countersign.actions.flow import FlowLogin
from countersign.core.instants import instant_of

_HUMP: Final = re.compile(r"_([a-z0-9])")

_ALWAYS: Final[dict[str, dict[str, Any]]] = {
    "user": {"app_metadata": {}, "user_metadata": {}, "identities": []},
    "client": {"metadata": {}},
    "connection": {},
    "request": {"query": {}, "body": {}, "geoip": {}},
    "stats": {},
}
"""Parts that every event has for an Action, and what is filled in where the sender left it out."""
_OPTIONAL: Final[dict[str, dict[str, Any]]] = {
    "authentication": {"methods": []},
    "authorization": {"roles": []},
    "organization": {"metadata": {}},
    "transaction": {
        "acr_values": [],
        "prompt": [],
        "requested_scopes": [],
        "response_type": [],
        "ui_locales": [],
        "metadata": {},
    },
}
"""What is filled in where the part is there."""


class View(Mapping[str, Any]):
    """A JSON object, read by attribute or by item; a name in snake_case also finds the one in camelCase.

    Args:
        fields: the object.
        path: where it stands in the event, for errors.
    """

    __slots__ = ("_fields", "_path")

    def __init__(self, fields: Mapping[str, Any], path: str = "event") -> None:
        object.__setattr__(self, "_fields", fields)
        object.__setattr__(self, "_path", path)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  # a JSON value
        """Return a field.

        Raises:
            KeyError: it is not there.
        """
        found = self._spelled(name)
        if found is None:
            message = f"{self._path} has no field {name}"
            raise KeyError(message)
        return _viewed(self._fields[found], f"{self._path}.{name}")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # a JSON value
        """Return a field; None where it is not there."""
        if name.startswith("__"):  # Python's own protocols ask for these
            raise AttributeError(name)
        found = self._spelled(name)
        return None if found is None else _viewed(self._fields[found], f"{self._path}.{name}")

    @overload
    def get(self, key: str, /) -> Any: ...  # noqa: ANN401  # a JSON value
    @overload
    def get(self, key: str, /, default: Any) -> Any: ...  # noqa: ANN401  # a JSON value
    def get(self, key: str, /, default: Any = None) -> Any:
        """Return a field; the default where it is not there."""
        return self[key] if self._spelled(key) is not None else default

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: an event is read only."""
        self._refuse(name)

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse: an event is read only."""
        self._refuse(name)

    def __contains__(self, name: object) -> bool:
        """Say whether a field is there."""
        return isinstance(name, str) and self._spelled(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Go through the names, as the sender wrote them."""
        return iter(self._fields)

    def __len__(self) -> int:
        """Return how many fields there are."""
        return len(self._fields)

    def __repr__(self) -> str:
        """Return where it stands, and its names without their values (law 9)."""
        return f"<{self._path}: {', '.join(self._fields)}>"

    def _spelled(self, name: str) -> str | None:
        """Return the name as it is written in the event; the name itself comes first."""
        if name in self._fields:
            return name
        camel = _HUMP.sub(lambda match: match[1].upper(), name)
        return camel if camel in self._fields else None

    def _refuse(self, name: str) -> NoReturn:
        message = f"{self._path}.{name} can't be set: an event is read only"
        raise TypeError(message)


class Event(View):
    """A login event as a Python Action gets it.

    Attributes:
        now: the event's instant; an Action has no other clock.
        random: random numbers that follow from the event and the Action, so that a redelivery gives the same.
    """

    __slots__ = ("now", "random")

    now: datetime
    random: Random

    def __init__(self, fields: Mapping[str, Any], *, now: datetime, random: Random) -> None:
        super().__init__(fields)
        object.__setattr__(self, "now", now)
        object.__setattr__(self, "random", random)


def event_of(login: FlowLogin, action: str) -> Event:
    """Return what an Action reads of a login.

    Args:
        login: the login.
        action: the Action's name; each has random numbers of its own.
    """
    data: dict[str, Any] = msgspec.json.decode(login.event)
    data.pop("login", None)
    for part, defaults in _ALWAYS.items():
        data[part] = _filled(data.get(part) or {}, defaults)
    for part, defaults in _OPTIONAL.items():
        if data.get(part) is not None:
            data[part] = _filled(data[part], defaults)
    data["tenant"] = {"id": login.tenant}
    # A package reads its own configuration; whatever a sender calls secrets is none.
    data["secrets"] = {}
    return Event(
        data,
        now=instant_of(login.at),
        random=Random(login.seed + action.encode()),  # noqa: S311  # to be the same again is what it's for
    )


def plain(value: View) -> Mapping[str, Any]:
    """Return the JSON object that a view shows."""
    fields: Mapping[str, Any] = value._fields
    return fields


def _filled(part: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {**part, **{name: value for name, value in defaults.items() if part.get(name) is None}}


def _viewed(value: Any, path: str) -> Any:  # noqa: ANN401  # a JSON value
    if isinstance(value, dict):
        return View(value, path)
    if isinstance(value, list):
        return tuple(_viewed(each, f"{path}[{place}]") for place, each in enumerate(value))
    return value
