"""Looks after what nobody comes back for: an overdue challenge expires, a lost outcome is published.

Law 5: any number of sweepers may run; each outcome is stored by one of them, and published at least once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from countersign.challenger.metrics import Metrics
from countersign.challenger.outbox import Outbox
from countersign.core.challenge import Challenge, expire
from countersign.core.errors import UnavailableError
from countersign.core.result import to_milliseconds
from countersign.logs import where_it_failed
from countersign.ports import Change, Clock, Store

log = structlog.get_logger(__name__)

_A_BUCKET: Final = 20
"""Most challenges of a bucket at a time."""
_AT_ONCE: Final = 25
"""Challenges in a step: some milliseconds, since browsers are waiting for their turn meanwhile."""


class Sweeper:
    """Sweeps, again and again.

    Args:
        store: where challenges are.
        outbox: where outcomes go.
        metrics: count.
        clock: the time.
        interval: how long to rest when there was nothing left to do.
        shuffle: brings ids into another order than another sweeper's, so that they don't do the same.
    """

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        metrics: Metrics,
        *,
        clock: Clock,
        interval: timedelta,
        shuffle: Callable[[list[str]], None],
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._metrics = metrics
        self._clock = clock
        self._interval = interval.total_seconds()
        self._shuffle = shuffle

    async def run(self) -> None:
        """Sweep for ever; wait while the store or the bus is away."""
        while True:
            try:
                found = await self.sweep()
            except UnavailableError as error:
                log.warning("sweeping_delayed", reason=str(error))
                found = 0
            except Exception as error:  # noqa: BLE001  # whatever it is, sweeping goes on
                where = where_it_failed(error)
                log.error("sweeping_failed", error=type(error).__name__, where=where)  # noqa: TRY400  # the error's text may quote a record
                found = 0
            if found < _AT_ONCE:
                await asyncio.sleep(self._interval)

    async def sweep(self) -> int:
        """Look after what is due now; say how many there were.

        Raises:
            UnavailableError: the store or the bus is away; what was begun is found again.
        """
        now = to_milliseconds(self._clock())
        ids = await self._store.overdue(now, _A_BUCKET)
        self._shuffle(ids)
        for first in range(0, len(ids), _AT_ONCE):
            await self._survive(ids[first : first + _AT_ONCE], now)
        return len(ids)

    async def _survive(self, ids: Sequence[str], now: datetime) -> None:
        """Look after challenges; one that makes this program fail keeps nobody else's from its end."""
        try:
            await self._look_after(ids, now)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it would stop all sweeping
            if len(ids) > 1:
                for one in ids:
                    await self._survive([one], now)
                return
            self._metrics.swept.labels("failed").inc()
            where = where_it_failed(error)
            log.error("sweeping_failed", error=type(error).__name__, where=where)  # noqa: TRY400  # the error's text may quote the record

    async def _look_after(self, ids: Sequence[str], now: datetime) -> None:
        standing = await self._store.challenges(ids)
        # A deadline without a challenge is what a restored backup may hold; nobody waits for it.
        gone = [name for name, one in zip(ids, standing, strict=True) if one is None]
        await self._store.published(gone)
        challenges = [one for one in standing if one is not None]
        lost = [one for one in challenges if one.outcome is not None]
        expired = await self._expired(
            [one for one in challenges if one.outcome is None and one.deadline <= now], now
        )
        await self._outbox.send([*lost, *expired])
        self._metrics.swept.labels("expired").inc(len(expired))
        self._metrics.swept.labels("published_again").inc(len(lost))
        if lost:
            log.warning("outcomes_published_again", outcomes=len(lost))

    async def _expired(self, overdue: Sequence[Challenge], now: datetime) -> list[Challenge]:
        """Return those that expired by our hand; the others have somebody else to publish them."""
        changes = [Change(challenge=expire(one, now)) for one in overdue]
        stored = await self._store.settle(changes)
        return [change.challenge for change, held in zip(changes, stored, strict=True) if held]
