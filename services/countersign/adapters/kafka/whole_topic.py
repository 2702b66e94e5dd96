"""Reads a topic from its beginning: all partitions, without a consumer group.

The calls of aiokafka stay here; what comes out is records, positions, and `BusUnavailableError`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.tolerant_records import read_tolerantly
from countersign.adapters.kafka.topics import partition_count
from countersign.core.errors import BusUnavailableError

Offsets: TypeAlias = Mapping[int, int]
"""An offset for each partition."""

_TIMEOUT: Final = 5.0
"""Seconds that Kafka may take to answer."""
_POLL_MS: Final = 1000
_BROKER_WAIT_MS: Final = 100
"""How long a broker holds a question when it has nothing new; a new record is answered with at once."""


class TopicRecord(NamedTuple):
    """A record as it stands on the topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class WholeTopic:
    """One reader of one topic; not connected before `open`.

    Args:
        connection: how to reach Kafka.
        topic: what to read.
    """

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []
        self._next: dict[TopicPartition, int] = {}

    async def open(self) -> None:
        """Connect, and stand at the beginning of every partition.

        Raises:
            BusUnavailableError: Kafka can't be reached, or doesn't have the topic (yet).
        """
        # Asked first, since a consumer's own question for a topic can make a broker create it, with
        # settings that nobody wants.
        count = await partition_count(self._connection, self._topic)
        if count is None:
            text = f"Kafka has no topic {self._topic}. Create it with: countersign topics create"
            raise BusUnavailableError(text)
        consumer = AIOKafkaConsumer(
            **self._connection.arguments(),
            group_id=None,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_BROKER_WAIT_MS,
            request_timeout_ms=int(_TIMEOUT * 1000),
        )
        try:
            with self._unavailable():
                await consumer.start()
        except BusUnavailableError:
            await consumer.stop()
            raise
        self._partitions = [TopicPartition(self._topic, number) for number in range(count)]
        consumer.assign(self._partitions)
        self._next = dict.fromkeys(self._partitions, 0)
        self._consumer = consumer

    async def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None

    async def ends(self) -> Offsets:
        """Return where the topic ends now: each partition's next offset.

        Raises:
            BusUnavailableError: Kafka doesn't answer.
        """
        with self._unavailable():
            async with asyncio.timeout(_TIMEOUT):
                ends = await self._opened.end_offsets(self._partitions)
        return {partition.partition: offset for partition, offset in ends.items()}

    async def read(self) -> list[TopicRecord]:
        """Return the next records, each partition's in order; none after a second without any.

        An outage looks like silence: reading goes on by itself when Kafka is back.

        Raises:
            BusUnavailableError: Kafka refuses; the next call tries again.
        """
        with self._unavailable():
            try:
                batches = await self._opened.getmany(timeout_ms=_POLL_MS)
            except UnicodeDecodeError:
                # A header's name is not UTF-8. What other partitions had ready went with the error.
                read_tolerantly()
                for partition, offset in self._next.items():
                    self._opened.seek(partition, offset)
                return []
        for partition, batch in batches.items():
            self._next[partition] = batch[-1].offset + 1
        return [
            TopicRecord(record.partition, record.offset, record.key, record.value)
            for batch in batches.values()
            for record in batch
        ]

    async def positions(self) -> Offsets:
        """Return what the next records read are: each partition's offset."""
        with self._unavailable():
            return {
                partition.partition: await self._opened.position(partition)
                for partition in self._partitions
            }

    @property
    def _opened(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            text = "the topic is not open"
            raise RuntimeError(text)
        return self._consumer

    @contextlib.contextmanager
    def _unavailable(self) -> Iterator[None]:
        try:
            yield
        except (KafkaError, OSError) as error:  # TimeoutError is an OSError
            text = (
                f"Topic {self._topic} can't be read at {self._connection.bootstrap}"
                f" ({type(error).__name__})"
            )
            raise BusUnavailableError(text) from error
