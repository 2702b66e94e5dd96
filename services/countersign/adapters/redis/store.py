"""The store on Redis: each method one script call a wave, each event of it atomic.

The scripts only compare and write; what is right is decided in `core`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import cast

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from countersign.adapters.redis.keys import Keys
from countersign.adapters.redis.scripts import Call, Item, Script, run_together, unavailable
from countersign.core.budget import MAX_REFUSALS, REFUSALS_LAST, Refusal, Refused
from countersign.core.challenge import Challenge, due_at, prompt_name, refusal
from countersign.core.decision import denied_for_budget, denied_for_cool_down
from countersign.core.errors import Problem, SettingsError
from countersign.core.facts import NO_FACTS, Facts
from countersign.core.identity import BUCKETS, Pseudonyms, bucket_of, challenge_bucket
from countersign.core.instants import EPOCH, MILLISECOND, instant_of, milliseconds_of
from countersign.core.login import BrowsersForget, LoginAttempted
from countersign.core.remember import MAX_BROWSERS, RememberedBrowser
from countersign.core.result import Decision
from countersign.core.tenant import MAX_LIFETIME, PushBudget
from countersign.ports import Change, Recording, Standing, Visited
from countersign.wire.records import (
    pack,
    unpack_browser,
    unpack_challenge,
    unpack_decision,
)

MARK_LASTS = 2 * MAX_LIFETIME + timedelta(hours=1)
"""How long a "forget" is marked: longer than any challenge that it has to outlive."""

_VISITED = {
    b"charged": Visited.STORED,
    b"late": Visited.LATE,
    b"spent": Visited.SPENT,
    b"cooling": Visited.COOLING_DOWN,
}
_RECORDED: dict[int, Callable[[Decision], Decision | None]] = {
    0: lambda decision: decision,
    1: denied_for_budget,
    2: denied_for_cool_down,
    3: lambda _: None,
}
_LASTING = (MAX_REFUSALS, REFUSALS_LAST // MILLISECOND, MARK_LASTS // MILLISECOND)
"""Of refusals, how many a user and how long; of marks, how long."""


class RedisStore:
    """`ports.Store` on a Redis server or cluster.

    Args:
        client: the connection; its owner closes it.
        pseudonyms: the keyed hashes of the deployment.
        dedupe_window: how long a decision answers for redeliveries.
        retention: how long a challenge is kept after its outcome was published.
    """

    def __init__(
        self,
        client: Redis | RedisCluster,
        pseudonyms: Pseudonyms,
        *,
        dedupe_window: timedelta,
        retention: timedelta,
    ) -> None:
        self._client = client
        self._keys = Keys(pseudonyms)
        self._pseudonyms = pseudonyms
        self._keep = dedupe_window // MILLISECOND
        self._retention = retention // MILLISECOND
        self._identify = Script(client, "identify")
        self._facts = Script(client, "facts", answers=3)
        self._record = Script(client, "record", shared=("arguments", "keep_until", "budget"))
        self._challenges = Script(client, "challenges")
        self._visit = Script(client, "visit", shared=("arguments", "budget"))
        self._settle = Script(
            client, "settle", shared=("arguments", "keep_until", "forget", "refuse")
        )
        self._overdue = Script(client, "overdue")
        self._published = Script(client, "published")
        self._forget = Script(client, "forget", shared=("arguments", "keep_until", "forget"))
        self._hear = Script(client, "hear")
        self._fraud = Script(
            client, "fraud", shared=("arguments", "keep_until", "forget", "refuse")
        )

    async def verify(self) -> None:
        """Check that the server keeps what it is given.

        Raises:
            SettingsError: it may evict keys, and all of ours that expire would go first.
            StoreUnavailableError: it can't be asked now.
        """
        with unavailable():
            memory = await self._client.info("memory")
        policies = {
            node.get("maxmemory_policy")
            for node in (memory.values() if "maxmemory_policy" not in memory else [memory])
        }
        if policies - {"noeviction"}:
            problem = Problem(
                key="maxmemory-policy",
                problem=f"is {', '.join(sorted(map(str, policies)))}",
                remedy="Set it to noeviction, or remembered browsers and decisions get lost",
            )
            source = "Redis"
            raise SettingsError(source, [problem])

    async def facts(self, events: Sequence[LoginAttempted]) -> list[Standing]:
        """See `ports.Store.facts`."""
        if not events:
            return []
        claims, reply = await run_together(
            self._client,
            Call(self._identify, [self._keep], [self._claim(event) for event in events]),
            Call(self._facts, [], [self._lookup(event) for event in events]),
        )
        return [
            _standing(own, *found)
            for own, *found in zip(claims, reply[::3], reply[1::3], reply[2::3], strict=True)
        ]

    async def look(self, event: LoginAttempted) -> Standing:
        """See `ports.Store.look`."""
        _, key = self._keys.claim(event.identity)
        with unavailable():
            first = await self._client.get(key)
        found = await self._facts([], [self._lookup(event)])
        return _standing(first in {None, event.digest}, *found)

    def _claim(self, event: LoginAttempted) -> Item:
        bucket, key = self._keys.claim(event.identity)
        return Item(bucket, (key,), (event.digest,))

    def _lookup(self, event: LoginAttempted) -> Item:
        bucket = bucket_of(event.key_hash)
        tenant, subject = event.identity.tenant, event.subject
        user = self._pseudonyms.user(tenant, subject)
        browser = event.event.login.browser_id
        return Item(
            bucket,
            (
                self._keys.decided(bucket, event.identity),
                self._keys.budget(bucket, user),
                self._keys.remembered(bucket, user),
            ),
            (self._pseudonyms.browser(tenant, subject, browser) if browser else "",),
        )

    async def record(self, recordings: Sequence[Recording]) -> list[Decision | None]:
        """See `ports.Store.record`."""
        if not recordings:
            return []
        now = max(recording.decision.decided_at for recording in recordings)
        reply = await self._record(
            [milliseconds_of(now), self._keep], [self._recording(r) for r in recordings]
        )
        return [
            unpack_decision(answer)
            if isinstance(answer, bytes)
            else _RECORDED[answer](recording.decision)
            for recording, answer in zip(recordings, reply, strict=True)
        ]

    def _recording(self, recording: Recording) -> Item:
        event, decision = recording.event, recording.decision
        bucket = bucket_of(event.key_hash)
        decided = self._keys.decided(bucket, event.identity)
        record = pack(decision)
        challenge, budget, renewed = recording.challenge, recording.budget, recording.renewed
        if challenge is None and renewed is None:
            return Item(bucket, (decided,), (record, "plain"))
        tenant, subject = event.identity.tenant, event.subject
        user = self._pseudonyms.user(tenant, subject)
        remembered = self._keys.remembered(bucket, user)
        if challenge is not None and budget is not None:
            keys = (
                decided,
                remembered,
                self._keys.budget(bucket, user),
                self._keys.challenge(challenge.id),
                self._keys.due(bucket),
            )
            opening = (
                challenge.id,
                pack(challenge),
                milliseconds_of(challenge.deadline),
                *_limits(budget),
                pack(denied_for_budget(decision)),
                pack(denied_for_cool_down(decision)),
            )
            return Item(bucket, keys, (record, "challenge", *opening))
        assert renewed is not None  # noqa: S101  # neither a challenge nor plain
        browser = self._pseudonyms.browser(tenant, subject, event.event.login.browser_id or "")
        value = _value(renewed, recording.renewed_until)
        return Item(bucket, (decided, remembered), (record, "renewed", browser, *value))

    async def challenges(self, ids: Sequence[str]) -> list[Challenge | None]:
        """See `ports.Store.challenges`."""
        if not ids:
            return []
        items = [Item(challenge_bucket(i), (self._keys.challenge(i),), ()) for i in ids]
        records = await self._challenges([], items)
        return [unpack_challenge(record) if record else None for record in records]

    async def settle(self, changes: Sequence[Change]) -> list[bool]:
        """See `ports.Store.settle`."""
        if not changes:
            return []
        items = []
        latest = EPOCH
        for change in changes:
            challenge = change.challenge
            bucket = challenge_bucket(challenge.id)
            user = self._pseudonyms.user(challenge.identity.tenant, challenge.subject)
            args: list[str | bytes | int] = [
                challenge.revision - 1,
                pack(challenge),
                challenge.id,
                milliseconds_of(due_at(challenge)),
            ]
            if change.remember is not None and challenge.browser is not None:
                latest = max(latest, change.remember.since)
                args += [
                    "remember",
                    challenge.browser,
                    *_value(change.remember, change.remember_until),
                ]
            elif refused := refusal(challenge):
                args += ["refused", milliseconds_of(refused.at), refused.kind.value]
            else:
                args.append("plain")
            keys = (
                self._keys.challenge(challenge.id),
                self._keys.due(bucket),
                self._keys.remembered(bucket, user),
                self._keys.budget(bucket, user),
            )
            items.append(Item(bucket, keys, args))
        reply = await self._settle([milliseconds_of(latest), MAX_BROWSERS, *_LASTING], items)
        return [bool(answer) for answer in reply]

    async def visit(self, challenge: Challenge, budget: PushBudget) -> Visited:
        """See `ports.Store.visit`."""
        bucket = challenge_bucket(challenge.id)
        user = self._pseudonyms.user(challenge.identity.tenant, challenge.subject)
        keys = (self._keys.challenge(challenge.id), self._keys.budget(bucket, user))
        args = (
            challenge.revision - 1,
            pack(challenge),
            prompt_name(challenge),
            milliseconds_of(challenge.visits[-1].at),
            *_limits(budget),
        )
        (answer,) = await self._visit([], [Item(bucket, keys, args)])
        return _VISITED[answer]

    async def overdue(self, now: datetime, most: int) -> list[str]:
        """See `ports.Store.overdue`."""
        items = [Item(bucket, (self._keys.due(bucket),), ()) for bucket in range(BUCKETS)]
        buckets = await self._overdue([milliseconds_of(now), most], items)
        return [one.decode() for bucket in buckets for one in bucket]

    async def published(self, ids: Sequence[str]) -> None:
        """See `ports.Store.published`."""
        if not ids:
            return
        items = []
        for challenge_id in ids:
            bucket = challenge_bucket(challenge_id)
            keys = (self._keys.challenge(challenge_id), self._keys.due(bucket))
            items.append(Item(bucket, keys, (challenge_id,)))
        await self._published([self._retention], items)

    async def forget(self, events: Sequence[BrowsersForget]) -> None:
        """See `ports.Store.forget`."""
        if not events:
            return
        items = []
        for event in events:
            bucket = bucket_of(event.key_hash)
            user = self._pseudonyms.user(event.identity.tenant, event.subject)
            args = (self._pseudonyms.event(event.identity), event.browser or "")
            items.append(Item(bucket, (self._keys.remembered(bucket, user),), args))
        await self._forget([MARK_LASTS // MILLISECOND], items)

    async def hear(self, challenge: Challenge) -> bool:
        """See `ports.Store.hear`."""
        key = self._keys.challenge(challenge.id)
        (first,) = await self._hear([], [Item(challenge_bucket(challenge.id), (key,), ())])
        return bool(first)

    async def fraud(self, challenge: Challenge, at: datetime) -> None:
        """See `ports.Store.fraud`."""
        bucket = challenge_bucket(challenge.id)
        user = self._pseudonyms.user(challenge.identity.tenant, challenge.subject)
        keys = (self._keys.remembered(bucket, user), self._keys.budget(bucket, user))
        await self._fraud(_LASTING, [Item(bucket, keys, (challenge.id, milliseconds_of(at)))])

    async def remembered(self, tenant: str, subject: str) -> dict[str, RememberedBrowser]:
        """See `ports.Store.remembered`."""
        bucket, user = self._keys.user(tenant, subject)
        with unavailable():
            fields = await self._client.hgetall(self._keys.remembered(bucket, user))
        return {
            cast("bytes", name).decode(): browser
            for name, value in fields.items()
            if name not in {b"mark", b"applied"} and (browser := _browser(cast("bytes", value)))
        }


def _limits(budget: PushBudget) -> tuple[int, int, int, int]:
    """Return a tenant's limits as `budget.lua` takes them."""
    return (
        budget.prompts,
        budget.window // MILLISECOND,
        budget.refusals,
        budget.cool_down // MILLISECOND,
    )


def _standing(
    own: object, decided: bytes | None, budget: bytes | None, browser: bytes | None
) -> Standing:
    return Standing(
        conflict=not own,
        decided=unpack_decision(decided) if decided else None,
        facts=_known(browser, budget) if browser or budget else NO_FACTS,
    )


def _known(browser: bytes | None, budget: bytes | None) -> Facts:
    """Return what a user's records say; `budget.lua` says how a budget is written."""
    prompts, refusals = list[datetime](), list[Refusal]()
    for entry in (budget or b"").split(b";"):
        instant, refused, kind = entry.partition(b"!")
        if refused:
            refusals.append(Refusal(instant_of(int(instant)), Refused(kind.decode())))
        elif entry:
            prompts.append(instant_of(int(entry.partition(b":")[0])))
    return Facts(remembered=_browser(browser), prompts=tuple(prompts), refusals=tuple(refusals))


def _value(browser: RememberedBrowser, until: datetime | None) -> tuple[bytes, int]:
    """Return what stands in the hash, and its end; the end is also in front, for the script to read."""
    end = milliseconds_of(until or browser.absolute_end)
    return b"%d:%b" % (end, pack(browser)), end


def _browser(value: bytes | None) -> RememberedBrowser | None:
    return unpack_browser(value.partition(b":")[2]) if value else None
