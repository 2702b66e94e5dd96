"""Outcomes on their way to the bus; law 4's share here: what is not acknowledged is sent again.

Whatever gets lost on the way, by a crash or because Kafka is away, a sweeper finds and brings again; it is
the same record, byte for byte (law 2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from countersign.challenger.metrics import Metrics
from countersign.core.challenge import Challenge
from countersign.core.errors import UnavailableError
from countersign.logs import where_it_failed
from countersign.ports import Publisher, Store
from countersign.wire.results import OutboundRecord, write_result

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 500


class Outbox:
    """Publishes challenges' outcomes, and notes that they are out.

    Args:
        store: is told what was published.
        publisher: the way onto the bus.
        topic: the results' topic.
        metrics: count what was published.
    """

    def __init__(self, store: Store, publisher: Publisher, topic: str, metrics: Metrics) -> None:
        self._store = store
        self._publisher = publisher
        self._topic = topic
        self._metrics = metrics
        self._waiting: dict[str, Challenge] = {}
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()

    def post(self, challenge: Challenge) -> None:
        """Have an outcome published at once; nobody waits for it."""
        self._waiting[challenge.id] = challenge
        self._wake.set()

    async def run(self) -> None:
        """Publish what is posted, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.drain()

    async def drain(self) -> None:
        """Publish what waits; what can't be published is left to the sweepers."""
        while self._waiting:
            batch = [self._waiting.pop(name) for name in list(self._waiting)[:_AT_ONCE]]
            try:
                await self.send(batch)
            except UnavailableError as error:
                log.warning("outcomes_delayed", outcomes=len(batch), reason=str(error))
            except Exception as error:  # noqa: BLE001  # whatever it is, the next outcome is to go out
                where = where_it_failed(error)
                log.error("publishing_failed", error=type(error).__name__, where=where)  # noqa: TRY400  # the error's text may quote a record

    async def send(self, challenges: Sequence[Challenge]) -> None:
        """Publish outcomes, and return when they are acknowledged and noted.

        Raises:
            UnavailableError: some may be out, and are not noted; they can be sent again.
        """
        if not challenges:
            return
        try:
            await self._send(challenges)
        except asyncio.CancelledError:
            # The process stops, and drains once more: these may not be out yet.
            self._waiting.update({one.id: one for one in challenges})
            raise

    async def _send(self, challenges: Sequence[Challenge]) -> None:
        async with self._turn:
            await self._publisher.publish([self._record(one) for one in challenges])
        for challenge in challenges:
            if challenge.outcome is not None:
                kind, reason = challenge.outcome.type, challenge.outcome.reason
                self._metrics.results.labels(kind.value, reason.value).inc()
        await self._store.published([one.id for one in challenges])

    def _record(self, challenge: Challenge) -> OutboundRecord:
        assert challenge.outcome is not None  # noqa: S101  # callers have looked
        return write_result(
            self._topic,
            challenge.identity,
            challenge.subject,
            challenge.client_id,
            challenge.outcome,
            traceparent=challenge.traceparent,
        )
