"""A lease: for a while, one writer at a time. It orders writers who behave; the bus settles the rest."""

from __future__ import annotations

from datetime import timedelta

from countersign.adapters.redis.connection import RedisClient
from countersign.adapters.redis.scripts import Item, Script, unavailable


class Lease:
    """A lease that ends by itself after a while, and is given back before that by its holder alone.

    Args:
        client: the connection.
        key: what is leased.
        token: names the holder; random, so that nobody gives back another's lease.
        lifetime: how long it lasts.
    """

    def __init__(self, client: RedisClient, key: str, token: str, lifetime: timedelta) -> None:
        self._client = client
        self._key = key
        self._token = token
        self._lifetime = lifetime
        self._release = Script(client, "release")

    async def acquire(self) -> bool:
        """Return whether the lease is ours now.

        Raises:
            StoreUnavailableError: the store can't be asked now.
        """
        with unavailable():
            # What stood before is asked for: a repeat after a lost answer finds our own token.
            standing = await self._client.set(
                self._key, self._token, nx=True, px=self._lifetime, get=True
            )
        return standing is None or standing == self._token.encode()

    async def release(self) -> bool:
        """Give the lease back; return whether it was still ours.

        Raises:
            StoreUnavailableError: the store can't be asked now; the lease ends by itself.
        """
        released = await self._release([], [Item(0, [self._key], [self._token])])
        return bool(released[0])
