"""Reads every result that is published after the start, from all partitions, without a group.

Law: no partition is read from later than the start; one that is added later is read from its beginning.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.wire.forms import Headers

REQUEST_TIMEOUT_MS = 10_000
"""How long Kafka may take to answer a request."""

NEW_PARTITIONS_AFTER = timedelta(seconds=10)
"""How soon a partition that is added is noticed; answers on it wait so long."""

_POLL_MS = 1_000
_MAX_RECORDS = 1_000  # so that other tasks of the process get their turn
_RETRY_SECONDS = 1.0
_STOP_SECONDS = 2.0

_logger = logging.getLogger(__name__)


class ResultsReader:
    """A consumer of the results' topic.

    Args:
        connection: how to reach Kafka.
        topic: the results' topic.
        new_partitions_after: how soon a partition that is added is noticed.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        *,
        new_partitions_after: timedelta = NEW_PARTITIONS_AFTER,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._metadata_ms = new_partitions_after // timedelta(milliseconds=1)
        self._consumer: Any = None  # aiokafka has no types
        self._next: dict[TopicPartition, int] = {}

    async def start(self, partitions: int) -> None:
        """Return when the position behind the last record of each partition is known.

        Args:
            partitions: how many the topic has.

        Raises:
            KafkaError: Kafka can't be reached.
        """
        consumer = self._consumer = AIOKafkaConsumer(
            **self._connection.arguments(),
            # No group: every process needs every result, and keeps no position.
            group_id=None,
            enable_auto_commit=False,
            # Where Kafka has lost its end, an answer may be missing, and then there is none.
            auto_offset_reset="latest",
            metadata_max_age_ms=self._metadata_ms,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        await consumer.start()
        self._next = await consumer.end_offsets(
            [TopicPartition(self._topic, number) for number in range(partitions)]
        )
        # By hand, since aiokafka's own assignment without a group begins anew at the end of every
        # partition when some are added. And once, since a stop soon after a second one hangs.
        self._assign()

    async def run(self, take: Callable[[bytes | None, Headers], None]) -> None:
        """Hand every record to `take`, until cancelled; wait through whatever Kafka is up to."""
        while True:
            try:
                await self._poll(take)
            except Exception as error:  # noqa: BLE001  # calls end by their deadline, never by an allow
                _logger.warning("results can't be read at the moment: %s", type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    async def stop(self) -> None:
        """Close the consumer."""
        if self._consumer is None:
            return
        # aiokafka's own `stop` can lose its own cancellation of its fetcher, and then waits for ever; to
        # be cancelled once more lets it go on. With Kafka away it lets the cancellation of its requests
        # out, before it has closed its connections. A task of its own keeps both apart from our caller's.
        stopping = asyncio.create_task(self._consumer.stop())
        _, hanging = await asyncio.wait([stopping], timeout=_STOP_SECONDS)
        if hanging:
            stopping.cancel()
            await asyncio.wait([stopping])
        if stopping.cancelled():
            await self._consumer._client.close()  # noqa: SLF001  # there is no other way

    async def _poll(self, take: Callable[[bytes | None, Headers], None]) -> None:
        batches = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        for partition, records in batches.items():
            for record in records:
                take(record.value, record.headers)
                self._next[partition] = record.offset + 1
        numbers = self._consumer.partitions_for_topic(self._topic) or ()
        places = (TopicPartition(self._topic, number) for number in numbers)
        added = [place for place in places if place not in self._next]
        if added:
            self._next.update(dict.fromkeys(added, 0))
            self._assign()

    def _assign(self) -> None:
        self._consumer.assign(list(self._next))
        for partition, offset in self._next.items():
            self._consumer.seek(partition, offset)
