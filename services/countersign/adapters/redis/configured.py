"""Makes the store from the process's settings."""

from __future__ import annotations

import stamina
import structlog

from countersign.adapters.redis.caches import RedisCaches
from countersign.adapters.redis.connection import RedisClient
from countersign.adapters.redis.store import RedisStore
from countersign.core.errors import StoreUnavailableError
from countersign.core.identity import Pseudonyms
from countersign.probe.readiness import Readiness
from countersign.settings import Settings

log = structlog.get_logger(__name__)


def redis_caches(settings: Settings, client: RedisClient) -> RedisCaches:
    """Return the caches of tenants' Actions on a connection."""
    return RedisCaches(client, Pseudonyms(settings.identifier_key_bytes()))


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


async def verified(store: RedisStore, readiness: Readiness) -> None:
    """Return when Redis answers and keeps what it is given; wait for it as long as it takes.

    Raises:
        SettingsError: it may evict what it is given.
    """
    async for attempt in stamina.retry_context(
        on=StoreUnavailableError, attempts=None, timeout=None, wait_initial=0.2, wait_max=5.0
    ):
        with attempt:
            if attempt.num > 1:
                readiness.lacks("store", "waiting for Redis")
                log.warning("waiting_for_redis", attempt=attempt.num)
            await store.verify()
    readiness.has("store")
