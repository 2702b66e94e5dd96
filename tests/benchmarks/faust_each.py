"""The obvious Faust program: an agent that takes an event at a time, and awaits its publication.

Faust's own consumer, producer and commits; the store is asked with one MGET and one pipeline an event.
It is what Faust's own documentation teaches, with the await that keeps results from getting lost.
"""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from typing import cast

import faust
from redis.asyncio import Redis

from countersign.core.identity import Pseudonyms
from countersign.core.login import LoginAttempted
from countersign.core.result import to_milliseconds
from countersign.logs import quiet_libraries
from countersign.settings import Settings
from countersign.wire.inbound import read_event
from countersign.wire.records import unpack_decision
from countersign.wire.results import OutboundRecord, write_result
from tests.benchmarks.load import TENANTS
from tests.benchmarks.plain_store import facts_keys, judge, link_of, record


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Decide logins until told to stop."""
    with tempfile.TemporaryDirectory() as directory:
        app = faust.App(
            settings.group_id,
            broker=f"kafka://{settings.kafka_bootstrap}",
            store="memory://",
            datadir=directory,
            web_enabled=False,
        )
        logins = app.topic(settings.login_events_topic, key_type=bytes, value_type=bytes)
        results = app.topic(settings.mfa_results_topic, key_type=bytes, value_type=bytes)
        redis = Redis.from_url(settings.redis_url)
        pseudonyms = Pseudonyms(settings.identifier_key_bytes())

        async def decide_each(events: faust.StreamT[bytes]) -> None:
            async for event in events.events():
                message = event.message
                login = read_event(message.key, message.value, list(message.headers))
                assert isinstance(login, LoginAttempted)
                result = await decided(settings, redis, pseudonyms, login)
                published = await results.send(
                    key=result.key, value=result.value, headers=list(result.headers)
                )
                await published

        app.agent(logins, name="decide")(decide_each)
        await app.start()
        quiet_libraries()
        try:
            await stop.wait()
        finally:
            await app.stop()
            await redis.aclose()


async def decided(
    settings: Settings, redis: Redis, pseudonyms: Pseudonyms, event: LoginAttempted
) -> OutboundRecord:
    """Decide a login, record it, and return its result."""
    now = to_milliseconds(datetime.now(UTC))
    tenant = TENANTS[event.identity.tenant]
    found = cast("list[bytes | None]", await redis.mget(facts_keys(event)))
    decision = judge(event, tenant, found, now, link_of(event, pseudonyms, settings.public_url))
    if found[0] is None:
        pipeline = redis.pipeline(transaction=False)
        record(pipeline, event, tenant, decision, found, settings.dedupe_window)
        first = (await pipeline.execute())[0]
        if first is not None:  # another worker was first
            decision = unpack_decision(first)
    return write_result(
        settings.mfa_results_topic,
        event.identity,
        event.subject,
        event.event.client.client_id,
        decision,
        traceparent=event.traceparent,
    )
