"""Redis or Kafka away: nothing is guessed, nothing is lost, and the work goes on when they are back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from countersign.core.result import ResultType
from countersign.decider import app
from tests.builders import InboundRecord, a_login_record
from tests.bus import Bus, open_bus

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

    from countersign.local import Stack
    from countersign.settings import Settings

MAX_POLL_INTERVAL = 8.0
"""Seconds without a poll after which the group gives a worker up; here less than an outage lasts."""


@pytest.fixture
async def bus(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bus]:
    """A bus of the test's own, whose group soon gives up a worker that doesn't poll."""
    real = app.consumer

    def impatient(settings: Settings) -> AIOKafkaConsumer:
        consumer = real(settings)
        coordinator_patience = int(MAX_POLL_INTERVAL * 1000)
        consumer._max_poll_interval_ms = coordinator_patience  # noqa: SLF001  # read when it starts
        return consumer

    monkeypatch.setattr(app, "consumer", impatient)
    async with open_bus(stack) as opened:
        yield opened


def logins(first: int, count: int) -> list[InboundRecord]:
    """Return logins of as many users, now."""
    now = datetime.now(UTC)
    return [
        a_login_record(event_id=f"login-{n}", subject=f"auth0|{n}", time=now)
        for n in range(first, first + count)
    ]


async def for_seconds(bus: Bus, seconds: float) -> None:
    """Read what comes out, for so long."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    await bus.until(lambda: loop.time() > until, 2 * seconds)


@pytest.mark.law(8)
async def test_redis_away_for_a_minute(bus: Bus, stack: Stack) -> None:
    """Law 8: Redis hangs for a minute: no result comes, none is lost, and the group keeps its worker."""
    async with bus.decider() as decider:
        await bus.send(*logins(0, 10))
        await bus.answers(10)
        await stack.valkey_server.pause()
        try:
            await bus.send(*logins(10, 10))
            await for_seconds(bus, 60)
            assert len(bus.results) == 10
            assert bus.dead_letters == []
            metric = decider.metrics.registry.get_sample_value
            assert metric("countersign_waiting") == 1
            assigned_before = metric("countersign_partitions")
        finally:
            await stack.valkey_server.resume()
        results = await bus.answers(20)
        await bus.all_committed(20)
        assert {result.type for result in results} == {ResultType.LOGIN_CHALLENGED}
        assert assigned_before == 3
        assert metric("countersign_commits_refused_total") == 0


@pytest.mark.law(8)
async def test_redis_killed_and_started_empty(bus: Bus, stack: Stack) -> None:
    """Law 8: Redis dies and comes back empty: a prompt again, never a silent allow, and nothing lost."""
    async with bus.decider():
        await bus.send(*logins(0, 10))
        await bus.answers(10)
        await stack.valkey_server.kill()
        try:
            await bus.send(*logins(10, 10))
            await for_seconds(bus, 2)
            assert len(bus.results) == 10
        finally:
            await stack.valkey_server.start()
        results = await bus.answers(20)
        await bus.all_committed(20)
    assert {result.type for result in results} == {ResultType.LOGIN_CHALLENGED}
    assert bus.dead_letters == []


@pytest.mark.law(4)
async def test_broker_killed_and_started(bus: Bus, stack: Stack) -> None:
    """Law 4: the broker dies in the middle of the work and comes back: each login has its one answer."""
    async with bus.decider() as decider:
        await bus.send(*logins(0, 200))
        await bus.until(lambda: bool(bus.results))
        await stack.kafka_server.kill()
        await stack.kafka_server.start()
        await bus.publisher.close()
        await bus.send(*logins(200, 50))
        # The decider asks for a changed broker every 30 s, and its old place in the group may have to lapse.
        await bus.answers(250, patience=120)
        await bus.all_committed(250)
        assert decider.source.failure is None
    assert len(bus.distinct()) == 250


async def test_worker_leaves_while_the_broker_is_away(bus: Bus, stack: Stack) -> None:
    """A worker that is told to stop while the broker is away stops in time, and another goes on."""
    async with bus.decider() as decider:
        await bus.send(*logins(0, 5))
        await bus.answers(5)
        await stack.kafka_server.kill()
        try:
            async with asyncio.timeout(30):
                await decider.stop()
        finally:
            await stack.kafka_server.start()
    assert decider.source.failure is None
    await bus.publisher.close()
    async with bus.decider():
        await bus.send(*logins(5, 5))
        await bus.answers(10)
