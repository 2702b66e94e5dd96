"""The cache of a tenant's Actions: its limits (Auth0's), and what is left of it where it gets too full."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from countersign.core.effect import CacheWrite
from countersign.core.facts import CacheEntry

MAX_ENTRIES = 20
"""Entries of a tenant's cache; the ones that end first go."""
MAX_KEY = 64
MAX_VALUE = 4096
"""Bytes (Auth0)."""
LIFETIME = timedelta(minutes=15)
"""How long an entry is kept for which an Action names no end (Auth0)."""
MAX_LIFETIME = timedelta(hours=24)
"""How long one is kept at most (Auth0)."""


def changed(
    entries: Mapping[str, CacheEntry], writes: tuple[CacheWrite, ...], now: datetime
) -> dict[str, CacheEntry]:
    """Return the cache after some changes.

    Args:
        entries: the cache as it stands.
        writes: the changes, in order.
        now: the instant; what has ended by then is gone.
    """
    changed = dict(entries)
    for write in writes:
        if write.value is None or write.expires_at is None:
            changed.pop(write.key, None)
        else:
            changed[write.key] = CacheEntry(write.value, write.expires_at)
    lasting = [(entry.expires_at, key) for key, entry in changed.items() if entry.expires_at > now]
    return {key: changed[key] for _, key in sorted(lasting)[-MAX_ENTRIES:]}
