"""What the store keeps on a real server, and until when: nothing stays for ever, nothing goes too soon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from countersign.adapters.redis.connection import connect_redis
from countersign.adapters.redis.keys import Keys
from countersign.adapters.redis.store import MARK_LASTS, RedisStore
from countersign.core import remember
from countersign.core.challenge import Proof, claim, come_back, prove
from countersign.core.identity import bucket_of, challenge_bucket
from countersign.core.result import Assurance
from countersign.core.tenant import MAX_IDLE, PushBudget
from countersign.ports import Change, Recording
from countersign.settings import load_settings
from tests.builders import (
    ACME,
    ALICE,
    NOW,
    PSEUDONYMS,
    a_challenge,
    a_forget,
    a_login,
    a_tenant,
    a_visit,
    decided,
)

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

    from countersign.core.challenge import Challenge
    from countersign.local import Stack

WINDOW = timedelta(hours=24)
RETENTION = timedelta(hours=1)
BUDGET = PushBudget(prompts=5, window=timedelta(minutes=10))
FOR_EVER = -1
"""What Redis calls the time to live of a key that has no end."""


class Place(NamedTuple):
    """A store, and what is needed to look into it."""

    store: RedisStore
    client: Redis | RedisCluster
    keys: Keys

    async def lasts(self, key: str) -> timedelta | None:
        """Return how long a key still lasts; None = for ever."""
        left = await self.client.pttl(key)
        assert left == FOR_EVER or left > 0, "the key is gone"
        return None if left == FOR_EVER else timedelta(milliseconds=left)

    async def remembered_lasts(self) -> timedelta | None:
        """Return how long Alice's remembered browsers last."""
        return await self.lasts(self.keys.remembered(*self.keys.user(ACME, ALICE)))

    async def due(self, challenge: Challenge) -> float | None:
        """Return when a challenge is due, in milliseconds; None where it isn't."""
        bucket = challenge_bucket(challenge.id)
        score: float | None = await self.client.zscore(self.keys.due(bucket), challenge.id)
        return score

    async def held(self, key: bytes) -> bytes:
        """Return all that stands under a key."""
        parts: list[Any]  # redis-py can't know that nothing is decoded
        match await self.client.type(key):
            case b"string":
                parts = [await self.client.get(key)]
            case b"hash":
                fields = await self.client.hgetall(key)
                parts = [part for pair in fields.items() for part in pair]
            case _:
                parts = list(await self.client.zrange(key, 0, -1))
        return b" ".join(parts)

    async def challenged(self) -> Challenge:
        """Record a challenged login of Alice's, and return its challenge."""
        login = a_login()
        await self.store.facts([login])
        pending = a_challenge(login)
        await self.store.record(
            [Recording(event=login, decision=decided(login), challenge=pending, budget=BUDGET)]
        )
        return pending

    async def passed(self, pending: Challenge) -> None:
        """Take a challenge through Duo and back, and have its browser remembered."""
        code_hash = self.keys.pseudonyms.code(pending.id, "code")
        claimed = claim(pending, "holder", NOW, timedelta(seconds=15))
        proven = prove(claimed, "holder", Proof(Assurance.MFA, code_hash, a_visit()), NOW)
        limits = a_tenant().remember
        browser = remember.remembered(pending.id, limits, NOW)
        last = Change(
            challenge=come_back(proven, code_hash, NOW),
            remember=browser,
            remember_until=remember.ends_at(browser, limits),
        )
        for change in (Change(challenge=claimed), Change(challenge=proven), last):
            assert await self.store.settle([change]) == [True]


def about(lasts: timedelta | None, wanted: timedelta) -> bool:
    """Say whether a key lasts as long as wanted, but for the time that the test took."""
    return lasts is not None and wanted - timedelta(minutes=1) < lasts <= wanted


@pytest.fixture
async def place(stack: Stack) -> AsyncIterator[Place]:
    """An empty store on the server."""
    client = connect_redis(load_settings(redis_url=stack.redis_url))
    await client.flushall()
    store = RedisStore(client, PSEUDONYMS, dedupe_window=WINDOW, retention=RETENTION)
    yield Place(store, client, Keys(PSEUDONYMS))
    await client.aclose()


@pytest.mark.law(2)
async def test_claim_and_decision_last_for_the_dedupe_window(place: Place) -> None:
    """Law 2: a redelivery is answered by the record for as long as the window says, and no longer."""
    pending = await place.challenged()
    bucket = challenge_bucket(pending.id)
    for key in (
        place.keys.claim(pending.identity)[1],
        place.keys.decided(bucket, pending.identity),
    ):
        assert about(await place.lasts(key), WINDOW)


async def test_budget_lasts_for_its_window(place: Place) -> None:
    """What a user was prompted is kept for the tenant's window."""
    await place.challenged()
    bucket, user = place.keys.user(ACME, ALICE)
    assert about(await place.lasts(place.keys.budget(bucket, user)), BUDGET.window)


async def test_open_challenge_is_due_and_has_no_end(place: Place) -> None:
    """A challenge without a published outcome never ends by itself, and is listed by its deadline."""
    pending = await place.challenged()
    assert await place.lasts(place.keys.challenge(pending.id)) is None
    assert await place.due(pending) == pending.deadline.timestamp() * 1000
    await place.passed(pending)
    assert await place.lasts(place.keys.challenge(pending.id)) is None
    assert await place.due(pending) is not None


async def test_published_challenge_is_due_no_more_and_ends(place: Place) -> None:
    """With its outcome on the bus a challenge is swept no more, and is kept for the retention."""
    pending = await place.challenged()
    await place.passed(pending)
    await place.store.published([pending.id])
    assert await place.due(pending) is None
    assert about(await place.lasts(place.keys.challenge(pending.id)), RETENTION)


@pytest.mark.law(7)
@pytest.mark.parametrize("forgotten", [False, True], ids=["no mark", "after a forget"])
async def test_remembered_browsers_last_until_the_latest_end(
    place: Place, *, forgotten: bool
) -> None:
    """Law 7: remembered browsers are kept until the latest ends, longer than a mark, and no longer."""
    if forgotten:
        await place.store.forget([a_forget()])
    await place.passed(await place.challenged())
    assert about(await place.remembered_lasts(), MAX_IDLE)


@pytest.mark.law(7)
async def test_renewal_keeps_the_browser_for_longer(place: Place) -> None:
    """Law 7: a browser that is renewed is kept until its new end."""
    await place.passed(await place.challenged())
    login = a_login(event_id="next")
    later = NOW + timedelta(days=3)
    (standing,) = await place.store.facts([login])
    assert standing.facts.remembered is not None
    renewed = remember.renewed(standing.facts.remembered, later)
    until = remember.ends_at(renewed, a_tenant().remember)
    decision = decided(login, now=NOW)
    await place.store.record(
        [Recording(event=login, decision=decision, renewed=renewed, renewed_until=until)]
    )
    assert about(await place.remembered_lasts(), timedelta(days=10))


@pytest.mark.law(7)
async def test_mark_of_a_forget_ends(place: Place) -> None:
    """Law 7: the mark of a "forget" outlives every challenge that was open then, and goes afterwards."""
    await place.store.forget([a_forget()])
    assert about(await place.remembered_lasts(), MARK_LASTS)


@pytest.mark.law(9)
@pytest.mark.law(10)
async def test_nothing_in_a_key_names_anybody(place: Place) -> None:
    """Laws 9 and 10: keys, and what is remembered, hold keyed hashes; a browser id stands nowhere."""
    pending = await place.challenged()
    await place.passed(pending)
    login = a_login()
    keys = [key async for key in place.client.scan_iter()]
    assert len(keys) == 6  # claim, decided, budget, challenge, due, remembered
    bucket = f"{{{bucket_of(login.key_hash):02x}}}:".encode()
    assert sum(key.startswith(bucket) for key in keys) >= 5
    held = [await place.held(key) for key in keys]
    assert PSEUDONYMS.user(ACME, ALICE).encode() in b" ".join(keys)
    assert (login.event.login.browser_id or "").encode() not in b" ".join(held)
    for name in (ALICE, ACME, login.identity.event_id):
        assert not any(name.encode() in key for key in keys)
