"""The four topics on a real Kafka: created as they have to be, compared, and never changed."""

from __future__ import annotations

import uuid

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import MessageSizeTooLargeError

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.publisher import KafkaPublisher
from countersign.adapters.kafka.topic_layout import MAX_RECORD_BYTES, TopicNames, wanted_topics
from countersign.adapters.kafka.topics import (
    TopicState,
    create_topics,
    describe_topics,
    partition_count,
)
from countersign.core.errors import BusUnavailableError, Defect, SettingsError
from countersign.local import Stack
from countersign.local.ports import free_port
from countersign.wire.dead_letter import DeadLetter, write_dead_letter


@pytest.fixture
def names() -> TopicNames:
    """Names that no other test has."""
    run = uuid.uuid4().hex[:8]
    return TopicNames(
        login_events=f"login-events-{run}",
        mfa_results=f"mfa-results-{run}",
        dead_letters=f"login-events-dlq-{run}",
        tenant_settings=f"tenant-settings-{run}",
    )


@pytest.fixture
def connection(stack: Stack) -> KafkaConnection:
    """How to reach the embedded Kafka."""
    return KafkaConnection(bootstrap=stack.kafka)


async def test_topics_are_created_as_wanted(connection: KafkaConnection, names: TopicNames) -> None:
    """All four are there afterwards, as they have to be; a second time, nothing is left to do."""
    missing = await describe_topics(connection, names)
    assert [report.state for report in missing] == [TopicState.MISSING] * 4
    first = await create_topics(connection, names, partitions=3, replication_factor=1)
    assert [report.state for report in first] == [TopicState.CREATED] * 4
    assert [report.topic.partitions for report in first] == [3, 3, 3, 1]
    again = await create_topics(connection, names, partitions=3, replication_factor=1)
    assert [report.state for report in again] == [TopicState.AS_WANTED] * 4
    described = await describe_topics(connection, names)
    assert [report.state for report in described] == [TopicState.AS_WANTED] * 4
    assert [report.topic for report in described] == [report.topic for report in first]
    assert await partition_count(connection, names.login_events) == 3
    assert await partition_count(connection, "never-heard-of") is None


async def test_standing_topic_is_compared_and_left_alone(
    connection: KafkaConnection, names: TopicNames
) -> None:
    """A topic that differs is reported with each difference and its remedy, and isn't touched."""
    admin = AIOKafkaAdminClient(**connection.arguments())
    await admin.start()
    try:
        configs = {"retention.ms": "1000", "max.message.bytes": "1048588"}
        await admin.create_topics([NewTopic(names.dead_letters, 2, 1, topic_configs=configs)])
    finally:
        await admin.close()
    for _ in range(2):
        reports = await create_topics(connection, names, partitions=3, replication_factor=1)
        report = next(each for each in reports if each.topic.name == names.dead_letters)
        assert report.state is TopicState.DIFFERS
        found = {each.what: (each.stands, each.wanted, each.remedy) for each in report.differences}
        assert found.keys() == {"partitions", "retention.ms", "max.message.bytes"}
        assert found["partitions"][:2] == ("2", "3")
        assert (
            f"--entity-name {names.dead_letters} --add-config retention.ms=2592000000"
            in (found["retention.ms"][2])
        )


async def test_any_record_fits_as_a_dead_letter(
    connection: KafkaConnection, names: TopicNames
) -> None:
    """The largest record that `login-events` takes fits the dead letters' topic with its headers."""
    await create_topics(connection, names, partitions=1, replication_factor=1)
    producer = AIOKafkaProducer(**connection.arguments(), max_request_size=2 * MAX_RECORD_BYTES)
    await producer.start()
    try:
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(names.login_events, bytes(MAX_RECORD_BYTES))
        value = bytes(MAX_RECORD_BYTES - 100)
        sent = await producer.send_and_wait(names.login_events, value)
    finally:
        await producer.stop()
    letter = DeadLetter(
        topic=names.login_events,
        partition=0,
        offset=sent.offset,
        reason=Defect.TOO_LARGE,
        error_class="InvalidEventError",
        detail="x" * 1000,
        key=None,
        value=value,
        headers=(),
    )
    publisher = KafkaPublisher(connection)
    await publisher.publish([write_dead_letter(names.dead_letters, letter)])
    await publisher.close()
    consumer = AIOKafkaConsumer(
        names.dead_letters, **connection.arguments(), auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        record = await consumer.getone()
        assert record.value == value
    finally:
        await consumer.stop()


async def test_what_kafka_refuses_is_told(connection: KafkaConnection, names: TopicNames) -> None:
    """More copies than brokers are refused with Kafka's own reason."""
    with pytest.raises(SettingsError, match="InvalidReplicationFactorError"):
        await create_topics(connection, names, partitions=1, replication_factor=3)


async def test_absent_kafka_is_told(names: TopicNames) -> None:
    """Nobody there is `BusUnavailableError`, with the address."""
    bootstrap = f"127.0.0.1:{free_port()}"
    with pytest.raises(BusUnavailableError, match=bootstrap):
        await create_topics(
            KafkaConnection(bootstrap=bootstrap), names, partitions=1, replication_factor=1
        )


@pytest.mark.parametrize(("copies", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_one_broker_may_be_away(copies: int, in_sync: str) -> None:
    """With several copies, writing goes on while one broker is away, and two have each record."""
    topics = wanted_topics(TopicNames(), partitions=6, replication_factor=copies)
    assert {topic.configs["min.insync.replicas"] for topic in topics} == {in_sync}
