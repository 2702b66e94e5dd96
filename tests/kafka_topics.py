"""Topics of one test alone, on the embedded Kafka."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.topic_layout import TopicNames
from countersign.adapters.kafka.topics import create_topics, partition_count
from countersign.wire.results import OutboundRecord


async def make_topics(bootstrap: str, *, partitions: int = 3) -> TopicNames:
    """Create the four topics under names that no other test has, and return the names."""
    run = uuid.uuid4().hex[:8]
    names = TopicNames(
        login_events=f"login-events-{run}",
        mfa_results=f"mfa-results-{run}",
        dead_letters=f"login-events-dlq-{run}",
        tenant_settings=f"tenant-settings-{run}",
    )
    connection = KafkaConnection(bootstrap=bootstrap)
    await create_topics(connection, names, partitions=partitions, replication_factor=1)
    return names


async def put(bootstrap: str, records: Sequence[OutboundRecord]) -> list[str]:
    """Publish records in order, and return where each stands, as `partition:offset`."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        stand = [
            await producer.send_and_wait(
                record.topic, record.value, key=record.key, headers=list(record.headers)
            )
            for record in records
        ]
    finally:
        await producer.stop()
    return [f"{each.partition}:{each.offset}" for each in stand]


async def take_all(bootstrap: str, topic: str) -> list[Any]:
    """Return every record that stands on a topic, by partition and offset."""
    count = await partition_count(KafkaConnection(bootstrap=bootstrap), topic)
    assert count is not None
    partitions = [TopicPartition(topic, number) for number in range(count)]
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=bootstrap, fetch_max_wait_ms=50)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, 0)
        records: list[Any] = []
        while len(records) < sum(ends.values()):
            for batch in (await consumer.getmany(timeout_ms=100)).values():
                records += batch
    finally:
        await consumer.stop()
    return sorted(records, key=lambda record: (record.partition, record.offset))
