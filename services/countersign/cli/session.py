"""What the short commands share: settings, logs for people, and the readers and writers they use."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.adapters.kafka.tenant_settings_writer import TenantSettingsWriter
from countersign.adapters.redis.connection import connect_redis
from countersign.adapters.sealing import Sealer
from countersign.logs import set_up_logs
from countersign.settings import Settings, load_settings


def begin() -> Settings:
    """Load the settings, and show people what fails below the command.

    Raises:
        SettingsError: the process's settings are wrong.
    """
    settings = load_settings()
    # Kafka's client tells only its log why it doesn't get a connection.
    set_up_logs("error", "console")
    return settings


@contextlib.asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[TenantSettingsReader]:
    """Open a reader that has read everything.

    Raises:
        BusUnavailableError: Kafka or the topic isn't there.
    """
    reader = TenantSettingsReader(kafka_connection(settings), settings.tenant_settings_topic)
    await reader.start(patient=False)
    try:
        yield reader
    finally:
        await reader.stop()


@contextlib.asynccontextmanager
async def writing(settings: Settings) -> AsyncIterator[TenantSettingsWriter]:
    """Open a writer.

    Raises:
        SettingsError: there is no settings key.
        BusUnavailableError: Kafka or the topic isn't there.
    """
    sealer = Sealer(settings.settings_keys())
    async with contextlib.AsyncExitStack() as stack:
        reader = await stack.enter_async_context(reading(settings))
        redis = connect_redis(settings)
        stack.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(kafka_connection(settings))
        stack.push_async_callback(publisher.close)
        yield TenantSettingsWriter(
            reader=reader,
            publisher=publisher,
            redis=redis,
            sealer=sealer,
            topic=settings.tenant_settings_topic,
            clock=lambda: datetime.now(UTC),
            token=lambda: secrets.token_urlsafe(16),
        )
