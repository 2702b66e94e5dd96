"""`api.cache` of a Python Action: the tenant's, shared by its Actions of either language.

Changes are applied by whoever records the decision; what an Action has changed, later ones already see.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import msgspec

from countersign.actions.flow import FlowLogin
from countersign.actions.python_notes import Group, InvalidCallError, Notes, need_text
from countersign.core.cache import LIFETIME, MAX_KEY, MAX_LIFETIME, MAX_VALUE
from countersign.core.instants import MILLISECOND

_Api = TypeVar("_Api")


class CacheRecord(NamedTuple):
    """An entry of the tenant's cache.

    Attributes:
        value: what was put there.
        expires_at: when it ends, in milliseconds since 1970.
    """

    value: str
    expires_at: int


class Cache(Group[_Api]):
    """`api.cache`; spans and instants are in milliseconds."""

    _name = "cache"

    def __init__(self, api: _Api, notes: Notes, login: FlowLogin) -> None:
        super().__init__(api, notes)
        self._stored = login.cache
        self._now = login.at

    def get(self, key: str) -> CacheRecord | None:
        """Return an entry; None where there is none, or it has ended."""
        need_text("cache.get", "the key", key)
        found = self._stored.get(key)
        for name, value, end in self._notes.report.cache:
            if name == key:
                found = (value, end) if value is not None and end is not None else None
        return CacheRecord(*found) if found is not None and found[1] > self._now else None

    def set(
        self, key: str, value: str, *, ttl: int | None = None, expires_at: int | None = None
    ) -> CacheRecord:
        """Put an entry.

        Args:
            key: at most 64 bytes.
            value: at most 4096 bytes.
            ttl: for how long, in milliseconds; 15 minutes where nothing is said, at most 24 hours.
            expires_at: until when, in milliseconds since 1970; the earlier of the two counts.
        """
        call = "cache.set"
        need_text(call, "the key", key)
        if len(key.encode()) > MAX_KEY:
            raise InvalidCallError(call, f"the key has more than {MAX_KEY} bytes")
        need_text(call, "the value", value, empty=True)
        if len(value.encode()) > MAX_VALUE:
            raise InvalidCallError(call, f"the value has more than {MAX_VALUE} bytes")
        for name, given in (("ttl", ttl), ("expires_at", expires_at)):
            if given is not None and (isinstance(given, bool) or not isinstance(given, int)):
                raise InvalidCallError(call, f"{name} is no whole number of milliseconds")
        ends = [self._now + ttl] if ttl is not None else []
        ends += [expires_at] if expires_at is not None else []
        end = min(
            *(ends or [self._now + LIFETIME // MILLISECOND]),
            self._now + MAX_LIFETIME // MILLISECOND,
        )
        if end <= self._now:
            raise InvalidCallError(call, "the entry would have ended already")
        self._change(key, value, end)
        return CacheRecord(value, end)

    def delete(self, key: str) -> None:
        """Take an entry away."""
        need_text("cache.delete", "the key", key)
        self._change(key, None, None)

    def _change(self, key: str, value: str | None, end: int | None) -> None:
        report = self._notes.report
        change = (key, value, end)
        self._notes.report = msgspec.structs.replace(report, cache=(*report.cache, change))
