"""The demo's world: the stack, its topics and keys, the tenants, and how its services are told of them."""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.adapters.kafka.tenant_settings_writer import TenantSettingsWriter
from countersign.adapters.kafka.topics import create_topics
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.adapters.redis.store import RedisStore
from countersign.adapters.sealing import Sealer
from countersign.core.identity import Pseudonyms
from countersign.core.tenant import (
    ChallengeRules,
    DuoUsername,
    Factors,
    Mfa,
    Policy,
    PushBudget,
)
from countersign.local.stack import Stack, embedded_stack
from countersign.settings import Settings, load_settings
from countersign.wire.tenant_file import DuoDraft, TenantDraft

RETURN_URL: Final = "https://shop.example.com/return"
_PARTITIONS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the demo plays in.

    Attributes:
        stack: Kafka and Valkey.
        settings: what its services are given.
        environment: the same as environment variables, without secrets; those are in files.
        store: the store that the services share.
        pseudonyms: the deployment's keyed hashes.
    """

    stack: Stack
    settings: Settings
    environment: Mapping[str, str]
    store: RedisStore
    pseudonyms: Pseudonyms


@contextlib.asynccontextmanager
async def open_world() -> AsyncIterator[World]:
    """Start the stack, create the topics, and put the tenants' settings in force."""
    async with contextlib.AsyncExitStack() as cleanup:
        stack = await cleanup.enter_async_context(embedded_stack())
        keys = {"identifier_key": _new_key(), "settings_key": _new_key()}
        environment = {
            "COUNTERSIGN_KAFKA_BOOTSTRAP": stack.kafka,
            "COUNTERSIGN_REDIS_URL": stack.redis_url,
            "COUNTERSIGN_SECRETS_DIR": str(_keep(keys, stack.directory / "secrets")),
            # The shortest that Kafka's own default allows, so that a killed worker is missed soon.
            "COUNTERSIGN_KAFKA_SESSION_TIMEOUT": "PT6S",
        }
        settings = load_settings(
            kafka_bootstrap=stack.kafka,
            redis_url=stack.redis_url,
            kafka_session_timeout=timedelta(seconds=6),
            **keys,
        )
        await create_topics(
            kafka_connection(settings),
            topic_names(settings),
            partitions=_PARTITIONS,
            replication_factor=1,
        )
        await _settle_tenants(settings)
        redis = connect_redis(settings)
        cleanup.push_async_callback(redis.aclose)
        pseudonyms = Pseudonyms(settings.identifier_key_bytes())
        store = redis_store(settings, redis)
        yield World(
            stack=stack,
            settings=settings,
            environment=environment,
            store=store,
            pseudonyms=pseudonyms,
        )


def tenants() -> list[TenantDraft]:
    """Return the demo's tenants; each has a rule of its own."""
    duo = DuoDraft(
        client_id="DI" + secrets.token_hex(9).upper(),
        client_secret=secrets.token_hex(20),
        api_host="api-demo.example.com",
    )
    sole_duo = Factors(duo=True)
    always = Mfa(policy=Policy.ALL_APPLICATIONS)
    challenge = ChallengeRules(return_urls=(RETURN_URL,))
    source = "demo"
    return [
        TenantDraft(
            source=source, tenant="acme", duo=duo, factors=sole_duo, mfa=always, challenge=challenge
        ),
        TenantDraft(
            source=source,
            tenant="globex",
            duo=duo,
            factors=sole_duo,
            mfa=Mfa(policy=Policy.CONFIDENCE_SCORE),
            challenge=challenge,
        ),
        TenantDraft(source=source, tenant="initech", factors=Factors(otp=True), mfa=always),
        TenantDraft(source=source, tenant="hooli", mfa=Mfa(policy=Policy.NEVER)),
        TenantDraft(
            source=source,
            tenant="umbrella",
            duo=duo,
            factors=sole_duo,
            mfa=Mfa(policy=Policy.ALL_APPLICATIONS, duo_username=DuoUsername.EMAIL),
            challenge=challenge,
            push_budget=PushBudget(prompts=2, window=timedelta(minutes=10)),
        ),
    ]


async def _settle_tenants(settings: Settings) -> None:
    connection = kafka_connection(settings)
    async with contextlib.AsyncExitStack() as cleanup:
        reader = TenantSettingsReader(connection, settings.tenant_settings_topic)
        await reader.start()
        cleanup.push_async_callback(reader.stop)
        redis = connect_redis(settings)
        cleanup.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(connection)
        cleanup.push_async_callback(publisher.close)
        writer = TenantSettingsWriter(
            reader=reader,
            publisher=publisher,
            redis=redis,
            sealer=Sealer(settings.settings_keys()),
            topic=settings.tenant_settings_topic,
            clock=lambda: datetime.now(UTC),
            token=lambda: secrets.token_urlsafe(16),
        )
        await writer.apply(tenants())


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _keep(keys: Mapping[str, str], directory: Path) -> Path:
    directory.mkdir(mode=0o700)
    for name, key in keys.items():
        (directory / f"countersign_{name}").write_text(key)
    return directory
