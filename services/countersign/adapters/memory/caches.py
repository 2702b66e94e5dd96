"""The caches in memory: the Redis ones' twin, held to the same suite."""

from __future__ import annotations

from collections.abc import Sequence

from countersign.core.cache import changed
from countersign.core.facts import CacheEntry
from countersign.ports import CacheWrites


class MemoryCaches:
    """`ports.Caches` in this process's memory."""

    def __init__(self) -> None:
        self._caches: dict[str, dict[str, CacheEntry]] = {}

    async def cached(self, tenants: Sequence[str]) -> dict[str, dict[str, CacheEntry]]:
        """See `ports.Caches.cached`."""
        return {tenant: dict(self._caches.get(tenant, {})) for tenant in tenants}

    async def cache(self, writes: Sequence[CacheWrites]) -> None:
        """See `ports.Caches.cache`."""
        for each in writes:
            standing = self._caches.get(each.tenant, {})
            self._caches[each.tenant] = changed(standing, each.writes, each.at)
