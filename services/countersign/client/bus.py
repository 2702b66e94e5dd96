"""The client's two ways onto the bus behind one seam: results in, login events out.

Law: results are read from before the first event was published, so that no answer can be missed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from aiokafka.errors import KafkaError

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.topic_layout import TopicNames
from countersign.adapters.kafka.topics import partition_count
from countersign.client.results_reader import ResultsReader
from countersign.client.sender import Sender
from countersign.core.errors import BusUnavailableError
from countersign.wire.forms import Headers
from countersign.wire.results import OutboundRecord

Take = Callable[[bytes | None, Headers], None]
"""Takes the value and the headers of a result; never raises."""


class Bus(Protocol):
    """What the client needs of the bus; tests have one in memory."""

    async def open(self, take: Take) -> None:
        """Return when every result published from now on will be handed to `take`.

        Raises:
            BusUnavailableError: the bus can't be reached, or lacks a topic.
        """
        ...

    async def publish(self, record: OutboundRecord) -> None:
        """Return when the record is acknowledged; records of a key keep their order.

        Raises:
            BusUnavailableError: it is not known to be acknowledged.
            InvalidEventError: the topic takes no record as large as this.
        """
        ...

    async def close(self) -> None:
        """Let go of the bus; `take` is not called any more."""
        ...


class KafkaBus:
    """The bus on Kafka: one consumer without a group, one idempotent producer.

    Args:
        connection: how to reach Kafka.
        topics: what the topics are called.
    """

    def __init__(self, connection: KafkaConnection, topics: TopicNames) -> None:
        self._connection = connection
        self._topics = topics
        self._reader = ResultsReader(connection, topics.mfa_results)
        self._sender = Sender(connection, topics.login_events)
        self._reading: asyncio.Task[None] | None = None

    async def open(self, take: Take) -> None:
        """See `Bus.open`."""
        async with contextlib.AsyncExitStack() as cleanup:
            cleanup.push_async_callback(self.close)
            await self._start()
            cleanup.pop_all()
        self._reading = asyncio.create_task(self._reader.run(take), name="countersign-results")

    async def _start(self) -> None:
        # Asked first, since a client's own question for a topic can make a broker create it.
        partitions = await self._partitions(self._topics.mfa_results)
        await self._partitions(self._topics.login_events)
        try:
            await self._reader.start(partitions)
            await self._sender.start()
        except (KafkaError, OSError) as error:
            message = (
                f"Kafka can't be reached at {self._connection.bootstrap}"
                f" ({type(error).__name__}); check the address, TLS and the login"
            )
            raise BusUnavailableError(message) from error

    async def _partitions(self, topic: str) -> int:
        count = await partition_count(self._connection, topic)
        if count is None:
            message = (
                f"Kafka has no topic {topic}, or doesn't let this client see it; create the topics"
                " first, and grant READ on the results' topic and WRITE on the login events'"
            )
            raise BusUnavailableError(message)
        return count

    async def publish(self, record: OutboundRecord) -> None:
        """See `Bus.publish`."""
        await self._sender.publish(record)

    async def close(self) -> None:
        """See `Bus.close`."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None
        await self._sender.stop()
        await self._reader.stop()
