"""Listens to the bus beside everybody else, to say where a result stands and how often it came."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.core.errors import InvalidEventError
from countersign.wire.dead_letter import DeadLetter, read_dead_letter
from countersign.wire.results import Result, read_result


class Seen(NamedTuple):
    """A record as it passed.

    Attributes:
        place: topic, partition and offset, for people.
        said: what it holds.
        data: its value and headers, to compare copies by.
    """

    place: str
    said: Result | DeadLetter
    data: tuple[object, ...]


class Tap:
    """What has passed over the results' and the dead letters' topics."""

    def __init__(self) -> None:
        self.results: defaultdict[str, list[Seen]] = defaultdict(list)
        self.dead_letters: list[Seen] = []
        self.live: asyncio.Queue[Seen] = asyncio.Queue()
        self._changed = asyncio.Condition()

    async def result(self, result_id: str) -> Seen:
        """Return the first record of a result, once it has passed."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.results[result_id])
        return self.results[result_id][0]

    async def dead_letter(self, count: int) -> Seen:
        """Return the dead letter of this number, from 1, once it has passed."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.dead_letters) >= count)
        return self.dead_letters[count - 1]

    async def follow(self, consumer: AIOKafkaConsumer, dead_letters: str) -> None:
        """Take in what passes, for ever."""
        async for record in consumer:
            place = f"{record.topic}[{record.partition}]@{record.offset}"
            data = (record.key, record.value, tuple(record.headers))
            try:
                if record.topic == dead_letters:
                    letter = read_dead_letter(record.key, record.value, record.headers)
                    seen = Seen(place, letter, data)
                    self.dead_letters.append(seen)
                else:
                    result = read_result(record.value or b"", record.headers)
                    seen = Seen(place, result, data)
                    self.results[result.id].append(seen)
            except InvalidEventError:
                continue
            self.live.put_nowait(seen)
            async with self._changed:
                self._changed.notify_all()


@asynccontextmanager
async def tapped(
    connection: KafkaConnection, results: str, dead_letters: str
) -> AsyncIterator[Tap]:
    """Listen from the topics' beginning, as long as the context lasts."""
    consumer = AIOKafkaConsumer(
        results, dead_letters, **connection.arguments(), auto_offset_reset="earliest"
    )
    await consumer.start()
    tap = Tap()
    following = asyncio.create_task(tap.follow(consumer, dead_letters))
    try:
        yield tap
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await consumer.stop()
