"""The decider with tenants' flows of Actions, put together as its own composition root does it."""

from __future__ import annotations

import asyncio
import os

import msgspec

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.memory.caches import MemoryCaches
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.decider.app import Decider
from countersign.decider.effects import Effects
from countersign.decider.metrics import Metrics
from countersign.probe.readiness import Readiness
from countersign.settings import Settings
from tests.benchmarks.contender import NAME
from tests.benchmarks.flows import sources, tenants
from tests.bus import FixedTenants
from tests.flows import an_action, flows_of, refs


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Decide logins until told to stop."""
    contender = os.environ[NAME]
    flows = {
        name: [an_action(f"a{n}", source) for n, source in enumerate(sources(contender, name))]
        for name in tenants(contender)
    }
    settled = [
        msgspec.structs.replace(one, flow=refs(*flows[name]))
        for name, one in tenants(contender).items()
    ]
    client = connect_redis(settings)
    publisher = KafkaPublisher(kafka_connection(settings))
    async with flows_of(flows) as running:
        decider = Decider(
            settings,
            store=redis_store(settings, client),
            effects=Effects(running, MemoryCaches()),
            publisher=publisher,
            tenants=FixedTenants(*settled),
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
