"""The shape around Faust: each point of it has a test here that fails without it.

The app, the agent and the source are the real ones; the consumer is a fake that says what it was
asked to do, and hears of rebalances as aiokafka's does: by its listener.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import faust
import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaConnectionError

from countersign.adapters.memory.publisher import MemoryPublisher
from countersign.adapters.memory.store import MemoryStore
from countersign.core.errors import StoreUnavailableError
from countersign.decider import app as app_module
from countersign.decider import source as source_module
from countersign.decider.app import Decider, DeciderApp
from countersign.decider.channel import Batch, BatchChannel, BusRecord
from countersign.decider.limit import DeadLetterLimitError
from countersign.decider.metrics import Metrics
from countersign.decider.source import Source
from countersign.probe.readiness import Readiness
from countersign.settings import load_settings
from tests.builders import PSEUDONYMS
from tests.bus import FixedTenants
from tests.no_flows import no_effects

PLACE = TopicPartition("login-events", 0)
OTHER = TopicPartition("login-events", 1)
SOON = 20.0
POLL = 0.02


class Taken(NamedTuple):
    """A record as it comes from the bus."""

    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


class FakeConsumer:
    """Gives out records, one batch a poll, and remembers what it was asked to do."""

    def __init__(self, batches: int) -> None:
        self.waiting = [{PLACE: [Taken(PLACE.topic, PLACE.partition, n)]} for n in range(batches)]
        self.poisoned: Exception | None = None
        self.commits: list[int] = []
        self.refusals: list[Exception] = []
        self.assigned = {PLACE}
        self.halted: set[TopicPartition] = set()
        self.idle_polls = 0
        self.sought: list[tuple[TopicPartition, int]] = []
        self.stopped = False
        self.listener: ConsumerRebalanceListener | None = None
        self.changed = asyncio.Condition()

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Leave the group."""
        self.stopped = True
        await self.tell()

    async def topics(self) -> set[str]:
        """Say which topics there are."""
        return {"login-events"}

    def subscribe(self, topics: list[str], *, listener: ConsumerRebalanceListener) -> None:  # noqa: ARG002  # aiokafka's own
        """Join the group."""
        self.listener = listener

    async def revoke(self, *places: TopicPartition) -> None:
        """Take partitions away, as a rebalance does: once the listener has returned."""
        assert self.listener is not None
        await self.listener.on_partitions_revoked(set(places))

    def assignment(self) -> set[TopicPartition]:
        """Say which partitions are this worker's."""
        return set(self.assigned)

    def paused(self) -> set[TopicPartition]:
        """Say which partitions are paused."""
        return set(self.halted)

    def pause(self, *places: TopicPartition) -> None:
        """Give nothing out from these."""
        self.halted |= set(places)

    def resume(self, *places: TopicPartition) -> None:
        """Give records out from these again."""
        self.halted -= set(places)

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Go back."""
        self.sought.append((place, offset))

    async def getmany(self, *, timeout_ms: int, max_records: int | None = None) -> dict[Any, Any]:  # noqa: ARG002  # aiokafka's own
        """Give out the next batch, or nothing."""
        if timeout_ms == 0:
            self.idle_polls += 1
            await self.tell()
            return {}
        await self.tell()
        if self.poisoned is not None:
            error, self.poisoned = self.poisoned, None
            # As aiokafka: what was ready goes with the error.
            self.waiting.pop(0)
            raise error
        try:
            # As a poll does: nothing for a moment, unless something comes.
            async with asyncio.timeout(POLL), self.changed:
                await self.changed.wait_for(lambda: self.waiting and PLACE not in self.halted)
        except TimeoutError:
            return {}
        return self.waiting.pop(0)

    async def committed(self, place: TopicPartition) -> int | None:
        """Say where the group stands."""
        return self.commits[-1] if self.commits and place == PLACE else None

    async def seek_to_beginning(self, place: TopicPartition) -> None:
        """Go back to the first record."""
        self.seek(place, 0)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Commit, or refuse."""
        if self.refusals:
            raise self.refusals.pop(0)
        self.commits.append(offsets[PLACE])
        await self.tell()

    async def tell(self) -> None:
        """Let those who wait look again."""
        async with self.changed:
            self.changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds."""
        async with asyncio.timeout(SOON), self.changed:
            await self.changed.wait_for(condition)


class Worker(NamedTuple):
    """The parts of a worker under test."""

    app: DeciderApp
    channel: BatchChannel
    source: Source
    consumer: FakeConsumer
    readiness: Readiness
    metrics: Metrics


Handle = Callable[[Sequence[BusRecord]], Awaitable[None]]


@asynccontextmanager
async def working(handle: Handle, batches: int = 1) -> AsyncIterator[Worker]:
    """Run a worker whose agent handles batches as given."""
    app = DeciderApp("shape", broker="kafka://", store="memory://")
    channel = BatchChannel(app)
    consumer = FakeConsumer(batches)
    readiness, metrics = Readiness("events"), Metrics()
    source = Source(
        channel=channel,
        make_consumer=lambda: consumer,
        topic="login-events",
        batch_size=10,
        drain=timedelta(seconds=5),
        readiness=readiness,
        metrics=metrics,
    )

    async def decide(stream: faust.StreamT[Batch]) -> None:
        async for batch in stream:
            await batch.run(handle)

    app.agent(channel, name="decide")(decide)
    await app.start()
    await source.start()
    try:
        yield Worker(app, channel, source, consumer, readiness, metrics)
    finally:
        await source.leave()
        await source.stop()
        await app.stop()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at batches and try again sooner than in production."""
    monkeypatch.setattr(source_module, "TICK", 0.05)


async def nothing(_: Sequence[BusRecord]) -> None:
    """Handle a batch without any trouble."""


@pytest.mark.law(4)
async def test_commit_follows_done() -> None:
    """Law 4: an offset is committed after its batch was reported done, and not before."""
    commits_seen: list[list[int]] = []
    consumers: list[FakeConsumer] = []

    async def handle(_: Sequence[BusRecord]) -> None:
        commits_seen.append(list(consumers[0].commits))

    async with working(handle, batches=0) as worker:
        consumers.append(worker.consumer)
        for n in range(3):
            worker.consumer.waiting.append({PLACE: [Taken(PLACE.topic, PLACE.partition, n)]})
        await worker.consumer.until(lambda: len(worker.consumer.commits) == 3)
    assert worker.consumer.commits == [1, 2, 3]
    assert commits_seen == [[], [1], [1, 2]]


@pytest.mark.law(8)
async def test_outage_pauses_polls_and_tries_again() -> None:
    """Law 8: while the store is away the batch is tried again, partitions paused, still polling."""
    tries = 0

    async def handle(_: Sequence[BusRecord]) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            message = "away"
            raise StoreUnavailableError(message)

    async with working(handle) as worker:
        await worker.consumer.until(lambda: worker.consumer.idle_polls > 0)
        assert worker.consumer.halted == {PLACE}
        assert worker.readiness.lacking["events"] == "away"
        assert worker.consumer.commits == []
        await worker.consumer.until(lambda: bool(worker.consumer.commits))
        assert worker.consumer.halted == set()
        assert "events" not in worker.readiness.lacking
    assert (tries, worker.consumer.commits) == (4, [1])


async def test_slow_batch_keeps_polling() -> None:
    """A batch that takes long is waited for with the consumer still polling, and isn't handed out again."""
    release = asyncio.Event()
    handled = 0

    async def handle(_: Sequence[BusRecord]) -> None:
        nonlocal handled
        handled += 1
        await release.wait()

    async with working(handle) as worker:
        await worker.consumer.until(lambda: worker.consumer.idle_polls >= 3)
        release.set()
        await worker.consumer.until(lambda: bool(worker.consumer.commits))
    assert handled == 1


async def test_partition_assigned_while_waiting_is_not_skipped() -> None:
    """Records that an idle poll brings along are sought back to: they come after the batch in hand."""
    release = asyncio.Event()

    async def handle(_: Sequence[BusRecord]) -> None:
        await release.wait()

    async with working(handle) as worker:
        give = worker.consumer.getmany

        async def surprising(*, timeout_ms: int, max_records: int | None = None) -> dict[Any, Any]:
            found = await give(timeout_ms=timeout_ms, max_records=max_records)
            return found if timeout_ms else {OTHER: [Taken(OTHER.topic, OTHER.partition, 7)]}

        worker.consumer.getmany = surprising  # type: ignore[method-assign]  # the surprise
        await worker.consumer.until(lambda: bool(worker.consumer.sought))
        release.set()
        await worker.consumer.until(lambda: bool(worker.consumer.commits))
    assert set(worker.consumer.sought) == {(OTHER, 7)}


async def test_agent_cut_off_in_the_middle_has_its_batch_again() -> None:
    """An agent that is cancelled in the middle of a batch reports it as lost, and gets it again."""
    started = asyncio.Event()
    tries = 0

    async def handle(_: Sequence[BusRecord]) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            started.set()
            await asyncio.Event().wait()

    async with working(handle) as worker:
        async with asyncio.timeout(SOON):
            await started.wait()
        for agent in worker.app.agents.values():
            for actor in list(agent._actors):  # noqa: SLF001  # Faust shows its actors nowhere else
                actor.actor_task.cancel()
        await worker.consumer.until(lambda: bool(worker.consumer.commits))
    assert tries == 2


async def test_batch_survives_flow_control() -> None:
    """Faust's flow control, which empties its own channels' queues, leaves a batch where it is."""
    app = DeciderApp("shape", broker="kafka://", store="memory://")
    channel = BatchChannel(app)
    clone = channel.clone(is_iterator=True)
    batch = Batch([Taken("login-events", 0, 0)])
    await channel.offer(batch)
    app.flow_control.suspend()
    app.flow_control.clear()
    app.flow_control.resume()
    assert clone.queue is channel.queue
    assert await clone.queue.get() is batch


async def test_batch_that_vanishes_is_handled_again() -> None:
    """A batch that left the channel without an agent to take it is given up and handled again."""
    handled = 0

    async def handle(_: Sequence[BusRecord]) -> None:
        nonlocal handled
        handled += 1

    async with working(handle, batches=0) as worker:
        put = worker.channel.offer
        swallowed = 0

        async def swallow_first(batch: Batch) -> None:
            nonlocal swallowed
            swallowed += 1
            if swallowed > 1:
                await put(batch)

        worker.channel.offer = swallow_first  # type: ignore[method-assign]  # the vanishing
        worker.consumer.waiting.append({PLACE: [Taken(PLACE.topic, PLACE.partition, 0)]})
        await worker.consumer.until(lambda: bool(worker.consumer.commits))
    assert (swallowed, handled) == (2, 1)


@asynccontextmanager
async def a_decider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Decider]:
    """Run a whole decider, as its composition root puts it together, with nothing to do."""
    monkeypatch.setattr(app_module, "consumer", lambda _: FakeConsumer(batches=0))
    decider = Decider(
        load_settings(identifier_key=base64.b64encode(bytes(32)).decode()),
        store=MemoryStore(PSEUDONYMS),
        effects=no_effects(),
        publisher=MemoryPublisher(),
        tenants=FixedTenants(),
        readiness=Readiness("events"),
        metrics=Metrics(),
    )
    await decider.start()
    try:
        yield decider
    finally:
        await decider.stop()


async def test_faust_has_no_clients_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust starts no Kafka client and no web server: its own lose events, or lie in the open."""
    async with a_decider(monkeypatch) as decider:
        faust_own = (decider.app.consumer, decider.app.producer, decider.app.web)
        assert [service.started for service in faust_own] == [False, False, False]
        assert len(decider.app.agents) == 1


async def test_libraries_build_no_debug_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the start no library's logger is left at DEBUG, where each send builds a log record."""
    logging.getLogger("aiokafka").setLevel(logging.DEBUG)
    async with a_decider(monkeypatch):
        assert not logging.getLogger("aiokafka.producer").isEnabledFor(logging.DEBUG)


@pytest.mark.law(4)
async def test_consumer_commits_nothing_by_itself() -> None:
    """Law 4: the decider's consumer leaves commits to the source, and begins at the beginning."""
    consumer = app_module.consumer(load_settings())
    try:
        assert consumer._enable_auto_commit is False  # noqa: SLF001  # told nowhere else
        assert consumer._auto_offset_reset == "earliest"  # noqa: SLF001  # likewise
    finally:
        await consumer.stop()


async def test_refused_commit_is_ordinary() -> None:
    """A commit that a rebalance refuses is counted, and the worker goes on with the next batch."""
    async with working(nothing, batches=0) as worker:
        worker.consumer.refusals.append(CommitFailedError())
        for n in range(2):
            worker.consumer.waiting.append({PLACE: [Taken(PLACE.topic, PLACE.partition, n)]})
        await worker.consumer.until(lambda: worker.consumer.commits == [2])
        refused = worker.metrics.registry.get_sample_value("countersign_commits_refused_total")
    assert refused == 1
    assert worker.source.failure is None


async def test_commit_is_tried_again_while_the_broker_is_away() -> None:
    """A commit that the broker doesn't answer is tried again, not forgotten."""
    async with working(nothing, batches=0) as worker:
        worker.consumer.refusals += [KafkaConnectionError(), KafkaConnectionError()]
        worker.consumer.waiting.append({PLACE: [Taken(PLACE.topic, PLACE.partition, 0)]})
        await worker.consumer.until(lambda: worker.consumer.commits == [1])


@pytest.mark.law(1)
async def test_the_next_batch_is_taken_after_a_commit_that_had_to_wait() -> None:
    """Law 1: what was paused while the commit waited is read again."""
    async with working(nothing, batches=0) as worker:
        worker.consumer.refusals.append(KafkaConnectionError())
        for n in range(2):
            worker.consumer.waiting.append({PLACE: [Taken(PLACE.topic, PLACE.partition, n)]})
        await worker.consumer.until(lambda: worker.consumer.commits == [1, 2])
        assert worker.consumer.idle_polls > 0


async def test_lost_partition_is_not_committed() -> None:
    """What was revoked while its batch was in hand is another worker's to commit."""
    release = asyncio.Event()

    async def handle(_: Sequence[BusRecord]) -> None:
        await release.wait()

    async with working(handle) as worker:
        await worker.consumer.until(lambda: worker.consumer.idle_polls > 0)
        worker.consumer.assigned = {OTHER}
        release.set()
        async with asyncio.timeout(SOON):
            await worker.consumer.revoke(PLACE)
    assert worker.consumer.commits == []


async def test_revocation_waits_for_the_batch_in_hand() -> None:
    """Before partitions go, the batch in hand is finished and committed."""
    release, started = asyncio.Event(), asyncio.Event()

    async def handle(_: Sequence[BusRecord]) -> None:
        started.set()
        await release.wait()

    async with working(handle) as worker:
        async with asyncio.timeout(SOON):
            await started.wait()
        revoking = asyncio.create_task(worker.consumer.revoke(PLACE))
        await worker.consumer.until(lambda: worker.consumer.idle_polls >= 2)
        assert not revoking.done()
        release.set()
        async with asyncio.timeout(SOON):
            await revoking
        assert worker.consumer.commits == [1]


async def test_leaving_finishes_the_batch_in_hand() -> None:
    """A worker that is told to stop finishes and commits its batch, then leaves the group."""
    release = asyncio.Event()

    async def handle(_: Sequence[BusRecord]) -> None:
        await release.wait()

    async with working(handle, batches=2) as worker:
        await worker.consumer.until(lambda: worker.consumer.idle_polls > 0)
        leaving = asyncio.create_task(worker.source.leave())
        polls = worker.consumer.idle_polls
        await worker.consumer.until(lambda: worker.consumer.idle_polls > polls)
        assert not leaving.done()
        release.set()
        async with asyncio.timeout(SOON):
            await leaving
    assert worker.consumer.commits == [1]
    assert worker.consumer.stopped


async def test_halted_worker_leaves_the_group_and_says_why() -> None:
    """Past the limit on failures of its own the worker takes no more events, and its probe says why."""

    async def handle(_: Sequence[BusRecord]) -> None:
        message = "more than 20 events failed"
        raise DeadLetterLimitError(message)

    async with working(handle, batches=2) as worker:
        await worker.consumer.until(lambda: worker.consumer.stopped)
        async with asyncio.timeout(SOON):
            await worker.source.ended.wait()
        assert isinstance(worker.source.failure, DeadLetterLimitError)
        assert worker.readiness.lacking["events"] == "more than 20 events failed"
        assert worker.metrics.registry.get_sample_value("countersign_halted") == 1
    assert worker.consumer.commits == []
    assert len(worker.consumer.waiting) == 1


@pytest.mark.law(1)
@pytest.mark.parametrize(
    "error", [UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), KafkaConnectionError()]
)
async def test_failed_poll_skips_nothing(error: Exception) -> None:
    """Law 1: what a failed poll had ready is asked for again, from where the group stands."""
    async with working(nothing, batches=1) as worker:
        await worker.consumer.until(lambda: worker.consumer.commits == [1])
        worker.consumer.waiting.append({PLACE: [Taken(PLACE.topic, PLACE.partition, 1)]})
        worker.consumer.poisoned = error
        await worker.consumer.until(lambda: bool(worker.consumer.sought))
        assert worker.consumer.sought == [(PLACE, 1)]
        worker.consumer.waiting.append({PLACE: [Taken(PLACE.topic, PLACE.partition, 1)]})
        await worker.consumer.until(lambda: worker.consumer.commits == [1, 2])
    assert worker.source.failure is None


async def test_idle_poll_does_not_hold_up_a_rebalance() -> None:
    """In a rebalance a poll waits for the assignment; the batch in hand is finished all the same."""
    release, blocked = asyncio.Event(), asyncio.Event()

    async def handle(_: Sequence[BusRecord]) -> None:
        await release.wait()

    async with working(handle) as worker:
        give = worker.consumer.getmany
        assigned = asyncio.Event()

        async def waiting(*, timeout_ms: int, max_records: int | None = None) -> dict[Any, Any]:
            if timeout_ms == 0 and not assigned.is_set():
                blocked.set()
                await assigned.wait()
            return await give(timeout_ms=timeout_ms, max_records=max_records)

        worker.consumer.getmany = waiting  # type: ignore[method-assign]  # as aiokafka in a rebalance
        async with asyncio.timeout(SOON):
            await blocked.wait()
            release.set()
            await worker.source.on_partitions_revoked({PLACE})
        assert worker.consumer.commits == [1]
        assigned.set()


async def test_idle_poll_that_fails_is_made_good_after_the_batch() -> None:
    """A poll that fails while a batch is in hand stops nothing; what it had ready is asked for again."""
    release = asyncio.Event()

    async def handle(_: Sequence[BusRecord]) -> None:
        await release.wait()

    async with working(handle) as worker:
        give = worker.consumer.getmany
        failed = asyncio.Event()

        async def failing(*, timeout_ms: int, max_records: int | None = None) -> dict[Any, Any]:
            if timeout_ms == 0 and not failed.is_set():
                failed.set()
                raise KafkaConnectionError
            return await give(timeout_ms=timeout_ms, max_records=max_records)

        worker.consumer.getmany = failing  # type: ignore[method-assign]  # the failure
        async with asyncio.timeout(SOON):
            await failed.wait()
        assert worker.consumer.sought == []
        release.set()
        await worker.consumer.until(lambda: bool(worker.consumer.sought))
        assert worker.consumer.sought == [(PLACE, 1)]
    assert worker.source.failure is None
