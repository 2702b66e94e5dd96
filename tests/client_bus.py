"""A bus in memory for the client's tests: what was published is seen, and results are handed in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.topic_layout import TopicNames
from countersign.client import CountersignClient
from countersign.client.bus import Take
from countersign.core.errors import BusUnavailableError
from countersign.core.identity import EventIdentity
from countersign.core.login import Inbound
from countersign.core.result import (
    Assurance,
    ChallengeLink,
    Decision,
    Outcome,
    Reason,
    ResultType,
)
from countersign.wire.inbound import read_event
from countersign.wire.results import OutboundRecord, write_result
from tests.builders import ACME, ALICE, CHALLENGER, NOW, SHOP, SOURCE, an_identity


class MemoryBus:
    """`client.bus.Bus` in memory; refuses records while `down`, and never acknowledges while `stuck`."""

    def __init__(self) -> None:
        self.records: list[OutboundRecord] = []
        self.down = False
        self.stuck = False
        self._take: Take | None = None
        self._published = asyncio.Condition()

    async def open(self, take: Take) -> None:
        """See `Bus.open`."""
        if self.down:
            message = "the bus is down"
            raise BusUnavailableError(message)
        self._take = take

    async def publish(self, record: OutboundRecord) -> None:
        """See `Bus.publish`."""
        if self.down:
            message = "the bus is down"
            raise BusUnavailableError(message)
        async with self._published:
            self.records.append(record)
            self._published.notify_all()
        if self.stuck:
            await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """See `Bus.close`."""
        self._take = None

    async def events(self, count: int = 1) -> list[Inbound]:
        """Return the events published so far, once there are `count`."""
        async with asyncio.timeout(5), self._published:
            await self._published.wait_for(lambda: len(self.records) >= count)
        return [read_event(record.key, record.value, record.headers) for record in self.records]

    def deliver(self, *records: OutboundRecord) -> None:
        """Hand results to the client."""
        assert self._take is not None
        for record in records:
            self._take(record.value, record.headers)


@asynccontextmanager
async def opened(
    now: Callable[[], datetime] = lambda: NOW,
) -> AsyncIterator[tuple[CountersignClient, MemoryBus]]:
    """Open a client of Acme's shop on a bus in memory."""
    bus = MemoryBus()

    def same(_connection: KafkaConnection, _topics: TopicNames) -> MemoryBus:
        return bus

    async with CountersignClient(
        "unused:9092", source=SOURCE, tenant=ACME, now=now, bus=same
    ) as client:
        yield client, bus


_DECISIONS = {
    ResultType.LOGIN_ALLOWED: Reason.MFA_NOT_DUE,
    ResultType.LOGIN_DENIED: Reason.ACTION_DENIED,
    ResultType.LOGIN_CHALLENGED: Reason.MFA_DUE,
    ResultType.LOGIN_DELEGATED: Reason.MFA_DUE,
}
_OUTCOMES = {
    ResultType.CHALLENGE_PASSED: Reason.DUO_ALLOWED,
    ResultType.CHALLENGE_FAILED_OPEN: Reason.DUO_UNAVAILABLE,
    ResultType.CHALLENGE_DENIED: Reason.DUO_DENIED,
    ResultType.CHALLENGE_EXPIRED: Reason.NOT_BACK_IN_TIME,
    ResultType.CHALLENGE_FAILED: Reason.DUO_FAILED,
}


def a_result(
    kind: ResultType, identity: EventIdentity | None = None, *, subject: str = ALICE
) -> OutboundRecord:
    """Return the record of a result of this kind, as a decider or challenger would write it."""
    identity = identity or an_identity()
    ruling: Decision | Outcome
    if kind in _OUTCOMES:
        passed = kind is ResultType.CHALLENGE_PASSED
        ruling = Outcome(
            type=kind,
            reason=_OUTCOMES[kind],
            assurance=Assurance.MFA if passed else Assurance.NONE,
            decided_at=NOW,
            settings_version=1,
            trace=("challenge-proven",),
        )
    else:
        challenged = kind is ResultType.LOGIN_CHALLENGED
        ruling = Decision(
            type=kind,
            reason=_DECISIONS[kind],
            decided_at=NOW,
            settings_version=1,
            trace=("policy-all-applications", "duo-challenge"),
            challenge=ChallengeLink("c1", f"{CHALLENGER}/c/c1") if challenged else None,
            challenge_expires_at=NOW + timedelta(minutes=5) if challenged else None,
            provider="guardian" if kind is ResultType.LOGIN_DELEGATED else None,
        )
    return write_result("mfa-results", identity, subject, SHOP, ruling)
