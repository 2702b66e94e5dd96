"""Where the challenger's runs take place: an empty store, topics, a Duo, and challenges by the thousand."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec
from redis.asyncio import Redis

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.adapters.kafka.topics import create_topics
from countersign.adapters.redis.configured import redis_store
from countersign.adapters.redis.keys import Keys
from countersign.core.identity import BUCKETS, EventIdentity, Pseudonyms, bucket_of, murmur2
from countersign.local import Stack
from countersign.local.ports import HOST, free_port
from countersign.ports import Recording
from countersign.settings import Settings, load_settings
from tests.benchmarks.challenger_server import (
    DUO,
    ENOUGH,
    HANGING,
    PLACE,
    SECRET,
    USERNAME,
    Running,
    served,
)
from tests.benchmarks.load import utc_now
from tests.benchmarks.store_state import empty
from tests.builders import ACME, SOURCE, a_challenge, a_login, decided

_AT_ONCE = 500


class Ground:
    """Broker, store and Duo.

    Args:
        stack: where broker and store run.
        directory: where certificates are made.
    """

    def __init__(self, stack: Stack, directory: Path) -> None:
        name = secrets.token_hex(4)
        self.authority = directory / "ca.pem"
        self._duo, self._hanging = free_port(), free_port()
        self._given = {
            "COUNTERSIGN_KAFKA_BOOTSTRAP": stack.kafka,
            "COUNTERSIGN_REDIS_URL": stack.redis_url,
            "COUNTERSIGN_IDENTIFIER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "COUNTERSIGN_SETTINGS_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "COUNTERSIGN_MFA_RESULTS_TOPIC": f"mfa-results-{name}",
            "COUNTERSIGN_DUO_HOSTS": f"localhost:{self._duo},localhost:{self._hanging}",
            SECRET: secrets.token_hex(20),
            PLACE: str(directory),
        }
        self._settings = load_settings(
            kafka_bootstrap=stack.kafka,
            redis_url=stack.redis_url,
            identifier_key=self._given["COUNTERSIGN_IDENTIFIER_KEY"],
            mfa_results_topic=f"mfa-results-{name}",
        )
        self._client = Redis.from_url(stack.redis_url)
        self._store = redis_store(self._settings, self._client)
        self._pseudonyms = Pseudonyms(self._settings.identifier_key_bytes())
        self._keys = Keys(self._pseudonyms)
        self._opened = 0

    @property
    def settings(self) -> Settings:
        """What the bus is reached with."""
        return self._settings

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[Running]:
        """Make the topics, and run Duo."""
        await create_topics(
            kafka_connection(self._settings),
            topic_names(self._settings),
            partitions=4,
            replication_factor=1,
        )
        try:
            async with served(DUO, self._duo, self._given) as duo:
                yield duo
        finally:
            await self._client.aclose()

    @asynccontextmanager
    async def at_work(self, name: str) -> AsyncIterator[Running]:
        """Run a contender."""
        port = free_port()
        own = {
            "COUNTERSIGN_DUO_CA_FILE": str(self.authority),
            "COUNTERSIGN_PUBLIC_URL": f"http://{HOST}:{port}",
            "COUNTERSIGN_CHALLENGER_PORT": str(port),
        }
        async with served(name, port, self._given | own) as running:
            yield running

    @asynccontextmanager
    async def hanging_duo(self) -> AsyncIterator[None]:
        """Run a Duo that hangs."""
        async with served(HANGING, self._hanging, self._given):
            yield

    async def clear(self) -> None:
        """Empty the store."""
        await empty(self._client)

    async def open(self, count: int, deadline: datetime, *, tenant: str = ACME) -> list[str]:
        """Open challenges of as many users of a tenant; return their ids."""
        login = a_login(time=utc_now())
        challenge = a_challenge(login, now=utc_now(), remembers=False, duo_username=USERNAME)
        decision = decided(login, now=utc_now())
        ids: list[str] = []
        while len(ids) < count:
            recordings = []
            for _ in range(min(_AT_ONCE, count - len(ids))):
                self._opened += 1
                identity = EventIdentity(tenant, SOURCE, f"login-{self._opened}")
                subject = f"auth0|{self._opened}"
                key_hash = murmur2(f"{tenant}:{subject}".encode())
                challenge_id = self._pseudonyms.challenge(identity, bucket_of(key_hash))
                ids.append(challenge_id)
                recordings.append(
                    Recording(
                        event=msgspec.structs.replace(
                            login, identity=identity, subject=subject, key_hash=key_hash
                        ),
                        decision=decision,
                        challenge=msgspec.structs.replace(
                            challenge,
                            id=challenge_id,
                            identity=identity,
                            subject=subject,
                            deadline=deadline,
                        ),
                        budget=ENOUGH,
                    )
                )
            await self._store.record(recordings)
        return ids

    async def due(self) -> int:
        """Return how many challenges a sweeper will have to look after."""
        pipeline = self._client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipeline.zcard(self._keys.due(bucket))
        return sum(await pipeline.execute())
