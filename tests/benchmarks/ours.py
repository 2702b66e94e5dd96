"""The decider as it is, put together as its own composition root does it."""

from __future__ import annotations

import asyncio

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.decider.app import Decider
from countersign.decider.metrics import Metrics
from countersign.probe.readiness import Readiness
from countersign.settings import Settings
from tests.benchmarks.load import TENANTS
from tests.bus import FixedTenants
from tests.no_flows import no_effects


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Decide logins until told to stop."""
    client = connect_redis(settings)
    publisher = KafkaPublisher(kafka_connection(settings))
    decider = Decider(
        settings,
        store=redis_store(settings, client),
        effects=no_effects(),
        publisher=publisher,
        # Reading them from their topic is done once, before the first event.
        tenants=FixedTenants(*TENANTS.values()),
        readiness=Readiness("events"),
        metrics=Metrics(),
    )
    await decider.start()
    try:
        await stop.wait()
    finally:
        await decider.stop()
        await publisher.close()
        await client.aclose()
