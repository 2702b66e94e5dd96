"""Where runs take place: fresh topics, filled beforehand, and a store with nothing but the browsers.

Law: no run finds anything of another one.
"""

from __future__ import annotations

import base64
import itertools
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.kafka.topics import create_topics
from countersign.local import Stack
from countersign.settings import Settings, load_settings
from tests.benchmarks.contender import ACTING, OURS, cpu_seconds
from tests.benchmarks.load import Kind, Login, users_of, utc_now
from tests.benchmarks.plain_store import remember_browsers, remembered_key
from tests.benchmarks.store_state import Snapshot, Writer, empty, restore
from tests.builders import a_browser

_AT_ONCE = 5_000


class Ground:
    """Broker and store, made ready for each run.

    Args:
        stack: where they run.
        logins: all that there are; the browsers of those whose browser is remembered are.
        partitions: of each topic.
    """

    def __init__(self, stack: Stack, logins: Sequence[Login], *, partitions: int) -> None:
        self._stack = stack
        self._users = users_of(logins, Kind.REMEMBERED)
        self._partitions = partitions
        # Every run has the same key, so what is remembered once is remembered for all.
        self._key = base64.b64encode(secrets.token_bytes(32)).decode()
        self._ours: Snapshot | None = None

    def store_cpu_seconds(self) -> float:
        """Return how much processor time the store has taken so far."""
        return cpu_seconds(psutil.Process(self._stack.valkey_server.pid))

    def settings(self) -> Settings:
        """Return settings with names that no run had before."""
        name = secrets.token_hex(4)
        return load_settings(
            kafka_bootstrap=self._stack.kafka,
            redis_url=self._stack.redis_url,
            identifier_key=self._key,
            login_events_topic=f"login-events-{name}",
            mfa_results_topic=f"mfa-results-{name}",
            dead_letters_topic=f"login-events-dlq-{name}",
            tenant_settings_topic=f"tenant-settings-{name}",
            group_id=f"decider-{name}",
        )

    @asynccontextmanager
    async def made_ready(self, contender: str, logins: Sequence[Login]) -> AsyncIterator[Settings]:
        """Empty the store, remember the browsers as the contender does, and publish the logins."""
        settings = self.settings()
        await self._fill_store(contender, settings)
        connection, names = kafka_connection(settings), topic_names(settings)
        topics = (names.login_events, names.mfa_results, names.dead_letters, names.tenant_settings)
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        await admin.start()
        try:
            # The broker's clock says when a result was there, whoever published it.
            by_broker = {"message.timestamp.type": "LogAppendTime"}
            results = NewTopic(names.mfa_results, self._partitions, 1, topic_configs=by_broker)
            await admin.create_topics([results])
            await create_topics(
                connection, names, partitions=self._partitions, replication_factor=1
            )
            await self._publish(settings, logins)
            yield settings
            await admin.delete_topics(list(topics))
        finally:
            await admin.close()

    async def _publish(self, settings: Settings, logins: Sequence[Login]) -> None:
        publisher = KafkaPublisher(kafka_connection(settings), timeout=30.0)
        try:
            for start in range(0, len(logins), _AT_ONCE):
                part = itertools.islice(logins, start, start + _AT_ONCE)
                await publisher.publish([one.outbound(settings.login_events_topic) for one in part])
        finally:
            await publisher.close()

    async def _fill_store(self, contender: str, settings: Settings) -> None:
        client = Redis.from_url(settings.redis_url)
        try:
            if self._ours is None:
                writer = Writer(client, settings)
                self._ours = (await writer.remembered(self._users)).only("remembered")
            await empty(client)
            if contender == OURS or contender in ACTING:
                await restore(client, self._ours)
            else:
                browser = a_browser(since=utc_now())
                await remember_browsers(
                    client,
                    {remembered_key(u.tenant, u.subject, u.browser): browser for u in self._users},
                )
        finally:
            await client.aclose()
