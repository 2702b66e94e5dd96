"""The decider's composition root: everything is built here, started in order, and stopped in order.

Faust owns the app, the agent and their supervision, without its own Kafka consumer and producer,
which lose events (docs/adr/0001). The source of events and the way back are ours.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime

import faust
from aiokafka import AIOKafkaConsumer
from faust.app.base import BootStrategy

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.reach import reach
from countersign.adapters.redis.configured import redis_caches
from countersign.core.identity import Pseudonyms
from countersign.decider.agent import BatchHandler, Topics
from countersign.decider.channel import Batch, BatchChannel
from countersign.decider.configured import running_flows
from countersign.decider.effects import Effects
from countersign.decider.judge import Judge
from countersign.decider.limit import DeadLetterLimit
from countersign.decider.metrics import Metrics
from countersign.decider.source import Source
from countersign.logs import quiet_libraries
from countersign.ports import Publisher, Store, TenantDirectory
from countersign.probe.collector import spare_the_collector
from countersign.probe.readiness import Readiness
from countersign.probe.service import run_service
from countersign.settings import Settings


class Boot(BootStrategy):
    """Faust without its own Kafka clients and web server."""

    enable_kafka_consumer = False
    enable_kafka_producer = False
    enable_web = False


class DeciderApp(faust.App):
    """The Faust app that the agent lives in."""

    BootStrategy = Boot

    def _create_directories(self) -> None:
        """Leave the file system alone: directories are for Faust's tables, and there are none."""

    async def on_stop(self) -> None:
        """Stop, and close the event loop of the consumer that Faust makes and never starts."""
        await super().on_stop()
        self.consumer._thread.thread_loop.close()  # type: ignore[attr-defined]  # noqa: SLF001  # Faust has no other way to it


def utc_now() -> datetime:
    """Return the time: the one place where this process reads it."""
    return datetime.now(UTC)


class Decider:
    """A decider, put together and not yet started.

    Args:
        settings: the process's settings.
        store: what is remembered.
        effects: what tenants' Actions ask for.
        publisher: the way onto the bus.
        tenants: the tenants' settings.
        readiness: what is still lacking.
        metrics: what is counted.
    """

    def __init__(  # the parts that tests replace
        self,
        settings: Settings,
        *,
        store: Store,
        effects: Effects,
        publisher: Publisher,
        tenants: TenantDirectory,
        readiness: Readiness,
        metrics: Metrics,
    ) -> None:
        handler = BatchHandler(
            judge=Judge(
                store,
                effects,
                Pseudonyms(settings.identifier_key_bytes()),
                public_url=settings.public_url,
                clock=utc_now,
            ),
            store=store,
            publisher=publisher,
            tenants=tenants,
            topics=Topics(settings.mfa_results_topic, settings.dead_letters_topic),
            limit=DeadLetterLimit(settings.dead_letter_limit, settings.dead_letter_window),
            metrics=metrics,
            clock=utc_now,
        )
        self.metrics = metrics
        self.app = DeciderApp(settings.group_id, broker="kafka://", store="memory://")
        self.channel = BatchChannel(self.app)
        self.source = Source(
            channel=self.channel,
            make_consumer=lambda: consumer(settings),
            topic=settings.login_events_topic,
            batch_size=settings.batch_size,
            drain=settings.drain_timeout,
            readiness=readiness,
            metrics=metrics,
        )

        async def decide(batches: faust.StreamT[Batch]) -> None:
            async for batch in batches:
                await batch.run(handler.handle)

        self.app.agent(self.channel, name="decide")(decide)

    async def start(self) -> None:
        """Start the agent, then the source."""
        await self.app.start()
        quiet_libraries()
        spare_the_collector()
        await self.source.start()

    async def stop(self) -> None:
        """Finish the batch in hand, leave the group, then stop the agent."""
        await self.source.leave()
        await self.source.stop()
        await self.app.stop()


def consumer(settings: Settings) -> AIOKafkaConsumer:
    """Return a consumer of the login events, not started; offsets are committed by the source."""
    session = settings.kafka_session_timeout.total_seconds()
    return AIOKafkaConsumer(
        **kafka_connection(settings).arguments(),
        group_id=settings.group_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=int(session * 1000),
        # The group waits so long for a member that is finishing its batch before it rejoins.
        rebalance_timeout_ms=int((settings.drain_timeout.total_seconds() + session) * 1000),
        # A member hears of a rebalance with its next heartbeat, and the group waits for all.
        heartbeat_interval_ms=int(min(session / 5, 0.5) * 1000),
        metadata_max_age_ms=30_000,
    )


async def serve(settings: Settings) -> int:
    """Run a decider until SIGTERM or SIGINT; return the process's exit status.

    Once its source has ended, for a reason that is in the log and in `/ready`, it stays: going on would
    only hide that from people.

    Raises:
        SettingsError: the settings can't work; nothing was taken.
    """
    readiness = Readiness("store", "tenant-settings", "events")
    metrics = Metrics()
    return await run_service(
        settings,
        readiness,
        metrics.registry,
        lambda stack: _started(settings, readiness, metrics, stack),
        lambda decider: 1 if decider.source.failure is not None else 0,
    )


async def _started(
    settings: Settings, readiness: Readiness, metrics: Metrics, stack: AsyncExitStack
) -> Decider:
    """Start a decider; wait for Redis and Kafka as long as it takes."""
    store, tenants, publisher, redis = await reach(settings, readiness, stack, actions=True)
    flows = await stack.enter_async_context(running_flows(settings, tenants, metrics))
    decider = Decider(
        settings,
        store=store,
        effects=Effects(flows, redis_caches(settings, redis)),
        publisher=publisher,
        tenants=tenants,
        readiness=readiness,
        metrics=metrics,
    )
    await decider.start()
    stack.push_async_callback(decider.stop)
    return decider
