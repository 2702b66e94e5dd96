"""What must not be seen anywhere is looked for everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest
from redis.asyncio import Redis

from countersign.core.result import Assurance, ResultType
from tests.builders import a_login_record, a_return_record
from tests.bus import open_bus

if TYPE_CHECKING:
    from countersign.local import Stack

CANARIES = {
    "browser": "canary-browser-8c1f",
    "mail": "canary-mail-8c1f@example.com",
    "code": "canary-code-8c1f",
    "header": "canary-header-8c1f",
}


@pytest.mark.law(9)
async def test_canaries_are_seen_nowhere(stack: Stack, capfd: pytest.CaptureFixture[str]) -> None:
    """Law 9: a browser id, a mail address and a return code are in no result, log, metric or record."""
    async with open_bus(stack) as bus:
        async with bus.decider() as decider:
            record = a_login_record(
                event_id="first",
                browser_id=CANARIES["browser"],
                user={"email": CANARIES["mail"]},
                time=datetime.now(UTC),
            )
            await bus.send(
                record._replace(headers=[*record.headers, ("x-trace", CANARIES["header"].encode())])
            )
            (first,) = await bus.answers(1)
            challenge = (first.body.challenge_url or "")[-24:]
            await bus.prove(challenge, CANARIES["code"], Assurance.MFA)
            await bus.send(
                a_return_record(login_id="first", code=CANARIES["code"], time=datetime.now(UTC))
            )
            results = await bus.answers(2)
            assert results[1].type is ResultType.CHALLENGE_PASSED
            metrics = generate_latest(decider.metrics.registry).decode()
        said = capfd.readouterr()
        everything = [repr(bus.results), metrics, said.out, said.err]
        everything += await _all_of_redis(stack.redis_url)
    for name, canary in CANARIES.items():
        assert not [text for text in everything if canary in text], name


async def _all_of_redis(url: str) -> list[str]:
    client = Redis.from_url(url)
    try:
        found = []
        async for key in client.scan_iter():
            kind = await client.type(key)
            if kind == b"string":
                value: object = await client.get(key)
            elif kind == b"hash":
                value = await client.hgetall(key)
            else:
                value = await client.zrange(key, 0, -1, withscores=True)
            found.append(f"{key!r} {value!r}")
        assert found
        return found
    finally:
        await client.aclose()
