"""How fast a contender works off a topic that was full before it started.

Its results bear the broker's time, so nothing has to be read while it works: this program only asks
where the results' topic ends, twenty times a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer

from countersign.settings import Settings
from tests.benchmarks.contender import Contender, at_work
from tests.benchmarks.figures import LEFT_OUT, Published, Throughput, VoidRunError, flaw, per_second
from tests.benchmarks.ground import Ground
from tests.benchmarks.load import Login

PATIENCE = 30.0
"""Seconds without a new result after which a contender has failed."""
_ASK_EVERY = 0.05


class Sample(NamedTuple):
    """What was done by a moment: results, and seconds of processor time that they took so far."""

    results: int
    contender: float
    store: float


async def measure_throughput(
    ground: Ground, name: str, logins: Sequence[Login], *, profile: Path | None = None
) -> Throughput:
    """Run a contender through the logins.

    Raises:
        VoidRunError: not every login has exactly one right result.
    """
    async with ground.made_ready(name, logins) as settings, results_of(settings) as results:
        async with at_work(name, settings, profile=profile) as contender:
            samples = await results.until(
                len(logins),
                contender,
                lambda count: Sample(count, contender.cpu_seconds(), ground.store_cpu_seconds()),
            )
            peak = contender.peak_bytes()
        published = await results.read()
    if wrong := flaw(published, logins):
        raise VoidRunError(wrong)
    first = next(sample for sample in samples if sample.results >= LEFT_OUT * len(logins))
    last = samples[-1]
    micros = 1_000_000 / max(last.results - first.results, 1)
    return Throughput(
        per_second=per_second(result.at for result in published),
        cpu_micros=(last.contender - first.contender) * micros,
        store_micros=(last.store - first.store) * micros,
        peak_bytes=peak,
    )


@asynccontextmanager
async def results_of(settings: Settings) -> AsyncIterator[Results]:
    """Watch the results' topic of a run."""
    consumer = AIOKafkaConsumer(
        settings.mfa_results_topic,
        bootstrap_servers=settings.kafka_bootstrap,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    # Nothing is fetched before it is asked for, in the middle of a measurement least of all.
    consumer.pause(*consumer.assignment())
    try:
        yield Results(consumer)
    finally:
        await consumer.stop()


class Results:
    """The results' topic of a run, as this program sees it.

    Args:
        consumer: one that has all of its partitions.
    """

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def _count(self) -> int:
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        return int(sum(ends.values()))

    async def until(
        self, count: int, contender: Contender, sample: Callable[[int], Sample]
    ) -> list[Sample]:
        """Return when so many results are there, with samples taken on the way.

        Raises:
            VoidRunError: no more of them come.
        """
        samples = [sample(0)]
        progress = monotonic()
        while samples[-1].results < count:
            await asyncio.sleep(_ASK_EVERY)
            results = await self._count()
            if not contender.running:
                message = f"ended after {results:,} of {count:,} results"
                raise VoidRunError(message)
            if results > samples[-1].results:
                samples.append(sample(results))
                progress = monotonic()
            elif monotonic() > progress + PATIENCE:
                message = f"stuck after {results:,} of {count:,} results"
                raise VoidRunError(message)
        return samples

    async def read(self) -> list[Published]:
        """Return all results that are there."""
        count = await self._count()
        self._consumer.resume(*self._consumer.assignment())
        published: list[Published] = []
        while len(published) < count:
            for records in (await self._consumer.getmany(timeout_ms=1_000)).values():
                published += [as_published(record.timestamp, record.headers) for record in records]
        return published


def as_published(at: int, headers: Sequence[tuple[str, bytes]]) -> Published:
    """Return what a result's headers say."""
    texts = dict(headers)
    return Published(at, texts["ce_causationid"].decode(), texts["ce_type"].decode())
