"""Which versions of tenants' Actions are published, from the records of the topic in their order.

Law: a version never changes: the first record under its key stands, until one without a value takes it
away; what can't be read changes nothing. Compaction keeps a key's *last* record, so a version is
settled only where the last record is the one that stands, as in `SettingsInForce`.
"""

from __future__ import annotations

from typing import Final

from countersign.core.action import ActionVersion
from countersign.wire.action import ActionKey, action_of, read_action

_DECODED: Final = 256
"""Versions that are kept decoded: those that somebody asked for of late."""


class PublishedVersions:
    """The published versions; takes the topic's records one by one.

    Records are kept as they came: most versions are there only to go back to, and nobody asks for them.
    """

    def __init__(self) -> None:
        self._values: dict[ActionKey, bytes] = {}
        self._unsettled: set[ActionKey] = set()
        self._decoded: dict[ActionKey, ActionVersion] = {}

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take the next record of the topic.

        Raises:
            SettingsError: the record should be an Action's, and is malformed; nothing changed by it.
        """
        place = action_of(key)
        if place is None:
            return
        if value is None:
            self._unsettled.discard(place)
            self._values.pop(place, None)
            self._decoded.pop(place, None)
            return
        standing = self._values.get(place)
        if standing == value:
            self._unsettled.discard(place)
            return
        if standing is not None:
            self._unsettled.add(place)
        read_action(place, value)
        self._values.setdefault(place, value)

    def get(self, place: ActionKey) -> ActionVersion | None:
        """Return a version; None where it is not published."""
        found = self._decoded.pop(place, None)
        if found is None:
            value = self._values.get(place)
            if value is None:
                return None
            found = read_action(place, value)
            if len(self._decoded) >= _DECODED:
                del self._decoded[next(iter(self._decoded))]
        # The one asked for last stands last, and goes last.
        self._decoded[place] = found
        return found

    def value(self, place: ActionKey) -> bytes | None:
        """Return the value of the record that stands."""
        return self._values.get(place)

    def of(self, tenant: str) -> list[ActionKey]:
        """Return a tenant's published versions, by name and version."""
        return sorted(place for place in self._values if place.tenant == tenant)

    def unsettled(self, tenant: str) -> list[ActionKey]:
        """Return a tenant's versions whose last record is not the one that stands."""
        return sorted(place for place in self._unsettled if place.tenant == tenant)
