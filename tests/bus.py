"""A bus of a test's own on the shared stack: its topics, its group, its keys, and what passes over it.

Topics and group have names of their own, and the identifier key is new, so tests see nothing of each
other although they share Kafka and Valkey.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.kafka.topics import create_topics
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.connection import connect_redis
from countersign.adapters.redis.store import RedisStore
from countersign.core.challenge import Proof, State, claim, prove
from countersign.core.identity import Pseudonyms, murmur2
from countersign.core.login import LoginAttempted
from countersign.core.result import Assurance
from countersign.core.tenant import TenantSettings
from countersign.decider.app import Decider
from countersign.decider.effects import Effects
from countersign.decider.metrics import Metrics
from countersign.ports import Change, Publisher, Store
from countersign.probe.readiness import Readiness
from countersign.settings import Settings, load_settings
from countersign.wire.dead_letter import DeadLetter, read_dead_letter
from countersign.wire.inbound import read_event
from countersign.wire.results import OutboundRecord, Result, read_result
from tests.builders import InboundRecord, a_tenant, a_visit
from tests.no_flows import no_effects

if TYPE_CHECKING:
    from countersign.local import Stack

PATIENCE = 60.0
"""Seconds after which a condition that should come true counts as failed."""


class Copy(NamedTuple):
    """A record as a consumer sees it, without what differs between copies of it."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class FixedTenants:
    """`ports.TenantDirectory` of settings that change only when a test says so."""

    def __init__(self, *tenants: TenantSettings) -> None:
        self._tenants = {tenant.tenant: tenant for tenant in tenants}
        self.caught_up = 0

    def get(self, tenant: str) -> TenantSettings | None:
        """See `ports.TenantDirectory.get`."""
        return self._tenants.get(tenant)

    async def catch_up(self) -> None:
        """See `ports.TenantDirectory.catch_up`."""
        self.caught_up += 1

    def put(self, settings: TenantSettings) -> None:
        """Put other settings of a tenant in force."""
        self._tenants[settings.tenant] = settings


class Bus:
    """A test's own bus.

    Args:
        settings: what every process on it is given.
        publisher: the relying parties' way onto it.
        store: the store that its deciders share.
    """

    def __init__(self, settings: Settings, publisher: KafkaPublisher, store: RedisStore) -> None:
        self.settings = settings
        self.publisher = publisher
        self.store = store
        self.pseudonyms = Pseudonyms(settings.identifier_key_bytes())
        self._consumer: AIOKafkaConsumer | None = None
        self.results: list[Copy] = []
        self.dead_letters: list[DeadLetter] = []

    async def send(self, *records: InboundRecord) -> None:
        """Publish records to the login events' topic; return when they are acknowledged."""
        await self.publisher.publish(
            [
                OutboundRecord(
                    self.settings.login_events_topic,
                    record.key,
                    record.value,
                    list(record.headers),
                    murmur2(record.key) if record.key is not None else None,
                )
                for record in records
            ]
        )

    async def read(self) -> None:
        """Take in what has come out since the last time; waits a moment for something."""
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                self.settings.mfa_results_topic,
                self.settings.dead_letters_topic,
                bootstrap_servers=self.settings.kafka_bootstrap,
                auto_offset_reset="earliest",
                # A broker that was killed is found again within the patience of a test; by default
                # a consumer may take five minutes.
                metadata_max_age_ms=5_000,
            )
            await self._consumer.start()
        for place, records in (await self._consumer.getmany(timeout_ms=100)).items():
            for record in records:
                if place.topic == self.settings.mfa_results_topic:
                    copy = Copy(record.key, record.value, tuple(record.headers))
                    self.results.append(copy)
                else:
                    self.dead_letters.append(
                        read_dead_letter(record.key, record.value, record.headers)
                    )

    async def until(self, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Read until the condition holds.

        Raises:
            AssertionError: it didn't in time.
        """
        try:
            async with asyncio.timeout(patience):
                while not condition():
                    await self.read()
        except TimeoutError:
            message = f"{len(self.results)} results, {len(self.dead_letters)} dead letters"
            raise AssertionError(message) from None

    async def answers(self, count: int, patience: float = PATIENCE) -> list[Result]:
        """Return the results, once there are so many different ones, each once."""
        await self.until(lambda: len(self.distinct()) >= count, patience)
        return [read_result(copy.value or b"", copy.headers) for copy in self.distinct().values()]

    def distinct(self) -> dict[bytes, Copy]:
        """Return the first copy of each result by its id.

        Raises:
            AssertionError: two copies of a result differ in a byte (law 2).
        """
        seen: dict[bytes, Copy] = {}
        for copy in self.results:
            first = seen.setdefault(dict(copy.headers)["ce_id"], copy)
            assert copy == first
        return seen

    async def committed(self) -> int:
        """Return how many records of the login events' topic the group has committed."""
        async with self._admin() as admin:
            return await _committed(admin, self.settings.group_id)

    async def all_committed(self, count: int) -> None:
        """Return when the group has committed so many records; read results meanwhile.

        Raises:
            AssertionError: it didn't in time.
        """
        async with self._admin() as admin:
            try:
                async with asyncio.timeout(PATIENCE):
                    while await _committed(admin, self.settings.group_id) < count:
                        await self.read()
            except TimeoutError:
                have = await _committed(admin, self.settings.group_id)
                message = f"{have} of {count} are committed"
                raise AssertionError(message) from None
            assert await _committed(admin, self.settings.group_id) == count

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def prove(self, challenge_id: str, code: str, assurance: Assurance) -> None:
        """Do the challenger's part: Duo said allow, and the browser is sent back with a code."""
        (challenge,) = await self.store.challenges([challenge_id])
        assert challenge is not None
        assert challenge.state is State.PENDING
        now = datetime.now(UTC)
        code_hash = self.pseudonyms.code(challenge_id, code)
        proof = Proof(assurance=assurance, code_hash=code_hash, visit=a_visit(at=now))
        claimed = claim(challenge, "holder", now, self.settings.drain_timeout)
        assert await self.store.settle([Change(challenge=claimed)]) == [True]
        proven = prove(claimed, "holder", proof, now)
        assert await self.store.settle([Change(challenge=proven)]) == [True]

    async def prompts(self, login: InboundRecord) -> int:
        """Return how many prompts the login's user was charged."""
        event = read_event(*login)
        assert isinstance(event, LoginAttempted)
        (standing,) = await self.store.facts([event])
        return len(standing.facts.prompts)

    @asynccontextmanager
    async def decider(
        self,
        *tenants: TenantSettings,
        store: Store | None = None,
        effects: Effects | None = None,
        publisher: Publisher | None = None,
        settings: Settings | None = None,
    ) -> AsyncIterator[Decider]:
        """Run a decider in this process, with the real adapters where no others are given."""
        settings = settings or self.settings
        own = KafkaPublisher(kafka_connection(settings), timeout=5.0)
        decider = Decider(
            settings,
            store=store or self.store,
            effects=effects or no_effects(),
            publisher=publisher or own,
            tenants=FixedTenants(*(tenants or (a_tenant(),))),
            readiness=Readiness("events"),
            metrics=Metrics(),
        )
        await decider.start()
        try:
            yield decider
        finally:
            await decider.stop()
            await own.close()

    async def close(self) -> None:
        """Stop reading and sending."""
        if self._consumer is not None:
            await self._consumer.stop()
        await self.publisher.close()


@asynccontextmanager
async def open_bus(stack: Stack, *, partitions: int = 3, **overrides: Any) -> AsyncIterator[Bus]:  # noqa: ANN401  # any setting
    """Make a bus of a test's own.

    Args:
        stack: where it runs.
        partitions: of each topic.
        **overrides: settings that differ from the tests' own.
    """
    name = secrets.token_hex(4)
    settings = load_settings(
        **{
            "kafka_bootstrap": stack.kafka,
            "redis_url": stack.redis_url,
            "identifier_key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "settings_key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "login_events_topic": f"login-events-{name}",
            "mfa_results_topic": f"mfa-results-{name}",
            "dead_letters_topic": f"login-events-dlq-{name}",
            "tenant_settings_topic": f"tenant-settings-{name}",
            "group_id": f"decider-{name}",
            "kafka_session_timeout": "PT6S",
            "probe_port": 0,
            **overrides,
        }
    )
    connection = kafka_connection(settings)
    await create_topics(
        connection, topic_names(settings), partitions=partitions, replication_factor=1
    )
    client = connect_redis(settings)
    store = redis_store(settings, client)
    bus = Bus(settings, KafkaPublisher(connection), store)
    try:
        yield bus
    finally:
        await bus.close()
        await client.aclose()


async def _committed(admin: AIOKafkaAdminClient, group: str) -> int:
    offsets = await admin.list_consumer_group_offsets(group)
    return sum(place.offset for place in offsets.values())


def by_event(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Return the results by the login event that they answer."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.identity.event_id, []).append(result)
    return found


def order_kept(copies: Sequence[Copy], event_ids: Sequence[str]) -> bool:
    """Say whether the first results of these events stand in the order of the events."""
    seen = list(dict.fromkeys(dict(copy.headers)["ce_causationid"].decode() for copy in copies))
    return [one for one in seen if one in set(event_ids)] == list(event_ids)
