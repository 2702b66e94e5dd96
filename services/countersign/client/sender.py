"""Publishes login events over one idempotent producer with `acks=all`.

Law: a record counts as published only when Kafka has acknowledged it; a producer that Kafka has refused
a record is replaced, because the gap in its sequence numbers would block the partition for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
)

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.client.results_reader import REQUEST_TIMEOUT_MS
from countersign.core.errors import BusUnavailableError, Defect, InvalidEventError
from countersign.core.identity import partition_of
from countersign.wire.results import OutboundRecord

_STOP_SECONDS = 5.0
_ROUNDS = 9


class Sender:
    """A producer, and its successor once it needs one.

    Args:
        connection: how to reach Kafka.
        topic: the login events' topic.
    """

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._connection = connection
        self._topic = topic
        self._producer: Any = None  # aiokafka has no types
        self._starting = asyncio.Lock()
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._stopping: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Return when the topic can be written to.

        Raises:
            KafkaError: Kafka can't be reached, or the topic isn't there.
        """
        await self._started()

    async def publish(self, record: OutboundRecord) -> None:
        """Return when Kafka has acknowledged the record.

        Raises:
            BusUnavailableError: it has not; the record may stand on the topic all the same.
            InvalidEventError: the topic takes no record as large as this.
        """
        try:
            await self._send_again(record)
        except MessageSizeTooLargeError as error:
            raise InvalidEventError(
                Defect.TOO_LARGE,
                f"{self._topic} takes no record of {len(record.value or b'')} bytes;"
                " send less metadata, or raise the topic's max.message.bytes",
            ) from error
        except (KafkaError, OSError) as error:
            message = (
                f"Kafka has not acknowledged a record of {self._topic} ({type(error).__name__})"
            )
            raise BusUnavailableError(message) from error

    async def stop(self) -> None:
        """Publish what is under way, for some seconds at most, and close the producer."""
        self._closed = True
        async with self._starting:
            self._give_up(self._producer)
        if self._stopping:
            await asyncio.wait(self._stopping, timeout=_STOP_SECONDS)

    async def _send_again(self, record: OutboundRecord) -> None:
        # A record of the partition was refused before this one, or in this one's batch, and so the
        # producer was replaced. Each round leaves out those that were refused in the one before.
        for _ in range(_ROUNDS):
            with contextlib.suppress(OutOfOrderSequenceNumber, ProducerClosed):
                return await self._send(record)
        return await self._send(record)

    async def _send(self, record: OutboundRecord) -> None:
        producer = await self._started()
        try:
            partitions = await producer.partitions_for(self._topic)
            partition = partition_of(record.key_hash or 0, len(partitions))
            # One after another: where many wait at once for room in a partition's batch, aiokafka wakes
            # all of them for each batch, which with thousands takes longer than its patience.
            async with self._turns[partition]:
                sent = await producer.send(
                    record.topic,
                    record.value,
                    key=record.key,
                    partition=partition,
                    headers=list(record.headers),
                )
            await sent
        except KafkaTimeoutError:  # the record never got as far as a sequence number
            raise
        except KafkaError:
            self._give_up(producer)
            raise

    async def _started(self) -> Any:  # noqa: ANN401  # likewise
        async with self._starting:
            if self._closed:
                message = "the client was closed"
                raise BusUnavailableError(message)
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._connection.arguments(),
                    acks="all",
                    enable_idempotence=True,
                    request_timeout_ms=REQUEST_TIMEOUT_MS,
                )
                try:
                    await producer.start()
                    await producer.partitions_for(self._topic)
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def _give_up(self, producer: Any) -> None:  # noqa: ANN401  # likewise
        if producer is None or producer is not self._producer:
            return
        self._producer = None
        # While Kafka is away this lasts until it is back, since an idempotent producer never gives up a
        # record that it has begun to send; and cut off half-way it would run on for ever.
        stopping = asyncio.create_task(producer.stop())
        self._stopping.add(stopping)
        stopping.add_done_callback(self._stopping.discard)
