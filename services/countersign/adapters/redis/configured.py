"""Makes the store from the process's settings."""

from __future__ import annotations

from countersign.adapters.redis.connection import RedisClient
from countersign.adapters.redis.store import RedisStore
from countersign.core.identity import Pseudonyms
from countersign.settings import Settings


def redis_store(settings: Settings, client: RedisClient) -> RedisStore:
    """Return the deployment's store; whoever made the client closes it.

    Raises:
        SettingsError: there is no identifier key.
    """
    return RedisStore(
        client,
        Pseudonyms(settings.identifier_key_bytes()),
        dedupe_window=settings.dedupe_window,
        retention=settings.challenge_retention,
    )
