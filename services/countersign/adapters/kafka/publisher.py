"""The way onto the bus: a batch of records a partition, and back only when all are acknowledged.

Law 4 rests on it: `publish` returns after the broker's `acks=all`, or raises. The batches are built
here, with one future a batch and partition where `send()` makes one a record: that is nearly twice
as many records a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from countersign.core.errors import BusUnavailableError
from countersign.core.identity import partition_of
from countersign.wire.results import OutboundRecord

if TYPE_CHECKING:
    from countersign.adapters.kafka.connection import KafkaConnection

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""The largest request; a dead letter of any record that the broker took fits."""
_BATCH_BYTES = 512 * 1024


class KafkaPublisher:
    """`ports.Publisher` on an idempotent producer.

    Args:
        connection: how to reach the brokers.
        timeout: seconds until a record that is not acknowledged counts as failed.
    """

    def __init__(self, connection: KafkaConnection, *, timeout: float = 10.0) -> None:
        self._connection = connection
        self._timeout = timeout
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect, so that the first records needn't wait for it.

        Raises:
            BusUnavailableError: Kafka can't be reached now; `publish` tries again by itself.
        """
        try:
            await self._started()
        except (KafkaError, OSError) as error:
            message = f"Kafka can't be reached ({type(error).__name__})"
            raise BusUnavailableError(message) from error

    async def publish(self, records: Sequence[OutboundRecord]) -> None:
        """See `ports.Publisher.publish`."""
        if not records:
            return
        try:
            producer = await self._started()
            async with asyncio.timeout(2 * self._timeout):
                sent = [
                    await producer.send_batch(batch, topic, partition=partition)
                    for topic, partition, batch in await self._batches(producer, records)
                ]
                await asyncio.gather(*sent)
        except (KafkaError, OSError) as error:
            # After a failure the producer's sequence numbers may have a gap that the broker would
            # refuse for ever; a new producer has a new id, and the results' own ids drop repeats.
            await self.close()
            if isinstance(error, MessageSizeTooLargeError):
                # Waiting is right, as nothing may be lost; but it is for somebody to act.
                message = (
                    "a topic's max.message.bytes is too small for a record; `countersign topics list`"
                    " says which, and the command that mends it"
                )
            else:
                message = f"Kafka has not acknowledged in time ({type(error).__name__})"
            raise BusUnavailableError(message) from error

    async def close(self) -> None:
        """Close the producer; the next `publish` starts another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(self._timeout):
                    await producer.stop()
            except (KafkaError, OSError):
                # It is given up either way, and what it held was never reported as published.
                return

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._connection.arguments(),
                acks="all",
                enable_idempotence=True,
                max_batch_size=_BATCH_BYTES,
                max_request_size=MAX_REQUEST_BYTES,
                request_timeout_ms=int(self._timeout * 1000),
            )
            try:
                async with asyncio.timeout(self._timeout):
                    await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    async def _batches(
        self, producer: AIOKafkaProducer, records: Sequence[OutboundRecord]
    ) -> list[tuple[str, int, Any]]:
        """Return the records as closed batches; each partition's keep the records' order."""
        counts = {
            topic: len(await producer.partitions_for(topic))
            for topic in {record.topic for record in records}
        }
        finished: list[tuple[str, int, Any]] = []
        open_batches: dict[tuple[str, int], Any] = {}
        for record in records:
            count = counts[record.topic]
            partition = partition_of(record.key_hash, count) if record.key_hash is not None else 0
            place = (record.topic, partition)
            batch = open_batches.get(place)
            if batch is None:
                batch = open_batches[place] = producer.create_batch()
            if not _append(batch, record):
                finished.append((*place, batch))
                batch = open_batches[place] = producer.create_batch()
                if not _append(batch, record):
                    message = "a record is too large for an empty batch"
                    raise AssertionError(message)
        finished += [(*place, batch) for place, batch in open_batches.items()]
        for _, _, batch in finished:
            # A batch left open would take other records, and its future would not tell of them.
            batch.close()
        return finished


def _append(batch: Any, record: OutboundRecord) -> bool:  # noqa: ANN401  # aiokafka has no types
    added = batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
    return added is not None
