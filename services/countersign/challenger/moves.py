"""Stores what happens to a challenge, and has an outcome published at once (law 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

import stamina
import structlog

from countersign.challenger.outbox import Outbox
from countersign.core.challenge import Challenge
from countersign.core.errors import StoreUnavailableError
from countersign.core.result import Reason
from countersign.ports import Change, Store

log = structlog.get_logger(__name__)

PATIENCE: Final = 6.0
"""Seconds that Duo's answer is held on to while the store is away: a code can't be exchanged twice."""


def _patiently(attempts: int | None = None) -> AsyncIterator[stamina.Attempt]:
    return stamina.retry_context(
        on=StoreUnavailableError,
        attempts=attempts,
        timeout=PATIENCE,
        wait_initial=0.1,
        wait_max=1.0,
    )


class Moves:
    """The way of a challenge's next value into the store.

    Args:
        store: where challenges are.
        outbox: where outcomes go.
    """

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox

    async def read(self, challenge_id: str) -> Challenge | None:
        """Return the challenge as it stands.

        Raises:
            StoreUnavailableError: it can't be read now.
        """
        (challenge,) = await self._store.challenges([challenge_id])
        return challenge

    async def hear(self, challenge: Challenge) -> bool:
        """Claim the one late hearing of a challenge; say whether it is ours.

        Raises:
            StoreUnavailableError: whose it is is unknown.
        """
        return await self._store.hear(challenge)

    async def report_fraud(self, challenge: Challenge, at: datetime) -> None:
        """Note that a user reported a fraud with a challenge that had ended otherwise.

        Raises:
            StoreUnavailableError: whether it was noted is unknown.
        """
        log.warning(
            "fraud_reported_late",
            tenant=challenge.identity.tenant,
            event_id=challenge.identity.event_id,
        )
        async for attempt in _patiently():
            with attempt:
                await self._store.fraud(challenge, at)

    async def settle(self, challenge: Challenge, *, patiently: bool = False) -> bool:
        """Store a challenge's next value; say whether it stands now.

        Args:
            challenge: the next value.
            patiently: try for some seconds while the store is away. A try that was stored without our
                hearing of it makes the next one come too late: read again what stands.

        Raises:
            StoreUnavailableError: whether it was stored is unknown.
        """
        async for attempt in _patiently(attempts=None if patiently else 1):
            with attempt:
                (stored,) = await self._store.settle([Change(challenge=challenge)])
        if stored and challenge.outcome is not None:
            reason = challenge.outcome.reason
            # A report of fraud is the one end that somebody should look at at once.
            tell = log.warning if reason is Reason.FRAUD_REPORTED else log.info
            tell(
                "challenge_ended",
                tenant=challenge.identity.tenant,
                event_id=challenge.identity.event_id,
                state=challenge.state.value,
                reason=reason.value,
            )
            self._outbox.post(challenge)
        return stored
