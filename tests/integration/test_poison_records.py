"""Records that a Kafka client for Python can't read: they cost nobody an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.consumer import fetcher
from aiokafka.record.util import calc_crc32c

from countersign.adapters.kafka.configured import kafka_connection
from countersign.adapters.kafka.tenant_settings import TenantSettingsReader
from countersign.core.errors import Defect
from countersign.wire.tenant import settings_record, write_settings
from tests.builders import ACME, InboundRecord, a_login_record, a_tenant
from tests.bus import Bus, open_bus

if TYPE_CHECKING:
    from countersign.local import Stack

MARKER = b"HEADERNAME"
NOT_UTF8 = b"\xff\xfe\xfd\xff\xfe\xfd\xff\xfe\xfd\xff"


@pytest.fixture
async def bus(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bus]:
    """A bus of one partition, so that good and bad stand behind each other."""
    monkeypatch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)  # put back afterwards
    async with open_bus(stack, partitions=1) as opened:
        yield opened


async def send_poisoned(bus: Bus, records: list[InboundRecord], topic: str | None = None) -> None:
    """Send records as one batch; header names that are the marker become bytes that are not UTF-8."""
    producer = AIOKafkaProducer(bootstrap_servers=bus.settings.kafka_bootstrap)
    await producer.start()
    try:
        batch = producer.create_batch()
        for record in records:
            assert batch.append(
                timestamp=None,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
            )
        batch.close()
        data = bytearray(bytes(batch._build()).replace(MARKER, NOT_UTF8))  # noqa: SLF001  # no client sends this on purpose
        # The checksum stands at 17 and covers what comes after it (Kafka's record batch, version 2).
        data[17:21] = calc_crc32c(data[21:]).to_bytes(4, "big")
        batch._buffer = data  # noqa: SLF001  # as above
        topic = topic or bus.settings.login_events_topic
        await (await producer.send_batch(batch, topic, partition=0))
    finally:
        await producer.stop()


@pytest.mark.law(1)
async def test_header_name_that_is_not_utf8(bus: Bus) -> None:
    """Law 1: a header name that is not UTF-8 stops nothing: its record and all others are answered."""
    now = datetime.now(UTC)
    logins = [
        a_login_record(event_id=f"login-{n}", subject=f"auth0|{n}", time=now) for n in range(6)
    ]
    odd = logins[2]._replace(headers=[*logins[2].headers, (MARKER.decode(), b"1")])
    bad = logins[4]._replace(value=b"{", headers=[*logins[4].headers, (MARKER.decode(), b"1")])
    await bus.send(logins[0])
    await send_poisoned(bus, [logins[1], odd, logins[3], bad])
    await bus.send(logins[5])
    async with bus.decider() as decider:
        results = await bus.answers(5)
        await bus.until(lambda: bool(bus.dead_letters))
        await bus.all_committed(6)
        assert decider.source.failure is None
    assert {r.identity.event_id for r in results} == {f"login-{n}" for n in (0, 1, 2, 3, 5)}
    assert [letter.reason for letter in bus.dead_letters] == [Defect.NOT_JSON]
    assert bus.dead_letters[0].value == b"{"


async def test_settings_are_followed_past_such_a_record(bus: Bus) -> None:
    """Such a record on the tenants' settings is passed over: new versions come into force after it."""
    topic = bus.settings.tenant_settings_topic
    first, second = (
        settings_record(topic, ACME, write_settings(a_tenant(version=n))) for n in (1, 2)
    )
    await bus.publisher.publish([first])
    reader = TenantSettingsReader(kafka_connection(bus.settings), topic)
    await reader.start()
    try:
        odd = InboundRecord(b"nobody", b"{}", [(MARKER.decode(), b"1")])
        await send_poisoned(bus, [odd], topic)
        await bus.publisher.publish([second])
        await reader.catch_up()
        assert reader.versions() == {ACME: 2}
    finally:
        await reader.stop()
