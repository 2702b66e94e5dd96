"""Everything that the attacks left behind: topics, Redis, logs, metrics, and what browsers saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis

from countersign.core.challenge import Challenge
from countersign.simulator.ledger import Entry
from countersign.wire.records import unpack_challenge
from tests.attacks.canaries import Document
from tests.attacks.world import World
from tests.faults.challenger_bus import nothing_is_due
from tests.kafka_topics import take_all

LOGIN_EVENTS, RESULTS = "login-events", "mfa-results"
DEAD_LETTERS, SETTINGS = "login-events-dlq", "tenant-settings"


class Record(NamedTuple):
    """A record as it stands on a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Evidence(NamedTuple):
    """What was left behind.

    Attributes:
        topics: what stands on each, by the topic's default name.
        redis: values by key; a hash is a mapping.
        ledger: what happened at the simulator.
        rogue_allowed: the users whom the rogue Duo has allowed.
        ended: the events whose challenge a challenger says it ended, once for each time.
        documents: the same in bytes, with logs, metrics and pages, to be searched.
    """

    topics: Mapping[str, list[Record]]
    redis: Mapping[bytes, Any]
    ledger: list[Entry]
    rogue_allowed: frozenset[str]
    ended: list[str]
    documents: list[Document]

    def challenges(self) -> dict[str, Challenge]:
        """Return the challenges in Redis by their ids."""
        found = [
            unpack_challenge(value[b"record"])
            for key, value in self.redis.items()
            if b":challenge:" in key
        ]
        return {one.id: one for one in found}


async def gathered(world: World) -> Evidence:
    """Return what was left behind, once every challenge has ended and its outcome is published."""
    await nothing_is_due(world.bus)
    settings = world.bus.settings
    names = {
        LOGIN_EVENTS: settings.login_events_topic,
        RESULTS: settings.mfa_results_topic,
        DEAD_LETTERS: settings.dead_letters_topic,
        SETTINGS: settings.tenant_settings_topic,
    }
    topics = {
        place: [
            Record(one.partition, one.offset, one.key, one.value, tuple(one.headers))
            for one in await take_all(settings.kafka_bootstrap, topic)
        ]
        for place, topic in names.items()
    }
    async with Redis.from_url(settings.redis_url) as client:
        redis = {key: await _value(client, key) async for key in client.scan_iter(count=1_000)}
    metrics = await world.metrics()
    logs = {name: one.log.read_bytes() for name, one in world.processes.items()}
    return Evidence(
        topics=topics,
        redis=redis,
        ledger=await world.ledger(),
        rogue_allowed=frozenset(world.rogue_allowed),
        ended=[
            line["event_id"]
            for lines in world.logs.lines().values()
            for line in lines
            if line["event"] == "challenge_ended"
        ],
        documents=[
            *_records(topics),
            *(Document("redis", repr(key), _bytes(key, value)) for key, value in redis.items()),
            *(Document("metrics", name, text.encode()) for name, text in metrics.items()),
            *(
                Document("log", f"{name}:{number}", line)
                for name, text in logs.items()
                for number, line in enumerate(text.splitlines(), 1)
            ),
            *(
                Document("page", f"{number}", seen.told().encode())
                for number, seen in enumerate(world.album)
            ),
        ],
    )


async def _value(client: Redis, key: bytes) -> Any:  # noqa: ANN401  # whatever Redis holds
    match await client.type(key):
        case b"string":
            return await client.get(key)
        case b"hash":
            return await client.hgetall(key)
        case b"zset":
            return dict.fromkeys(await client.zrange(key, 0, -1))
        case b"none":
            return None  # it has ended meanwhile
        case kind:
            raise AssertionError(kind)


def _records(topics: Mapping[str, list[Record]]) -> Iterator[Document]:
    for place, records in topics.items():
        for one in records:
            data = [one.key or b"", one.value or b""]
            data += [name.encode() + b"=" + (text or b"") for name, text in one.headers]
            yield Document(place, f"{one.partition}:{one.offset}", b"\n".join(data))


def _bytes(key: bytes, value: object) -> bytes:
    parts = [key]
    if isinstance(value, dict):
        for name, one in cast("dict[bytes, object]", value).items():
            parts += [name, one if isinstance(one, bytes) else repr(one).encode()]
    elif isinstance(value, bytes):
        parts.append(value)
    return b"\n".join(parts)
