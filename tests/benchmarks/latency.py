"""How long a login waits for its result while logins come at a steady rate.

From just before a login is handed to the relying party's producer to when its consumer has the result,
both in this process and by one clock: what a user waits for, without the browser.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from countersign.settings import Settings
from tests.benchmarks.contender import at_work
from tests.benchmarks.figures import Latency, Published, VoidRunError, flaw, percentile
from tests.benchmarks.ground import Ground
from tests.benchmarks.load import Login
from tests.benchmarks.options import WARM_UP_SECONDS
from tests.benchmarks.throughput import PATIENCE, as_published


async def measure_latency(
    ground: Ground, name: str, logins: Sequence[Login], *, rate: int
) -> Latency:
    """Send a contender logins at a rate.

    Args:
        ground: where.
        name: the contender.
        logins: those of the first seconds warm up, and don't count.
        rate: logins a second.

    Raises:
        VoidRunError: not every login has exactly one right result.
    """
    async with ground.made_ready(name, []) as settings:
        party = RelyingParty(settings)
        await party.start()
        try:
            async with at_work(name, settings):
                # One alone first: it shows that the contender has begun.
                await party.send(logins[:1], rate)
                await party.until(1)
                await party.send(logins[1:], rate)
                await party.until(len(logins))
        finally:
            await party.stop()
    if wrong := flaw(party.results, logins):
        raise VoidRunError(wrong)
    waits = [
        (party.arrived[login.event_id] - party.sent[login.event_id]) * 1000
        for login in logins[WARM_UP_SECONDS * rate :]
    ]
    return Latency(p50=percentile(waits, 0.5), p99=percentile(waits, 0.99))


class RelyingParty:
    """Publishes logins and awaits their results."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.login_events_topic
        self._producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all")
        self._consumer = AIOKafkaConsumer(
            settings.mfa_results_topic,
            bootstrap_servers=settings.kafka_bootstrap,
            auto_offset_reset="earliest",
        )
        self._reading: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self.sent: dict[str, float] = {}
        self.arrived: dict[str, float] = {}
        self.results: list[Published] = []

    async def start(self) -> None:
        """Connect, and begin to read."""
        await self._producer.start()
        await self._consumer.start()
        self._reading = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Disconnect."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
        await self._consumer.stop()
        await self._producer.stop()

    async def send(self, logins: Sequence[Login], rate: int) -> None:
        """Publish the logins at a steady rate, whatever comes back."""
        acknowledged: list[Any] = []
        started = perf_counter()
        for place, login in enumerate(logins):
            if (ahead := started + place / rate - perf_counter()) > 0:
                await asyncio.sleep(ahead)
            self.sent[login.event_id] = perf_counter()
            acknowledged.append(
                await self._producer.send(
                    self._topic, login.value, key=login.key, headers=login.headers
                )
            )
        await asyncio.gather(*acknowledged)

    async def until(self, count: int) -> None:
        """Return when so many logins have a result.

        Raises:
            VoidRunError: no more of them come.
        """
        while len(self.arrived) < count:
            self._news.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._news.wait()
            except TimeoutError:
                message = f"stuck after {len(self.arrived):,} of {count:,} results"
                raise VoidRunError(message) from None

    async def _read(self) -> None:
        while True:
            found = await self._consumer.getmany(timeout_ms=1_000)
            now = perf_counter()
            for records in found.values():
                for record in records:
                    result = as_published(record.timestamp, record.headers)
                    self.results.append(result)
                    self.arrived.setdefault(result.event_id, now)
            if found:
                self._news.set()
