"""Brings the store into a state by the decider's and the challenger's own steps; copies and measures it.

A browser is remembered only by a passed challenge, so that is how it comes about here too; then the
keys of one kind are copied, and put into an empty store.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from redis.asyncio import Redis

from countersign.adapters.redis.configured import redis_store
from countersign.core.challenge import Proof, claim, prove
from countersign.core.identity import Pseudonyms, bucket_of
from countersign.core.login import Inbound
from countersign.core.result import Assurance
from countersign.decider.judge import Judge
from countersign.decider.waves import Entry
from countersign.ports import Change
from countersign.settings import Settings
from countersign.wire.inbound import read_event
from tests.benchmarks.figures import StoreBytes
from tests.benchmarks.load import SOURCE, Kind, User, make_login, make_user, settings_of, utc_now
from tests.builders import a_return_record, a_visit
from tests.no_flows import no_effects

_AT_ONCE = 500
_CODE = "the-right-code"
_VISIT = a_visit()
_T = TypeVar("_T")


class Key(NamedTuple):
    """A key of the store: its name, how long it lives (ms; 0: for ever), and its value as dumped."""

    name: bytes
    ttl: int
    dump: bytes


class Snapshot(NamedTuple):
    """All that the store held at a time."""

    keys: tuple[Key, ...]

    def only(self, *kinds: str) -> Snapshot:
        """Return the keys of some kinds; a key's kind is what stands between its colons."""
        wanted = {kind.encode() for kind in kinds}
        return Snapshot(tuple(key for key in self.keys if key.name.split(b":")[1] in wanted))


class Writer:
    """Fills an empty store.

    Args:
        client: the connection.
        settings: the process's settings.
    """

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        self._pseudonyms = Pseudonyms(settings.identifier_key_bytes())
        self._store = redis_store(settings, client)
        self._judge = Judge(
            self._store,
            no_effects(),
            self._pseudonyms,
            public_url=settings.public_url,
            clock=utc_now,
        )

    async def logins(self, users: Sequence[User]) -> Snapshot:
        """Let each user log in once; return what the store holds of it."""
        await empty(self._client)
        for some in _parts(users):
            await self._answer(self._logins(some))
        return await snapshot(self._client)

    async def remembered(self, users: Sequence[User]) -> Snapshot:
        """Let each user log in and pass a challenge; return what the store holds of it."""
        await empty(self._client)
        for some in _parts(users):
            logins = self._logins(some)
            await self._answer(logins)
            await self._prove([self._challenge_id(login) for login in logins])
            await self._answer([self._return(login) for login in logins])
        return await snapshot(self._client)

    def _logins(self, users: Sequence[User]) -> list[Inbound]:
        chance, now = random.Random(1), utc_now()  # noqa: S311  # nothing secret
        logins = [make_login(f"before-{u.subject}", u, now, chance) for u in users]
        return [read_event(login.key, login.value, login.headers) for login in logins]

    def _return(self, login: Inbound) -> Inbound:
        event_id = login.identity.event_id
        record = a_return_record(
            tenant=login.identity.tenant,
            source=SOURCE,
            event_id=f"back-{event_id}",
            login_id=event_id,
            code=_CODE,
            subject=login.subject,
            time=utc_now(),
        )
        return read_event(*record)

    def _challenge_id(self, login: Inbound) -> str:
        return self._pseudonyms.challenge(login.identity, bucket_of(login.key_hash))

    async def _answer(self, events: Sequence[Inbound]) -> None:
        await self._judge.answer(
            [Entry(n, event, settings_of(event.identity.tenant)) for n, event in enumerate(events)]
        )

    async def _prove(self, ids: Sequence[str]) -> None:
        """Do the challenger's part: Duo said allow, and the browser is sent back with a code."""
        now = utc_now()
        challenges = [one for one in await self._store.challenges(ids) if one is not None]
        assert len(challenges) == len(ids)
        claimed = [claim(one, "holder", now, one.deadline - now) for one in challenges]
        await self._store.settle([Change(challenge=one) for one in claimed])
        proven = [
            prove(
                one,
                "holder",
                Proof(Assurance.MFA, self._pseudonyms.code(one.id, _CODE), _VISIT),
                now,
            )
            for one in claimed
        ]
        assert all(await self._store.settle([Change(challenge=one) for one in proven]))


async def empty(client: Redis) -> None:
    """Empty the store, and return only when the memory is free again."""
    # `flushall()` can't say SYNC, and Valkey then frees in the background.
    await client.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call]


async def snapshot(client: Redis) -> Snapshot:
    """Return all that the store holds."""
    names = [name async for name in client.scan_iter(count=1_000)]
    keys: list[Key] = []
    for some in _parts(names):
        pipeline = client.pipeline(transaction=False)
        for name in some:
            pipeline.pttl(name)
            pipeline.dump(name)
        replies = await pipeline.execute()
        keys += [
            Key(name, max(ttl, 0), dump)
            for name, ttl, dump in zip(some, replies[::2], replies[1::2], strict=True)
        ]
    return Snapshot(tuple(keys))


async def restore(client: Redis, state: Snapshot) -> None:
    """Add to the store what a snapshot holds."""
    for some in _parts(state.keys):
        pipeline = client.pipeline(transaction=False)
        for key in some:
            pipeline.restore(key.name, key.ttl, key.dump)
        await pipeline.execute()


async def measure_bytes(client: Redis, settings: Settings, count: int) -> StoreBytes:
    """Return what one of each costs, measured with so many of them in an otherwise empty store."""
    writer = Writer(client, settings)
    chance = random.Random(2)  # noqa: S311  # nothing secret

    def users(kind: Kind) -> list[User]:
        return [make_user(kind, chance) for _ in range(count)]

    plain = await writer.logins(users(Kind.NOT_DUE))
    challenged = await writer.logins(users(Kind.CHALLENGED))
    remembered = await writer.remembered(users(Kind.CHALLENGED))

    async def each(state: Snapshot) -> float:
        await empty(client)
        before = await _used(client)
        await restore(client, state)
        return (await _used(client) - before) / count

    return StoreBytes(
        login=await each(plain),
        challenged_login=await each(challenged.only("claim", "decided")),
        challenge=await each(challenged.only("challenge", "due")),
        budget=await each(challenged.only("budget")),
        remembered=await each(remembered.only("remembered")),
    )


async def _used(client: Redis) -> int:
    memory = await client.info("memory")
    return int(memory["used_memory"]) - int(memory["mem_clients_normal"])


def _parts(things: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(things), _AT_ONCE):
        yield things[start : start + _AT_ONCE]
