"""A topic of tenants' settings for one test, with readers and writers as processes would have them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from countersign.adapters.kafka.actions_writer import ActionsWriter
from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.adapters.kafka.tenant_settings_writer import TenantSettingsWriter
from countersign.adapters.kafka.whole_topic import TopicRecord, WholeTopic
from countersign.adapters.sealing import Sealer
from countersign.core.identity import murmur2
from countersign.core.tenant import ChallengeRules, Factors, Mfa, Policy, PushBudget
from countersign.local import Stack
from countersign.ports import Publisher
from countersign.wire.actions_file import ActionDraft, FlowDraft
from countersign.wire.results import OutboundRecord
from countersign.wire.tenant_file import DuoDraft, TenantDraft
from tests.builders import ACME, RETURN_URL

SECRET = "canary-canary-canary-canary-canary-canar"
KEY = bytes(range(32))


def a_draft(
    *, tenant: str = ACME, prompts: int = 5, secret: str | None = SECRET, client_id: str = "D" * 20
) -> TenantDraft:
    """Return what a settings file would say; `prompts` tells one from another."""
    return TenantDraft(
        source=f"{tenant}.toml",
        tenant=tenant,
        duo=DuoDraft(
            client_id=client_id, client_secret=secret, api_host="api-12345678.duosecurity.com"
        ),
        factors=Factors(duo=True),
        mfa=Mfa(policy=Policy.ALL_APPLICATIONS),
        challenge=ChallengeRules(return_urls=(RETURN_URL,)),
        push_budget=PushBudget(prompts=prompts),
    )


def an_action(name: str = "require-duo", *, by: int = 0, **parts: Any) -> ActionDraft:  # noqa: ANN401  # whatever an Action has
    """Return an Action of a flow; `by` tells one source from another."""
    source = f"exports.onExecutePostLogin = async () => {by};"
    return ActionDraft(**{"name": name, "source": source, **parts})


def a_flow(tenant: str, *actions: ActionDraft) -> FlowDraft:
    """Return what a directory would say."""
    return FlowDraft(source="acme/actions.toml", tenant=tenant, actions=actions)


class SettingsBus:
    """The topic, not created yet; and a tenant that no other test has, since leases are named by it.

    Args:
        stack: the running servers.
    """

    def __init__(self, stack: Stack) -> None:
        run = uuid.uuid4().hex[:8]
        self.connection = KafkaConnection(bootstrap=stack.kafka)
        self.topic = f"tenant-settings-{run}"
        self.tenant = f"acme-{run}"
        self._redis_url = stack.redis_url

    async def create(self) -> None:
        """Create the topic."""
        admin = AIOKafkaAdminClient(**self.connection.arguments())
        await admin.start()
        try:
            configs = {"cleanup.policy": "compact"}
            await admin.create_topics([NewTopic(self.topic, 1, 1, topic_configs=configs)])
        finally:
            await admin.close()

    @asynccontextmanager
    async def reader(self, *, actions: bool = False) -> AsyncIterator[TenantSettingsReader]:
        """Start a reader."""
        reader = TenantSettingsReader(self.connection, self.topic, actions=actions)
        await reader.start()
        try:
            yield reader
        finally:
            await reader.stop()

    @asynccontextmanager
    async def publisher(self) -> AsyncIterator[KafkaPublisher]:
        """Open a way onto the bus."""
        publisher = KafkaPublisher(self.connection)
        try:
            yield publisher
        finally:
            await publisher.close()

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Redis]:
        """Connect to the store."""
        async with Redis.from_url(self._redis_url) as redis:
            yield redis

    @asynccontextmanager
    async def writer(
        self, *, publisher: Publisher | None = None, key: bytes = KEY, earlier: bytes | None = None
    ) -> AsyncIterator[TenantSettingsWriter]:
        """Open a writer with a reader of its own, as in another process."""
        async with self._means(publisher, key, earlier, actions=False) as arguments:
            yield TenantSettingsWriter(**arguments)

    @asynccontextmanager
    async def actions_writer(
        self, *, publisher: Publisher | None = None, key: bytes = KEY, earlier: bytes | None = None
    ) -> AsyncIterator[ActionsWriter]:
        """Open a writer of Actions with a reader of its own, as in another process."""
        async with self._means(publisher, key, earlier, actions=True) as arguments:
            yield ActionsWriter(**arguments)

    @asynccontextmanager
    async def _means(
        self, publisher: Publisher | None, key: bytes, earlier: bytes | None, *, actions: bool
    ) -> AsyncIterator[dict[str, Any]]:
        async with AsyncExitStack() as stack:
            yield {
                "reader": await stack.enter_async_context(self.reader(actions=actions)),
                "publisher": (
                    await stack.enter_async_context(self.publisher())
                    if publisher is None
                    else publisher
                ),
                "redis": await stack.enter_async_context(self.redis()),
                "sealer": Sealer([key] if earlier is None else [key, earlier]),
                "topic": self.topic,
                "clock": lambda: datetime.now(UTC),
                "token": lambda: uuid.uuid4().hex,
            }

    async def put(self, key: str, value: bytes | None) -> None:
        """Put a record on the topic as anybody could."""
        async with self.publisher() as publisher:
            record = OutboundRecord(self.topic, key.encode(), value, [], murmur2(key.encode()))
            await publisher.publish([record])

    async def records(self) -> list[TopicRecord]:
        """Return everything on the topic."""
        topic = WholeTopic(self.connection, self.topic)
        await topic.open()
        try:
            ends = await topic.ends()
            found: list[TopicRecord] = []
            while await topic.positions() != ends:
                found += await topic.read()
            return found
        finally:
            await topic.close()
