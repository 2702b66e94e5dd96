"""Tenants' settings on a real Kafka: read to the end, in force at once, kept through an outage."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import structlog

from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.core.errors import BusUnavailableError
from countersign.local import Stack
from countersign.wire.tenant import write_settings
from tests.builders import ACME, GLOBEX, a_tenant
from tests.settings_bus import SettingsBus
from tests.waiting import eventually


@pytest.fixture
async def bus(stack: Stack) -> SettingsBus:
    """A topic of this test alone."""
    bus = SettingsBus(stack)
    await bus.create()
    return bus


async def test_new_version_is_in_force_within_a_second(bus: SettingsBus) -> None:
    """A running reader has a new version in force well within a second of its acknowledgement."""
    async with bus.reader() as reader, bus.publisher():
        for version in range(1, 4):
            await bus.put(ACME, write_settings(a_tenant(version=version)))
            await eventually(
                lambda: reader.versions() == {ACME: version},  # noqa: B023  # asked in this round
                within=timedelta(seconds=1),
            )
        assert reader.get(ACME) == a_tenant(version=3)


async def test_new_reader_has_read_to_the_end(bus: SettingsBus) -> None:
    """When `start` returns, everything that was published before is in force."""
    names = [f"tenant-{number:03}" for number in range(200)]
    for name in names[:3]:
        await bus.put(name, write_settings(a_tenant(tenant=name, version=1)))
    for name in names:
        await bus.put(name, write_settings(a_tenant(tenant=name, version=2)))
    async with bus.reader() as reader:
        assert reader.versions() == dict.fromkeys(names, 2)


async def test_empty_topic_is_read_at_once(bus: SettingsBus) -> None:
    """A topic without records has an end, too."""
    async with bus.reader() as reader:
        assert reader.versions() == {}
        assert reader.get(ACME) is None


async def test_catching_up_sees_what_was_published_before(bus: SettingsBus) -> None:
    """Whatever was acknowledged before the call is in force after it, for every caller at once."""
    async with bus.reader() as reader:
        for version in range(1, 11):
            await bus.put(ACME, write_settings(a_tenant(version=version)))
            asked = [asyncio.create_task(reader.catch_up()) for _ in range(50)]
            await asked[0]
            assert reader.versions() == {ACME: version}
            await asyncio.gather(*asked)


async def test_caller_who_gives_up_leaves_the_others_their_answer(bus: SettingsBus) -> None:
    """Callers share an answer, and cancelling one of them takes it from nobody else."""
    async with bus.reader() as reader:
        first, second = (asyncio.create_task(reader.catch_up()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert first.cancelled() or first.done()


async def test_malformed_record_keeps_the_last_good_one(bus: SettingsBus) -> None:
    """What can't be read is counted and told; the tenant keeps what it has, and the others go on."""
    await bus.put(ACME, write_settings(a_tenant(version=1)))
    with structlog.testing.capture_logs() as logs:
        async with bus.reader() as reader:
            await bus.put(ACME, b'{"tenant": "acme"}')
            await bus.put(ACME, write_settings(a_tenant(tenant=GLOBEX)))
            await bus.put("no tenant", b"{}")
            await bus.put("acme/action/block/1", b"not for this reader")
            await bus.put(GLOBEX, write_settings(a_tenant(tenant=GLOBEX)))
            await reader.catch_up()
            assert reader.versions() == {ACME: 1, GLOBEX: 1}
            assert reader.malformed == 3
    told = [entry for entry in logs if entry["event"] == "tenant_settings_malformed"]
    assert [entry["offset"] for entry in told] == [1, 2, 3]


async def test_tombstone_removes_the_tenant(bus: SettingsBus) -> None:
    """A tenant whose settings were removed has none, in running readers and in new ones."""
    await bus.put(ACME, write_settings(a_tenant()))
    async with bus.reader() as reader:
        assert reader.versions() == {ACME: 1}
        await bus.put(ACME, None)
        await reader.catch_up()
        assert reader.get(ACME) is None
    async with bus.reader() as reader:
        assert reader.get(ACME) is None


async def test_start_waits_for_the_topic(stack: Stack) -> None:
    """A reader that is started before the topic exists says so and waits; it creates no topic."""
    bus = SettingsBus(stack)
    reader = TenantSettingsReader(bus.connection, bus.topic)
    with pytest.raises(BusUnavailableError, match="countersign topics create"):
        await reader.start(patient=False)
    with structlog.testing.capture_logs() as logs:
        starting = asyncio.create_task(reader.start())
        try:
            await eventually(
                lambda: any(entry["event"] == "waiting_for_tenant_settings" for entry in logs)
            )
            assert not starting.done()
            await bus.create()
            await bus.put(ACME, write_settings(a_tenant()))
            await starting
            await reader.catch_up()
            assert reader.versions() == {ACME: 1}
        finally:
            starting.cancel()
            await reader.stop()


async def test_start_that_is_cancelled_leaves_nothing_open(stack: Stack) -> None:
    """A process may be told to stop while it still waits."""
    bus = SettingsBus(stack)
    reader = TenantSettingsReader(bus.connection, bus.topic)
    with structlog.testing.capture_logs() as logs:
        starting = asyncio.create_task(reader.start())
        await eventually(lambda: bool(logs))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


@pytest.mark.law(8)
async def test_outage_keeps_what_is_known(stack: Stack, bus: SettingsBus) -> None:
    """While Kafka is silent what was read stays in force and catching up says so; then it goes on."""
    await bus.put(ACME, write_settings(a_tenant(version=1)))
    async with bus.reader() as reader:
        await stack.kafka_server.pause()
        try:
            with pytest.raises(BusUnavailableError):
                await reader.catch_up()
            assert reader.versions() == {ACME: 1}
        finally:
            await stack.kafka_server.resume()
        await bus.put(ACME, write_settings(a_tenant(version=2)))
        await eventually(lambda: reader.versions() == {ACME: 2})
        await reader.catch_up()


@pytest.mark.law(8)
async def test_restart_of_kafka_is_survived(stack: Stack, bus: SettingsBus) -> None:
    """A broker that is killed and started again is read on from, without anybody's help."""
    await bus.put(ACME, write_settings(a_tenant(version=1)))
    async with bus.reader() as reader:
        await stack.kafka_server.kill()
        try:
            with pytest.raises(BusUnavailableError):
                await reader.catch_up()
            assert reader.versions() == {ACME: 1}
        finally:
            await stack.kafka_server.start()
        await bus.put(ACME, write_settings(a_tenant(version=2)))
        await eventually(lambda: reader.versions() == {ACME: 2})
        await reader.catch_up()
