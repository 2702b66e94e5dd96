"""Remembers for a moment whether Duo answers; law: only "out of reach" opens the breaker of an account.

So an account whose Duo hangs costs one call at a time and soon none, and no other account notices. A
good answer that grows old is renewed while it is still given, so that no browser waits for the renewal;
none is given beyond its time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from countersign.core.errors import DuoBusyError, DuoError, DuoUnavailableError

GOOD_FOR: Final = 5.0
"""Seconds that a good answer is given again."""
RENEWED_AFTER: Final = 3.0
"""Seconds after which somebody who is given a good answer has it renewed, and doesn't wait for that."""
BAD_FOR: Final = 1.0
"""Seconds that an error is raised again."""
THRESHOLD: Final = 3
"""So many times out of reach, one after the other, open the breaker."""
OPEN_FOR: Final = 10.0
"""Seconds that an open breaker lets no call through."""
MAX_ACCOUNTS: Final = 1_000
"""Accounts remembered; the one that was asked for least lately goes."""

_BREAKER: Final = "duo"
_STOPPED: Final = "Duo's health is not asked for any more, as this process stops"


class Health:
    """What is known of each account's Duo.

    Args:
        monotonic: seconds of a clock that never goes back, for what is remembered. The breaker has no
            such argument: purgatory reads the time of day, so a clock that is set back keeps a breaker
            open for longer.
        open_for: seconds that an open breaker lets no call through.
        max_accounts: so many accounts are remembered.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float],
        open_for: float = OPEN_FOR,
        max_accounts: int = MAX_ACCOUNTS,
    ) -> None:
        self._monotonic = monotonic
        self._open_for = open_for
        self._max_accounts = max_accounts
        self._accounts: OrderedDict[Hashable, _Account] = OrderedDict()
        # Held here, too: an account may be forgotten while its call is under way.
        self._flights: set[asyncio.Task[DuoError | None]] = set()
        self._closed = False

    async def check(self, account: Hashable, call: Callable[[], Awaitable[None]]) -> None:
        """Return if the account's Duo answers, as found a moment ago or by a call now.

        Args:
            account: names the account.
            call: asks Duo. All who wait for one account share a call, and it goes on without any of them.

        Raises:
            DuoError: what the call raised.
            DuoUnavailableError: likewise, or the breaker is open.
        """
        if self._closed:
            raise DuoBusyError(_STOPPED)
        known, now = self._account(account), self._monotonic()
        if known.flight is None and now >= known.renewed_from:
            known.flight = self._started(known, call)
        error = known.error
        if known.flight is not None and now >= known.until:
            late = now - known.asked_at
            # The task gives the error back and doesn't raise it: nobody may be left to wait for it.
            error = await asyncio.shield(known.flight)
            if error is not None and not self._closed:
                # Everybody waits as long as the first one. Each has an end to be recorded and shown, and
                # all those ends in one moment would keep other tenants' browsers waiting for a second.
                await asyncio.sleep(late)
        if error is not None:
            # A new one for each: raising gives an error a traceback.
            raise type(error)(*error.args)

    async def close(self) -> None:
        """Ask no more; who waits for a call under way is told that we are busy."""
        self._closed = True
        for flight in self._flights:
            flight.cancel()
        await asyncio.gather(*self._flights, return_exceptions=True)

    def _account(self, name: Hashable) -> _Account:
        known = self._accounts.get(name)
        if known is None:
            known = self._accounts[name] = _Account(self._open_for)
            if len(self._accounts) > self._max_accounts:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(name)
        return known

    def _started(
        self, known: _Account, call: Callable[[], Awaitable[None]]
    ) -> asyncio.Task[DuoError | None]:
        known.asked_at = self._monotonic()
        flight = asyncio.create_task(self._ask(known, call))
        self._flights.add(flight)
        flight.add_done_callback(self._landed)
        return flight

    def _landed(self, flight: asyncio.Task[DuoError | None]) -> None:
        self._flights.discard(flight)
        if not flight.cancelled():
            # Whoever waits is given what it raised beyond our own errors; of a renewal, nobody waits.
            flight.exception()

    async def _ask(self, known: _Account, call: Callable[[], Awaitable[None]]) -> DuoError | None:
        try:
            async with await known.breakers.get_breaker(_BREAKER):
                await call()
        except OpenedState:
            return DuoUnavailableError(
                "Duo was out of reach several times, and is left alone a while"
            )
        except DuoError as error:
            known.learn(error, self._monotonic(), renewed_after=BAD_FOR, good_for=BAD_FOR)
            return error
        except asyncio.CancelledError:
            # By `close` alone. It is not those who wait that are cancelled.
            return DuoBusyError(_STOPPED)
        else:
            known.learn(None, self._monotonic(), renewed_after=RENEWED_AFTER, good_for=GOOD_FOR)
            return None
        finally:
            known.flight = None


class _Account:
    """What is known of one account: the last answer, from when to renew it, until when it counts.

    And the call under way, if there is one, and since when.
    """

    def __init__(self, open_for: float) -> None:
        # A factory of its own, so that the breaker goes when the account does.
        self.breakers = AsyncCircuitBreakerFactory(
            default_threshold=THRESHOLD,
            default_ttl=open_for,
            exclude=[(BaseException, lambda exc: not isinstance(exc, DuoUnavailableError))],
        )
        self.flight: asyncio.Task[DuoError | None] | None = None
        self.asked_at = float("-inf")
        self.error: DuoError | None = None
        self.renewed_from = self.until = float("-inf")

    def learn(
        self, error: DuoError | None, now: float, *, renewed_after: float, good_for: float
    ) -> None:
        """Keep what was found; the newest counts, though an earlier good answer had time left."""
        self.error, self.renewed_from, self.until = error, now + renewed_after, now + good_for
