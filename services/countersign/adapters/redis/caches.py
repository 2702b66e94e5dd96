"""The caches of tenants' Actions on Redis: a hash a tenant, each entry with an end of its own."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from countersign.adapters.redis.keys import Keys
from countersign.adapters.redis.scripts import Item, Script
from countersign.core.cache import MAX_ENTRIES
from countersign.core.effect import CacheWrite
from countersign.core.facts import CacheEntry
from countersign.core.identity import Pseudonyms
from countersign.core.instants import instant_of, milliseconds_of
from countersign.ports import CacheWrites


class RedisCaches:
    """`ports.Caches` on a Redis server or cluster.

    Args:
        client: the connection; its owner closes it.
        pseudonyms: the keyed hashes of the deployment.
    """

    def __init__(self, client: Redis | RedisCluster, pseudonyms: Pseudonyms) -> None:
        self._keys = Keys(pseudonyms)
        self._cached = Script(client, "cached")
        self._cache = Script(client, "cache", shared=("arguments", "keep_until"))

    async def cached(self, tenants: Sequence[str]) -> dict[str, dict[str, CacheEntry]]:
        """See `ports.Caches.cached`."""
        if not tenants:
            return {}
        items = []
        for tenant in tenants:
            bucket, key = self._keys.cache(tenant)
            items.append(Item(bucket, (key,), ()))
        found = await self._cached([], items)
        return {
            tenant: {
                name.decode(): _entry(value)
                for name, value in zip(entries[::2], entries[1::2], strict=True)
            }
            for tenant, entries in zip(tenants, found, strict=True)
        }

    async def cache(self, writes: Sequence[CacheWrites]) -> None:
        """See `ports.Caches.cache`."""
        if not writes:
            return
        items = []
        for each in writes:
            bucket, key = self._keys.cache(each.tenant)
            now = milliseconds_of(each.at)
            changes = (part for write in each.writes for part in (write.key, _kept(write)))
            items.append(Item(bucket, (key,), (now, len(each.writes), *changes)))
        await self._cache([MAX_ENTRIES], items)


def _kept(write: CacheWrite) -> str:
    """Return an entry's value as it is kept, or "" for one that is to go."""
    if write.value is None or write.expires_at is None:
        return ""
    return f"{milliseconds_of(write.expires_at)}:{write.value}"


def _entry(kept: bytes) -> CacheEntry:
    end, _, value = kept.partition(b":")
    return CacheEntry(value.decode(), instant_of(int(end)))
