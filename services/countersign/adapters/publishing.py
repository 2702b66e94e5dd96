"""Opens what tenants' settings and Actions are read and published with, for whoever does it briefly."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import TypedDict

from countersign.adapters.kafka.actions_writer import ActionsWriter
from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.adapters.kafka.tenant_settings_writer import TenantSettingsWriter
from countersign.adapters.redis.connection import RedisClient, connect_redis
from countersign.adapters.sealing import Sealer
from countersign.ports import Clock
from countersign.settings import Settings


@contextlib.asynccontextmanager
async def reading(
    settings: Settings, *, actions: bool = False
) -> AsyncIterator[TenantSettingsReader]:
    """Open a reader that has read everything.

    Args:
        settings: where Kafka is.
        actions: keep tenants' Actions, too.

    Raises:
        BusUnavailableError: Kafka or the topic isn't there.
    """
    reader = TenantSettingsReader(
        kafka_connection(settings), settings.tenant_settings_topic, actions=actions
    )
    await reader.start(patient=False)
    try:
        yield reader
    finally:
        await reader.stop()


class _Means(TypedDict):
    """What every writer of the topic works with."""

    reader: TenantSettingsReader
    publisher: KafkaPublisher
    redis: RedisClient
    sealer: Sealer
    topic: str
    clock: Clock
    token: Callable[[], str]


@contextlib.asynccontextmanager
async def writing(settings: Settings) -> AsyncIterator[TenantSettingsWriter]:
    """Open a writer of settings.

    Raises:
        SettingsError: there is no settings key.
        BusUnavailableError: Kafka or the topic isn't there.
    """
    async with _means(settings, actions=False) as means:
        yield TenantSettingsWriter(**means)


@contextlib.asynccontextmanager
async def writing_actions(settings: Settings) -> AsyncIterator[ActionsWriter]:
    """Open a writer of Actions.

    Raises:
        SettingsError: there is no settings key.
        BusUnavailableError: Kafka or the topic isn't there.
    """
    async with _means(settings, actions=True) as means:
        yield ActionsWriter(**means)


@contextlib.asynccontextmanager
async def _means(settings: Settings, *, actions: bool) -> AsyncIterator[_Means]:
    sealer = Sealer(settings.settings_keys())
    async with contextlib.AsyncExitStack() as stack:
        reader = await stack.enter_async_context(reading(settings, actions=actions))
        redis = connect_redis(settings)
        stack.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(kafka_connection(settings))
        stack.push_async_callback(publisher.close)
        yield _Means(
            reader=reader,
            publisher=publisher,
            redis=redis,
            sealer=sealer,
            topic=settings.tenant_settings_topic,
            clock=lambda: datetime.now(UTC),
            token=lambda: secrets.token_urlsafe(16),
        )
