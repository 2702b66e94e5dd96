"""A stand-in for the decider, on a real Kafka: answers each login event by the user's name."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from countersign.adapters.kafka.topic_layout import TopicNames
from countersign.core.login import BrowsersForget, Inbound, LoginAttempted, LoginReturned
from countersign.core.result import ResultType
from countersign.wire.inbound import read_event
from countersign.wire.results import OutboundRecord
from tests.builders import ALICE, BOB
from tests.client_bus import a_result

RIGHT_CODE = "the-right-code"
ANSWERS = {ALICE: ResultType.LOGIN_CHALLENGED, BOB: ResultType.LOGIN_ALLOWED}
"""What a user's login gets; a user who is not in here gets no answer."""


class FakeDecider:
    """Reads login events from their beginning, and publishes results.

    Attributes:
        events: what was read so far.
        noise: records that are published before each answer.
    """

    def __init__(self, bootstrap: str, topics: TopicNames) -> None:
        self.events: list[Inbound] = []
        self.noise: list[OutboundRecord] = []
        self._consumer: Any = AIOKafkaConsumer(
            topics.login_events,
            bootstrap_servers=bootstrap,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
        )
        self._producer: Any = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
        self._topic = topics.mfa_results
        self._came = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start answering."""
        await self._consumer.start()
        await self._producer.start()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop answering."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._producer.stop()
        await self._consumer.stop()

    async def publish(self, *records: OutboundRecord) -> list[int]:
        """Publish records on the results' topic, in order, and return the partitions they went to."""
        sent = [
            await self._producer.send(
                self._topic, record.value, key=record.key, headers=list(record.headers)
            )
            for record in records
        ]
        return [stands.partition for stands in await asyncio.gather(*sent)]

    async def seen(self, count: int) -> list[Inbound]:
        """Return the events once there are `count`."""
        async with asyncio.timeout(20), self._came:
            await self._came.wait_for(lambda: len(self.events) >= count)
        return self.events

    async def _run(self) -> None:
        while True:
            for records in (await self._consumer.getmany(timeout_ms=100)).values():
                events = [
                    read_event(record.key, record.value, record.headers) for record in records
                ]
                answers = [answer for event in events for answer in self._answered(event)]
                await self.publish(*answers)
                async with self._came:
                    self.events += events
                    self._came.notify_all()

    def _answered(self, event: Inbound) -> list[OutboundRecord]:
        match event:
            case LoginAttempted() if kind := ANSWERS.get(event.subject):
                answer = a_result(kind, event.identity, subject=event.subject)
            case LoginReturned():
                passed = event.code == RIGHT_CODE
                kind = ResultType.CHALLENGE_PASSED if passed else ResultType.CHALLENGE_DENIED
                answer = a_result(kind, event.login, subject=event.subject)
            case LoginAttempted() | BrowsersForget():
                return []
            case _:
                raise AssertionError(event)
        return [*self.noise, answer]
