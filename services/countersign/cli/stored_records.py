"""Reads a topic's records as they stand: up to its end, one of them, or as they come.

Law: without a group, so looking never moves anybody's position.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.topics import partition_count
from countersign.core.errors import BusUnavailableError
from countersign.wire.forms import Headers

_POLL_MS = 500
_TIMEOUT_MS = 10_000
_PATIENCE_SECONDS = 30.0


class Place(NamedTuple):
    """Where a record stands on its topic; written as `partition:offset`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.partition}:{self.offset}"


class StoredRecord(NamedTuple):
    """A record as it stands on a topic.

    Attributes:
        place: where.
        time: when it was published, by the clock that the topic goes by.
        key: its key.
        value: its value.
        headers: its headers.
    """

    place: Place
    time: datetime
    key: bytes | None
    value: bytes | None
    headers: Headers


class TopicReader:
    """A topic, open for reading; made by `open_topic`."""

    def __init__(self, consumer: Any, topic: str, partitions: int) -> None:  # noqa: ANN401  # aiokafka has no types
        self._consumer = consumer
        self._topic = topic
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]

    async def to_the_end(self) -> AsyncIterator[StoredRecord]:
        """Return every record that stands on the topic now, each partition's in order, and stop.

        Raises:
            BusUnavailableError: Kafka doesn't answer.
        """
        with _translated(self._topic):
            begins = await self._consumer.beginning_offsets(self._partitions)
            ends = await self._consumer.end_offsets(self._partitions)
        async for record in self._between(begins, ends):
            yield record

    async def at(self, place: Place) -> StoredRecord | None:
        """Return the record of a place; None where there is none (any more).

        Raises:
            BusUnavailableError: Kafka doesn't answer.
        """
        partition = TopicPartition(self._topic, place.partition)
        if partition not in self._partitions:
            return None
        with _translated(self._topic):
            begins = await self._consumer.beginning_offsets([partition])
            ends = await self._consumer.end_offsets([partition])
        if not begins[partition] <= place.offset < ends[partition]:
            return None
        records = self._between({partition: place.offset}, {partition: place.offset + 1})
        return await anext(records, None)

    async def following(self, *, from_beginning: bool) -> AsyncIterator[StoredRecord]:
        """Return records as they come, for ever; an outage looks like silence.

        Args:
            from_beginning: begin with those that stand already.
        """
        with _translated(self._topic):
            if from_beginning:
                starts = await self._consumer.beginning_offsets(self._partitions)
            else:
                starts = await self._consumer.end_offsets(self._partitions)
        self._start_at(starts)
        while True:
            for record in await self._next():
                yield record

    async def _between(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> AsyncIterator[StoredRecord]:
        unread = {partition: end for partition, end in ends.items() if starts[partition] < end}
        if unread:
            self._start_at({partition: starts[partition] for partition in unread})
        progress = time.monotonic()
        while unread:
            records = await self._next()
            if records:
                progress = time.monotonic()
            elif time.monotonic() - progress > _PATIENCE_SECONDS:
                message = f"topic {self._topic} gives no more records; look whether Kafka is up"
                raise BusUnavailableError(message)
            for record in records:
                partition = TopicPartition(self._topic, record.place.partition)
                if record.place.offset < ends[partition]:
                    yield record
            for partition, end in list(unread.items()):
                # By position, not by the last record: a transaction's marker is an offset without one.
                if await self._consumer.position(partition) >= end:
                    del unread[partition]

    def _start_at(self, starts: Mapping[TopicPartition, int]) -> None:
        self._consumer.assign(list(starts))
        for partition, offset in starts.items():
            self._consumer.seek(partition, offset)

    async def _next(self) -> list[StoredRecord]:
        with _translated(self._topic):
            batches = await self._consumer.getmany(timeout_ms=_POLL_MS)
        return [
            StoredRecord(
                Place(record.partition, record.offset),
                datetime.fromtimestamp(record.timestamp / 1000, UTC),
                record.key,
                record.value,
                record.headers,
            )
            for records in batches.values()
            for record in records
        ]


@contextlib.asynccontextmanager
async def open_topic(connection: KafkaConnection, topic: str) -> AsyncIterator[TopicReader]:
    """Open a topic for reading.

    Raises:
        BusUnavailableError: Kafka can't be reached, or has no such topic.
    """
    # Asked first, since a consumer's own question for a topic can make a broker create it.
    partitions = await partition_count(connection, topic)
    if partitions is None:
        message = f"Kafka has no topic {topic}. Create it with: countersign topics create"
        raise BusUnavailableError(message)
    consumer = AIOKafkaConsumer(
        **connection.arguments(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=_TIMEOUT_MS,
    )
    try:
        with _translated(topic):
            await consumer.start()
        yield TopicReader(consumer, topic, partitions)
    finally:
        await consumer.stop()


@contextlib.contextmanager
def _translated(topic: str) -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError) as error:
        message = f"topic {topic} can't be read ({type(error).__name__}); look whether Kafka is up"
        raise BusUnavailableError(message) from error
