"""The source: batches from Kafka to the channel, and commits behind them.

Law 4: an offset is committed only after the agent has reported its batch done. Law 8: while the store
or the bus is out of reach the same batch is tried again for as long as it takes, with the partitions
paused and the consumer still polling, so that the group keeps this worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faust import Service

from countersign.adapters.kafka.tolerant_records import read_tolerantly
from countersign.core.errors import UnavailableError
from countersign.decider.channel import Batch, BatchChannel, BusRecord
from countersign.decider.limit import DeadLetterLimitError
from countersign.decider.metrics import Metrics
from countersign.logs import where_it_failed
from countersign.probe.readiness import Readiness

log = structlog.get_logger(__name__)

POLL = 0.2
"""Seconds that one poll waits for records."""
TICK = 1.0
"""Seconds between looks at a batch that is not done yet."""
COMMIT_TIMEOUT = 5.0
_MAX_WAIT = 5.0


class Source(Service, ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Takes batches from the login events' topic.

    Args:
        channel: where batches go.
        make_consumer: makes a consumer that is not started, without automatic commits.
        topic: the login events' topic.
        batch_size: most records in a batch.
        drain: how long a batch in hand may take when partitions are revoked or the process stops.
        readiness: is told whether events are being taken.
        metrics: what is counted.
    """

    abstract = False

    def __init__(  # everything that the loop touches
        self,
        *,
        channel: BatchChannel,
        make_consumer: Callable[[], AIOKafkaConsumer],
        topic: str,
        batch_size: int,
        drain: timedelta,
        readiness: Readiness,
        metrics: Metrics,
    ) -> None:
        super().__init__()
        self._channel = channel
        self._make_consumer = make_consumer
        self._topic = topic
        self._batch_size = batch_size
        self._drain = drain.total_seconds()
        self._readiness = readiness
        self._metrics = metrics
        self._consumer: AIOKafkaConsumer | None = None
        self._has_to_rewind = False
        self._given_up: set[TopicPartition] = set()
        self._leaving = asyncio.Event()
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self.ended = asyncio.Event()
        self.failure: BaseException | None = None

    async def on_start(self) -> None:
        """Begin to take events."""
        self.add_future(self._run())

    async def leave(self) -> None:
        """Finish and commit the batch in hand, within the bound, and leave the group."""
        self._leaving.set()
        try:
            async with asyncio.timeout(self._drain):
                await self.ended.wait()
        except TimeoutError:
            log.warning("batch_not_finished_in_time", seconds=self._drain)
        await self._close()

    async def _run(self) -> None:
        try:
            self._consumer = await self._connected()
            while self._consumer is not None and not self._leaving.is_set():
                await self._take(self._consumer)
        except DeadLetterLimitError as error:
            self.failure = error
            self._metrics.halted.set(1)
            self._readiness.lacks("events", str(error))
            log.critical("halted", reason=str(error))
        except Exception as error:  # noqa: BLE001  # the process stays up to say why it does nothing
            self.failure = error
            self._readiness.lacks("events", f"the source failed: {type(error).__name__}")
            log.critical(
                "source_failed", error_class=type(error).__name__, where=where_it_failed(error)
            )
        finally:
            self._at_rest.set()
            self.ended.set()
            # Leaving the group hands the partitions to others; the offsets stay where they are.
            await self._close()

    async def _connected(self) -> AIOKafkaConsumer | None:
        """Return a consumer that has joined, however long Kafka and the topic take to come.

        None when the process is to leave before that.
        """
        attempt = 0
        while not self._leaving.is_set():
            consumer = self._make_consumer()
            try:
                await consumer.start()
                if self._topic in await consumer.topics():
                    consumer.subscribe([self._topic], listener=self)
                    return consumer
                reason = f"topic {self._topic} is not there; run `countersign topics create`"
            except (KafkaError, OSError) as error:
                reason = str(error) or type(error).__name__
            await _stop(consumer)
            attempt += 1
            self._readiness.lacks("events", f"waiting for Kafka: {reason}")
            log.warning("waiting_for_kafka", reason=reason, attempt=attempt)
            await self._left_within(_backoff(attempt))
        return None

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        """Take a batch, if there is one, through to its commit."""
        if self._has_to_rewind:
            await self._rewind(consumer)
        found = await self._polled(consumer)
        if not found:
            return
        self._at_rest.clear()
        self._given_up.clear()
        try:
            records = [record for part in found.values() for record in part]
            if await self._handled(consumer, records):
                await self._commit(
                    consumer, {place: part[-1].offset + 1 for place, part in found.items()}
                )
                # Whatever was waited for, the commit too, paused what this worker has.
                self._resume(consumer)
        finally:
            self._at_rest.set()

    async def _polled(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, list[BusRecord]]:
        try:
            found: dict[TopicPartition, list[BusRecord]] = await consumer.getmany(
                timeout_ms=int(POLL * 1000), max_records=self._batch_size
            )
        except (KafkaError, UnicodeDecodeError) as error:
            self._note_failed_poll(error)
            if isinstance(error, KafkaError):
                await self._left_within(TICK)
            return {}
        return found

    async def _rewind(self, consumer: AIOKafkaConsumer) -> None:
        """Go back to what is committed: no batch is in hand, and nothing is polled before that."""
        while not self._leaving.is_set():
            try:
                async with asyncio.timeout(COMMIT_TIMEOUT):
                    for place in consumer.assignment():
                        offset = await consumer.committed(place)
                        if offset is None:
                            await consumer.seek_to_beginning(place)
                        else:
                            consumer.seek(place, offset)
            except (KafkaError, TimeoutError) as error:
                log.warning("rewind_waits", reason=type(error).__name__)
                await self._left_within(TICK)
            else:
                self._has_to_rewind = False
                return

    async def _handled(self, consumer: AIOKafkaConsumer, records: list[BusRecord]) -> bool:
        """Have the agent handle the records, again and again until it could; False when leaving."""
        attempt = 0
        while True:
            batch = Batch(records)
            await self._channel.offer(batch)
            try:
                await self._done(consumer, batch)
            except UnavailableError as error:
                attempt += 1
                self._metrics.retries.labels(type(error).__name__).inc()
                self._metrics.waiting.set(1)
                self._readiness.lacks("events", str(error))
                log.warning("batch_waits", reason=str(error), attempt=attempt, events=len(records))
                if not await self._waited(consumer, _backoff(attempt)):
                    return False
            else:
                if attempt:
                    log.info("batch_done_after_waiting", attempts=attempt, events=len(records))
                return True

    async def _done(self, consumer: AIOKafkaConsumer, batch: Batch) -> None:
        """Return when the batch is done, or raise what it failed with."""
        lost = 0
        while True:
            done, _ = await asyncio.wait({batch.done}, timeout=TICK)
            if done:
                return batch.done.result()
            await self._idle_poll(consumer)
            # An agent that was cut off between the channel and the batch can't report it.
            lost = lost + 1 if not batch.taken and self._channel.holds_nothing() else 0
            if lost > 1:
                batch.give_up()

    async def _waited(self, consumer: AIOKafkaConsumer, seconds: float) -> bool:
        """Wait, still polling; False when the process is to leave instead."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            await self._idle_poll(consumer)
            if await self._left_within(min(left, TICK)):
                return False
        return True

    async def _left_within(self, seconds: float) -> bool:
        """Say whether the process is to leave, as soon as it is or after the time."""
        try:
            async with asyncio.timeout(seconds):
                await self._leaving.wait()
        except TimeoutError:
            return False
        return True

    async def _idle_poll(self, consumer: AIOKafkaConsumer) -> None:
        """Poll without taking anything, so that the group doesn't give this worker up."""
        consumer.pause(*consumer.assignment())
        try:
            # In a rebalance a poll waits for the assignment, which waits for the batch in hand.
            async with asyncio.timeout(POLL):
                found = await consumer.getmany(timeout_ms=0)
        except TimeoutError:
            return
        except (KafkaError, UnicodeDecodeError) as error:
            self._note_failed_poll(error)
            return
        for place, part in found.items():
            # From a partition assigned in between: it comes again after this batch.
            consumer.seek(place, part[0].offset)

    def _note_failed_poll(self, error: Exception) -> None:
        """What a failed poll had ready is gone from the consumer, so it has to go back for it."""
        self._has_to_rewind = True
        if isinstance(error, UnicodeDecodeError):
            log.warning("reading_tolerantly", reason="a record's header name is not UTF-8")
            read_tolerantly()
        else:
            log.warning("poll_waits", reason=type(error).__name__)

    def _resume(self, consumer: AIOKafkaConsumer) -> None:
        self._metrics.waiting.set(0)
        self._note_assignment(consumer.assignment())
        consumer.resume(*(consumer.paused() & consumer.assignment()))

    async def _commit(self, consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
        while True:
            # Given up and assigned again, a partition may have moved on under another worker.
            mine = consumer.assignment() - self._given_up
            held = {place: offset for place, offset in offsets.items() if place in mine}
            if not held:
                return
            try:
                async with asyncio.timeout(COMMIT_TIMEOUT):
                    await consumer.commit(held)
            except (CommitFailedError, IllegalStateError) as error:
                # Ordinary in a rebalance: the events come again, and what is recorded answers.
                self._metrics.commits_refused.inc()
                log.info("commit_refused", reason=type(error).__name__)
                return
            except (KafkaError, TimeoutError) as error:
                log.warning("commit_waits", reason=type(error).__name__)
                if not await self._waited(consumer, TICK):
                    return
            else:
                return

    def _note_assignment(self, assigned: Iterable[TopicPartition]) -> None:
        self._metrics.partitions.set(len(set(assigned)))
        self._readiness.has("events")

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ANN401  # aiokafka is untyped
        """Finish and commit the batch in hand before partitions go, so that few events repeat."""
        try:
            async with asyncio.timeout(self._drain):
                await self._at_rest.wait()
        except TimeoutError:
            self._given_up |= set(revoked)
            log.warning("revoked_in_the_middle_of_a_batch", partitions=len(revoked))

    async def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ANN401  # as above
        """Note that this worker takes events of these partitions."""
        log.info("partitions_assigned", partitions=sorted(p.partition for p in assigned))
        self._note_assignment(assigned)

    async def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _stop(consumer)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer; with Kafka away it is left to itself after a while."""
    try:
        async with asyncio.timeout(COMMIT_TIMEOUT):
            await consumer.stop()
    except (KafkaError, OSError) as error:
        log.warning("left_without_goodbye", reason=type(error).__name__)
    except asyncio.CancelledError:
        # With Kafka away, aiokafka lets a cancellation of its own out.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        log.warning("left_without_goodbye", reason="CancelledError")


def _backoff(attempt: int) -> float:
    return float(min(0.1 * 2 ** min(attempt, 10), _MAX_WAIT))
