"""Reaches what every service works with: the store, the tenants' settings, the way onto the bus.

Waits for each as long as it takes, and looks after them from then on, so that `/ready` is true.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import NamedTuple

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.adapters.redis.configured import redis_store, verified
from countersign.adapters.redis.connection import RedisClient, connect_redis
from countersign.adapters.redis.store import RedisStore
from countersign.core.errors import BusUnavailableError
from countersign.probe.readiness import Readiness
from countersign.probe.watch import watch
from countersign.settings import Settings


class Reached(NamedTuple):
    """What a service works with."""

    store: RedisStore
    tenants: TenantSettingsReader
    publisher: KafkaPublisher
    redis: RedisClient


async def reach(
    settings: Settings, readiness: Readiness, stack: AsyncExitStack, *, actions: bool = False
) -> Reached:
    """Return what a service works with; the stack lets go of it again.

    Args:
        settings: where it all is.
        readiness: is told of `store` and `tenant-settings`.
        stack: gets what has to be closed.
        actions: the service runs tenants' Actions, so they are read, too.

    Raises:
        SettingsError: the store may evict what it is given.
    """
    client = connect_redis(settings)
    stack.push_async_callback(client.aclose)
    store = redis_store(settings, client)
    await verified(store, readiness)

    connection = kafka_connection(settings)
    tenants = TenantSettingsReader(connection, settings.tenant_settings_topic, actions=actions)
    readiness.lacks("tenant-settings", "reading the topic to its end")
    await tenants.start()
    stack.push_async_callback(tenants.stop)
    readiness.has("tenant-settings")

    publisher = KafkaPublisher(connection)
    stack.push_async_callback(publisher.close)
    with suppress(BusUnavailableError):  # then the first records wait for it, and say so
        await publisher.start()

    checks = {"store": store.verify, "tenant-settings": tenants.catch_up}
    watching = asyncio.create_task(watch(readiness, checks))
    stack.callback(watching.cancel)
    return Reached(store, tenants, publisher, client)
