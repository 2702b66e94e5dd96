"""The straightforward loop: what a competent engineer writes first with aiokafka and redis-py.

A batch at a time, its store commands in one MGET and one pipeline, results with `producer.send()`, then
all acknowledgements are awaited and the offsets committed. It has no dead letters, no waiting out of
outages and no order within a user: that would come later, and costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis.asyncio import Redis

from countersign.core.identity import Pseudonyms
from countersign.core.login import LoginAttempted
from countersign.core.result import Decision, to_milliseconds
from countersign.decider.channel import BusRecord
from countersign.settings import Settings
from countersign.wire.inbound import read_event
from countersign.wire.records import unpack_decision
from countersign.wire.results import write_result
from tests.benchmarks.load import TENANTS
from tests.benchmarks.plain_store import facts_keys, judge, link_of, record


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Decide logins until told to stop."""
    consumer = AIOKafkaConsumer(
        settings.login_events_topic,
        bootstrap_servers=settings.kafka_bootstrap,
        group_id=settings.group_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=512 * 1024,  # as ours; the default of 16 kB would cost it a tenth
    )
    redis = Redis.from_url(settings.redis_url)
    loop = Loop(settings, producer, redis)
    await producer.start()
    await consumer.start()
    try:
        while not stop.is_set():
            found = await consumer.getmany(timeout_ms=200, max_records=settings.batch_size)
            if found:
                await loop.handle([record for part in found.values() for record in part])
                await consumer.commit()
    finally:
        await consumer.stop()
        await producer.stop()
        await redis.aclose()


class Loop:
    """The body of the loop."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer, redis: Redis) -> None:
        self._settings = settings
        self._producer = producer
        self._redis = redis
        self._pseudonyms = Pseudonyms(settings.identifier_key_bytes())

    async def handle(self, records: Sequence[BusRecord]) -> None:
        """Decide a batch, and return when its results are acknowledged."""
        events = [read_event(record.key, record.value, record.headers) for record in records]
        logins = [event for event in events if isinstance(event, LoginAttempted)]
        decisions = await self._decided(logins)
        sent = []
        for event, decision in zip(logins, decisions, strict=True):
            result = write_result(
                self._settings.mfa_results_topic,
                event.identity,
                event.subject,
                event.event.client.client_id,
                decision,
                traceparent=event.traceparent,
            )
            sent.append(
                await self._producer.send(
                    result.topic, result.value, key=result.key, headers=result.headers
                )
            )
        await asyncio.gather(*sent)

    async def _decided(self, logins: Sequence[LoginAttempted]) -> list[Decision]:
        """Decide each login, and return the decisions that stand."""
        url, keep = self._settings.public_url, self._settings.dedupe_window
        now = to_milliseconds(datetime.now(UTC))
        keys = [key for event in logins for key in facts_keys(event)]
        known = cast("list[bytes | None]", await self._redis.mget(keys))
        decisions: list[Decision] = []
        answers: list[tuple[int, int]] = []
        pipeline = self._redis.pipeline(transaction=False)
        commands = 0
        for place, event in enumerate(logins):
            found = known[3 * place : 3 * place + 3]
            tenant = TENANTS[event.identity.tenant]
            decision = judge(event, tenant, found, now, link_of(event, self._pseudonyms, url))
            decisions.append(decision)
            if found[0] is None:
                answers.append((place, commands))
                commands += record(pipeline, event, tenant, decision, found, keep)
        replies = await pipeline.execute()
        for place, answer in answers:
            if replies[answer] is not None:  # another worker was first
                decisions[place] = unpack_decision(replies[answer])
        return decisions
